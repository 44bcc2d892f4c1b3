package feature

import (
	"cmp"
	"strings"

	"github.com/cespare/xxhash/v2"

	"flyball/schema"
)

// apiName returns the API of a call: the API, MCP server or host that the source logs, else the first part of the route.
// Callers behave differently on different APIs, and their calls to one say nothing about another.
func apiName(c *schema.Call) string {
	if name := cmp.Or(c.API, c.MCPServer, c.Host); name != "" {
		return name
	}
	path := strings.TrimPrefix(cmp.Or(c.RouteKey, c.Route), "/")
	if first, _, more := strings.Cut(path, "/"); more {
		return first
	}
	return "/"
}

// apiHash returns the hash of a call's API, which is never 0.
func apiHash(c *schema.Call) uint64 { return max(xxhash.Sum64String(apiName(c)), 1) }
