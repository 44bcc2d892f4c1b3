// Package route decides which receivers a finding is sent to: by its level, family, agent, owner, tags and tenant, and by the hour. Routes
// are tried in their order; the first that matches decides, unless it says continue.
//
// A name that is only claimed cannot take a finding away from its receivers: a route to nobody matches claimed names only if it says so.
package route
