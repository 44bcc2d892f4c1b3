package scope

import (
	"strings"

	"github.com/cespare/xxhash/v2"

	"flyball/detect/feature"
	"flyball/schema"
)

// Access is what the guard looks at of one call.
type Access struct {
	Route   uint64 // feature.RouteHash of its name
	Write   bool
	Targets []Target
}

// Target is a resource that a call names.
type Target struct {
	Kind uint64 // hash of what comes before the colon
	ID   uint64 // hash of the whole
	// Site is the hash of the host that an address on the web names, 0 for anything
	// else: a call with such a target leaves the API, whatever its method is.
	Site uint64
}

// scopeKey is the target as scopes know it: another page of a site is no other target.
func (t *Target) scopeKey() uint64 {
	if t.Site != 0 {
		return t.Site
	}
	return t.ID
}

// webKinds are the kinds of resources whose ids are addresses on the web.
var webKinds = map[string]bool{
	"url":          true,
	"uri":          true,
	"link":         true,
	"webhook":      true,
	"callback_url": true,
	"redirect_uri": true,
	"website":      true,
}

// FromCall fills into from a call and what the detector sees of it, reusing its memory.
// What the log could not name (?, *) is no target.
func FromCall(c *schema.Call, f *feature.Input, into *Access) {
	into.fill(f.Route, f.Write, c.Resources)
}

// NewAccess is the call of a route by its name.
func NewAccess(route string, write bool, resources []schema.Resource) Access {
	var c Access
	c.fill(feature.RouteHash(route), write, resources)
	return c
}

func (c *Access) fill(route uint64, write bool, resources []schema.Resource) {
	c.Route, c.Write, c.Targets = route, write, c.Targets[:0]
	for i := range resources {
		r := &resources[i]
		if r.ID == "?" || r.ID == "*" {
			continue
		}
		t := Target{Kind: xxhash.Sum64String(r.Type), ID: feature.ResourceHash(r.Type, r.ID)}
		if webKinds[r.Type] {
			t.Site = feature.ResourceHash("site", host(r.ID))
		}
		c.Targets = append(c.Targets, t)
	}
}

// host of an address: what stands between the scheme and the first slash, without
// the name's usual prefix.
func host(address string) string {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = rest
	}
	if i := strings.IndexAny(address, "/?#"); i >= 0 {
		address = address[:i]
	}
	if _, rest, ok := strings.Cut(address, "@"); ok {
		address = rest // user information is no part of the host
	}
	return strings.TrimPrefix(strings.ToLower(address), "www.")
}

// leaves reports whether a target is one that something is done to, or sent to.
func (c *Access) leaves(t *Target) bool { return c.Write || t.Site != 0 }
