package feature

import (
	"strings"

	"github.com/cespare/xxhash/v2"

	"flyball/schema"
)

// APIHash returns the hash of the API to which a route's name (RouteName) belongs: of the first segment of its path, or
// of the part of an operation before its first dot, slash or double underscore. Gateways and tool servers put the
// services behind them under such names.
func APIHash(name string) uint64 {
	if _, path, isRoute := strings.Cut(name, " "); isRoute {
		return hashFirstSegment(path)
	}
	return hashOperation(name)
}

// apiHash returns APIHash of the name of a call's route.
func apiHash(c *schema.Call) uint64 {
	if c.Method == "" {
		return hashOperation(c.Operation)
	}
	return hashFirstSegment(c.RouteKey)
}

func hashFirstSegment(path string) uint64 {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return xxhash.Sum64String(first)
}

func hashOperation(name string) uint64 {
	if i := strings.IndexAny(name, "./"); i > 0 {
		return xxhash.Sum64String(name[:i])
	}
	first, _, _ := strings.Cut(name, "__")
	return xxhash.Sum64String(first)
}
