package scope

import (
	"strings"

	"github.com/cespare/xxhash/v2"

	"flyball/detect/feature"
	"flyball/schema"
)

// Access holds the facts about one call that the guard uses.
type Access struct {
	Route   uint64 // feature.RouteHash of its name
	Write   bool
	Targets []Target
}

// Target is a resource that a call names.
type Target struct {
	Kind uint64 // hash of the resource's type
	ID   uint64 // hash of the type and the id
	// Site is the hash of the host of a web address, 0 for other targets. A call with such a target sends data out of
	// the API, also when its method is a read.
	Site uint64
}

// scopeKey returns the key of the target in scopes. All pages of a site are one target.
func (t *Target) scopeKey() uint64 {
	if t.Site != 0 {
		return t.Site
	}
	return t.ID
}

// webKinds are the types of resources whose ids are web addresses.
var webKinds = map[string]bool{
	"url":          true,
	"uri":          true,
	"link":         true,
	"webhook":      true,
	"callback_url": true,
	"redirect_uri": true,
	"website":      true,
}

// FromCall fills into from a call and its features, and reuses its memory.
// Resources without a known id ("?", "*") are not targets.
func FromCall(c *schema.Call, f *feature.Input, into *Access) {
	into.fill(f.Route, f.Write, c.Resources)
}

// NewAccess returns the access of a call. route is the route's name.
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

// host returns the host of an address in lower case, without scheme, user information, path and the prefix "www.".
func host(address string) string {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		address = rest
	}
	if i := strings.IndexAny(address, "/?#"); i >= 0 {
		address = address[:i]
	}
	if _, rest, ok := strings.Cut(address, "@"); ok {
		address = rest // user information is not part of the host
	}
	return strings.TrimPrefix(strings.ToLower(address), "www.")
}

// leaves reports whether the call may change the target or send data to it.
func (c *Access) leaves(t *Target) bool { return c.Write || t.Site != 0 }
