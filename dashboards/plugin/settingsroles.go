package plugin

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// access is what a user of Grafana may do. Each level includes the ones before it.
type access int

const (
	accessNone    access = iota // nothing: queries are refused, too
	accessSee                   // queries
	accessRespond               // also what Flyball's responders may do: trip, reset, answer questions, judge findings
	accessBypass                // also what Flyball's admins may do: end a bypass, add exceptions
)

var accessWords = []string{"none", "see", "respond", "bypass"}

func (a access) String() string { return accessWords[a] }

// role returns Flyball's role of a user with this access; empty: none.
func (a access) role() string { return []string{"", "viewer", "responder", "admin"}[a] }

// grafanaRoles are the roles of Grafana's users.
var grafanaRoles = []string{"Viewer", "Editor", "Admin"}

// defaultAccess is what the roles of Grafana may do without settings. None of them may do what needs accessBypass: an
// administrator decides that.
func defaultAccess() map[string]access {
	return map[string]access{"Viewer": accessSee, "Editor": accessRespond, "Admin": accessRespond}
}

// readRoles returns the access of each role of Grafana.
func readRoles(roles map[string]string) (map[string]access, error) {
	out := defaultAccess()
	for _, name := range slices.Sorted(maps.Keys(roles)) {
		if !slices.Contains(grafanaRoles, name) {
			return nil, fmt.Errorf("roles: %q is none of %s", name, strings.Join(grafanaRoles, ", "))
		}
		if roles[name] == "" { // the default
			continue
		}
		level := slices.Index(accessWords, roles[name])
		if level < 0 {
			return nil, fmt.Errorf("roles.%s: %q is none of %s", name, roles[name], strings.Join(accessWords, ", "))
		}
		out[name] = access(level)
	}
	return out, nil
}

// accessOf returns what a user may do. Of a user without a known role it is nothing.
func (s *settings) accessOf(user *backend.User) access {
	if user == nil {
		return accessNone
	}
	return s.access[user.Role]
}

// queryAccess is accessOf for queries: Grafana has decided that the user may send them, so that a user without a known role has
// the access of a Viewer.
func (s *settings) queryAccess(user *backend.User) access {
	if have, known := s.access[user.Role]; known {
		return have
	}
	return s.access["Viewer"]
}

// refuseStatement returns an error if a user may not run statements. Grafana's own queries, of alert rules, are of no user.
func (s *settings) refuseStatement(user *backend.User) error {
	switch {
	case s.sqlNeeds == accessNone:
		return errors.New("sql: statements are off: sql is none in the settings of the data source")
	case user != nil && s.queryAccess(user) < s.sqlNeeds:
		return fmt.Errorf("sql: statements need %s, and Grafana's role %q may %s: an administrator changes that in sql or roles of the data "+
			"source", s.sqlNeeds, user.Role, s.queryAccess(user))
	}
	return nil
}

// highestAccess returns the most that any role may do.
func (s *settings) highestAccess() access { return slices.Max(slices.Collect(maps.Values(s.access))) }
