package feature

import (
	"strings"

	"github.com/cespare/xxhash/v2"

	"flyball/schema"
)

// APIHash returns the hash of the API to which a route's name (RouteName) belongs: of the first segment of the path of a
// method and a path, or of the part of an operation before its first dot, slash or double underscore; a slash at its
// beginning does not count. Gateways and tool servers put the services behind them under such names.
func APIHash(name string) uint64 {
	if _, path, ok := strings.Cut(name, " "); ok && strings.HasPrefix(path, "/") {
		return hashFirstSegment(path)
	}
	return hashOperation(name)
}

// apiHash returns APIHash of the name of a call's route.
func apiHash(c *schema.Call) uint64 {
	if c.Method != "" && strings.HasPrefix(c.RouteKey, "/") && !strings.Contains(c.Method, " ") {
		return hashFirstSegment(c.RouteKey)
	}
	return APIHash(RouteName(c.Method, c.RouteKey, c.Operation))
}

func hashFirstSegment(path string) uint64 {
	first, _, _ := strings.Cut(path[1:], "/")
	return xxhash.Sum64String(first)
}

func hashOperation(name string) uint64 {
	name = strings.TrimPrefix(name, "/")
	if i := strings.IndexAny(name, "./"); i > 0 {
		return xxhash.Sum64String(name[:i])
	}
	first, _, _ := strings.Cut(name, "__")
	return xxhash.Sum64String(first)
}
