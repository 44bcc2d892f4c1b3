package route

import (
	"bytes"
	"encoding/json"
)

// RPC is a call of MCP that a request's body may be read as.
type RPC struct {
	Method string // tools/call where the body does not say which in one way
	Tool   string // empty: of a tools/call, any
	Args   []byte // of the tool, or the body
}

// maxRPC is how many calls of a batch are read.
const maxRPC = 8

// ReadBody reads a request's whole body. Of a POST it says besides which calls of
// MCP the body may be read as; whether a server reads it so depends on the route.
// A body that is not JSON is kept as a form.
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

// rpc reads a JSON object as a call of JSON-RPC. What stands twice in it is not
// known: it may call any tool.
func rpc(body []byte) (RPC, bool) {
	if len(body) == 0 || body[0] != '{' {
		return RPC{}, false
	}
	raw, n := jsonMember(body, "method")
	var method string
	if n == 0 || n == 1 && json.Unmarshal(raw, &method) != nil {
		return RPC{}, false // an answer, or none
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
