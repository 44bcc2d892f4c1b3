-- HAProxy asks Flyball before it lets a request through: the action of haproxy.cfg. HAProxy 2.6 or later with Lua, as
-- Debian has it; no other library.
--
-- The check sees every header of the request, and no body: limits by amount need the amount in the path, the query or
-- a header. Only silence is an outage: nobody was there, too late, or an error of the check's own. Any other answer
-- that is not a yes is a no.
local check = "http://127.0.0.1:7172/check/haproxy"
local token = nil          -- off loopback: check.token_file
local patience = 1000      -- milliseconds

-- Headers of the connection, not of the request, and those that this action sets itself.
local not_passed = {
  ["host"] = true, ["connection"] = true, ["keep-alive"] = true, ["proxy-connection"] = true, ["te"] = true, ["trailer"] = true,
  ["transfer-encoding"] = true, ["content-length"] = true, ["upgrade"] = true, ["expect"] = true,
  ["x-original-method"] = true, ["x-original-uri"] = true, ["x-original-host"] = true, ["x-forwarded-for"] = true, ["x-flyball-token"] = true,
}

local function first(headers, name)
  local values = headers and headers[name]
  return values and values[0] or ""
end

local function problem(txn, status, text, headers)
  local reply = txn:reply{status = status}
  reply:add_header("content-type", "application/problem+json")
  for name, value in pairs(headers or {}) do
    if value ~= "" then reply:add_header(name, value) end
  end
  reply:set_body(text)
  txn:done(reply)
end

core.register_action("flyball", {"http-req"}, function(txn)
  local method, target = txn.sf:method(), txn:get_var("txn.flyball_target") or "/"
  txn:set_var("txn.flyball_method", method)
  local ask = {
    ["host"] = {"flyball"},
    ["x-original-method"] = {method},
    ["x-original-uri"] = {target},
    ["x-original-host"] = {txn.sf:req_fhdr("host") or ""},
    ["x-forwarded-for"] = {txn.sf:src()},
  }
  if token then ask["x-flyball-token"] = {token} end
  for name, values in pairs(txn.http:req_get_headers()) do
    if not not_passed[name] then
      ask[name] = {}
      for i = 0, #values do
        if values[i] then table.insert(ask[name], values[i]) end
      end
    end
  end

  local answer = core.httpclient():get{url = check, headers = ask, timeout = patience}
  local status = answer and answer.status or 0
  local headers = answer and answer.headers
  txn:set_var("txn.flyball_status", tostring(status))
  txn:set_var("txn.flyball_run", first(headers, "x-flyball-run"))
  txn:set_var("txn.flyball_decision", first(headers, "x-flyball-decision"))
  txn:set_var("txn.flyball_receipt", first(headers, "x-flyball-receipt"))

  if status == 200 then
    txn.http:req_set_header("X-Flyball-Run", first(headers, "x-flyball-run"))
    txn.http:req_set_header("X-Flyball-Decision", first(headers, "x-flyball-decision"))
    return
  end
  if status == 0 or status >= 500 then
    -- A header by which a service may take a GET for another method makes it no read.
    local read = (method == "GET" or method == "HEAD" or method == "OPTIONS")
      and not (txn.sf:req_fhdr("x-http-method-override") or txn.sf:req_fhdr("x-method-override") or txn.sf:req_fhdr("x-http-method"))
    if read then
      txn:set_var("txn.flyball_passed", "read")
      return
    end
    return problem(txn, 503, '{"type":"urn:flyball:problem:away","title":"The API owner\'s check does not answer","status":503,"detail":"This call can change something and was not made."}')
  end
  local body = answer.body
  if first(headers, "content-type") ~= "application/problem+json" then
    body = '{"type":"urn:flyball:problem:denied","title":"Stopped by the API owner","status":403,"detail":"The check cannot read this request.","flyball":{"reason":"check_answered_' .. status .. '"}}'
  end
  problem(txn, 403, body, {
    ["x-flyball-run"] = first(headers, "x-flyball-run"), ["x-flyball-decision"] = first(headers, "x-flyball-decision"),
    ["x-flyball-gate"] = first(headers, "x-flyball-gate"), ["retry-after"] = first(headers, "retry-after"),
  })
end, 0)
