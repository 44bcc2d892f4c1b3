-- HAProxy asks Flyball before it lets a request through: the action of haproxy.cfg. HAProxy 2.6 or later with Lua, as
-- Debian has it; no other library.
--
-- The check sees every header of the request, and no body: limits by amount need the amount in the path, the query or
-- a header. An outage is: no answer, an answer that comes too late, or an error of the check's own (5xx). Any other
-- answer that does not allow the call denies it.
local host, port = "127.0.0.1", 7172
local token = nil          -- off loopback: check.token_file
local timeout = 1          -- seconds, for each of: to be connected, to be asked, to answer

-- Headers of the connection, not of the request, and those that this action sets itself.
local not_passed = {
  ["host"] = true, ["connection"] = true, ["keep-alive"] = true, ["proxy-connection"] = true, ["te"] = true, ["trailer"] = true,
  ["transfer-encoding"] = true, ["content-length"] = true, ["upgrade"] = true, ["expect"] = true,
  ["x-original-method"] = true, ["x-original-uri"] = true, ["x-original-host"] = true, ["x-forwarded-for"] = true, ["x-flyball-token"] = true,
}

-- Headers by which a service may take a GET for another method: no read.
local overrides = {"x-http-method-override", "x-method-override", "x-http-method"}

-- ask sends one request and reads the answer: status, headers by lower-case name, body; nil: nobody answered.
-- (core.httpclient of HAProxy 2.6 tries again for seconds and cannot be told otherwise.)
local function ask(lines)
  local s = core.tcp()
  s:settimeout(timeout)
  if not s:connect(host, port) then s:close() return nil end
  if not s:send(table.concat(lines, "\r\n") .. "\r\n\r\n") then s:close() return nil end
  local text = s:receive("*a")
  s:close()
  local head, body = (text or ""):match("^(.-)\r\n\r\n(.*)$")
  local status = tonumber((head or ""):match("^HTTP/%d%.%d (%d%d%d)"))
  if not status then return nil end
  local headers = {}
  for name, value in head:gmatch("\r\n([^:\r\n]+):[ \t]*([^\r\n]*)") do
    headers[name:lower()] = headers[name:lower()] or value
  end
  return status, headers, body
end

local function problem(txn, status, text, headers)
  local reply = txn:reply{status = status}
  reply:add_header("content-type", "application/problem+json")
  for _, name in ipairs{"x-flyball-run", "x-flyball-decision", "x-flyball-gate", "retry-after"} do
    if headers[name] then reply:add_header(name, headers[name]) end
  end
  reply:set_body(text)
  txn:done(reply)
end

core.register_action("flyball", {"http-req"}, function(txn)
  local method, target = txn.sf:method(), txn.sf:pathq()
  if not target or target == "" then target = txn.sf:url() end     -- OPTIONS *
  local sent = txn.http:req_get_headers()
  local lines = {
    "GET /check/haproxy HTTP/1.0", "Host: flyball", "X-Original-Method: " .. method, "X-Original-URI: " .. target,
    "X-Original-Host: " .. (txn.sf:req_fhdr("host") or ""), "X-Forwarded-For: " .. txn.sf:src(),
  }
  if token then table.insert(lines, "X-Flyball-Token: " .. token) end
  for name, values in pairs(sent) do
    if not not_passed[name] then
      for i = 0, #values do
        if values[i] then table.insert(lines, name .. ": " .. values[i]) end
      end
    end
  end

  local status, headers, body = ask(lines)
  headers = headers or {}
  txn:set_var("txn.flyball_method", method)
  txn:set_var("txn.flyball_target", target)
  txn:set_var("txn.flyball_status", tostring(status or 0))
  txn:set_var("txn.flyball_run", headers["x-flyball-run"] or "")
  txn:set_var("txn.flyball_decision", headers["x-flyball-decision"] or "")
  txn:set_var("txn.flyball_receipt", headers["x-flyball-receipt"] or "")

  if status == 200 then
    txn.http:req_set_header("X-Flyball-Run", headers["x-flyball-run"] or "")
    txn.http:req_set_header("X-Flyball-Decision", headers["x-flyball-decision"] or "")
    return
  end
  if not status or status >= 500 then
    local read = method == "GET" or method == "HEAD" or method == "OPTIONS"
    for _, name in ipairs(overrides) do
      if sent[name] then read = false end
    end
    if read then
      txn:set_var("txn.flyball_passed", "read")
      return
    end
    return problem(txn, 503, '{"type":"urn:flyball:problem:away","title":"The API owner\'s check does not answer","status":503,"detail":"This call can change something and was not made."}', {})
  end
  if headers["content-type"] ~= "application/problem+json" then
    body = '{"type":"urn:flyball:problem:denied","title":"Stopped by the API owner","status":403,"detail":"The check cannot read this request.","flyball":{"reason":"check_answered_' .. status .. '"}}'
  end
  problem(txn, 403, body, headers)
end, 0)
