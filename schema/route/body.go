package route

import (
	"bytes"
	"encoding/json"
)

// RPC is one way to read a request body as an MCP call.
type RPC struct {
	Method string // tools/call when the body names the method more than once
	Tool   string // empty in a tools/call: any tool
	Args   []byte // arguments of the tool, otherwise the body
}

// maxRPC is the maximum number of calls of a batch that are used.
const maxRPC = 8

// ReadBody reads the complete body of a request. For a POST it also sets RPC to the MCP calls
// that the body can contain; the route determines whether a server reads the body as such. A
// body that is not JSON is stored as a form.
func (in *Input) ReadBody(method string, body []byte) {
	if !json.Valid(body) {
		in.Form = body
		return
	}
	in.Args = body
	if method != "POST" {
		return
	}
	switch body = bytes.TrimLeft(body, " \t\r\n"); body[0] {
	case '{':
		if r, ok := rpc(body); ok {
			in.RPC = append(in.RPC, r)
		}
	case '[':
		var batch []json.RawMessage
		if json.Unmarshal(body, &batch) != nil {
			return
		}
		for _, one := range batch {
			if r, ok := rpc(one); ok {
				in.RPC = append(in.RPC, r)
			}
		}
	}
}

// rpc reads a JSON object as a JSON-RPC call. When a member occurs twice its value is unknown:
// the call may use any tool.
func rpc(body []byte) (RPC, bool) {
	if len(body) == 0 || body[0] != '{' {
		return RPC{}, false
	}
	raw, n := jsonMember(body, "method")
	var method string
	if n == 0 || n == 1 && json.Unmarshal(raw, &method) != nil {
		return RPC{}, false // a response, or no JSON-RPC
	}
	if n > 1 {
		return RPC{Method: toolsCall, Args: body}, true
	}
	if method != toolsCall {
		_, versions := jsonMember(body, "jsonrpc")
		return RPC{Method: method, Args: body}, versions > 0
	}
	params, n := jsonMember(body, "params")
	name, m := jsonMember(params, "name")
	var tool string
	if n != 1 || m != 1 || json.Unmarshal(name, &tool) != nil {
		return RPC{Method: method, Args: body}, true
	}
	args, _ := jsonMember(params, "arguments")
	return RPC{Method: method, Tool: tool, Args: args}, true
}

const toolsCall = "tools/call"
