package route

import (
	"encoding/json"

	"flyball/schema"
)

// Arguments are what a request's JSON body asks with: of an MCP tools/call the
// tool's arguments, and the call learns which tool it is. Nil is a body that is
// not JSON, or that was cut.
func Arguments(body []byte, c *schema.Call) []byte {
	var rpc struct {
		Version string          `json:"jsonrpc"`
		Method  string          `json:"method"`
		ID      json.RawMessage `json:"id"`
		Params  struct {
			Name      string          `json:"name"`
			Arguments json.RawMessage `json:"arguments"`
		} `json:"params"`
	}
	if !json.Valid(body) {
		return nil
	}
	if json.Unmarshal(body, &rpc) != nil || rpc.Version != "2.0" || rpc.Method == "" {
		return body
	}
	c.OpKind, c.MCPMethod = schema.OpMCP, rpc.Method
	if rpc.Method != "tools/call" {
		return body
	}
	c.ToolName = rpc.Params.Name
	return rpc.Params.Arguments
}
