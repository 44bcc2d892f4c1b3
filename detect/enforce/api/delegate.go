package api

import (
	"net/http"
	"reflect"
	"slices"
	"strings"

	"flyball/schema"
)

// Headers by which a token with the right delegate names the person for whom a request is made. Both
// are sent, or none. The request then has the rights that the token and the person both have, and the
// audit trail names both.
const (
	HeaderOnBehalfOf  = "Flyball-On-Behalf-Of"      // login of the person, UTF-8, at most 100 bytes
	HeaderPersonsRole = "Flyball-On-Behalf-Of-Role" // viewer, responder or admin
)

// Named reasons for refusing a request on behalf of a person.
const (
	whyNoDelegate  = "no_right_to_delegate"
	whyBadPerson   = "malformed_person"
	whyTwoPersons  = "two_persons"
	whyPersonsRole = "role_of_the_person"
)

// personRoles are the roles of people, the one with the least rights first.
var personRoles = []Role{Viewer, Responder, Admin}

// person is for whom a request is made; no name: it names nobody.
type person struct {
	name string
	role Role
}

// readPerson reads the person whom the headers of a request name. A refusal does not repeat the name,
// because it may be a secret.
func readPerson(h http.Header) (person, *refusal) {
	names, roles := h.Values(HeaderOnBehalfOf), h.Values(HeaderPersonsRole)
	if len(names) == 0 && len(roles) == 0 {
		return person{}, nil
	}
	if len(names) != 1 || len(roles) != 1 {
		return person{}, badPerson("%s and %s: each must be there once", HeaderOnBehalfOf, HeaderPersonsRole)
	}
	p := person{strings.TrimSpace(names[0]), Role(roles[0])}
	if len(p.name) > maxByLength || checkName(HeaderOnBehalfOf, p.name) != nil || p.name != schema.Visible(p.name) || LooksLikeSecret(p.name) {
		return person{}, badPerson("%s: empty, longer than %d bytes, with characters that do not print, or like a secret; send the login of "+
			"the person", HeaderOnBehalfOf, maxByLength)
	}
	if !slices.Contains(personRoles, p.role) {
		return person{}, badPerson("%s: none of viewer, responder, admin", HeaderPersonsRole)
	}
	return p, nil
}

func badPerson(text string, args ...any) *refusal {
	return refused(http.StatusBadRequest, whyBadPerson, text, args...)
}

// actingFor returns the caller as it acts for a person in an operation that needs a role, with the lesser
// rights of the two.
func (c caller) actingFor(p person, need Role) (caller, *refusal) {
	switch {
	case !c.delegate:
		return caller{}, refused(http.StatusForbidden, whyNoDelegate, "%s may not act for a person: leave %s out, or set delegate: true "+
			"at the token in control.tokens, or name one of its groups in control.oidc.delegates", c.who(), HeaderOnBehalfOf)
	case !slices.Contains(included[need], p.role):
		return caller{}, refused(http.StatusForbidden, whyPersonsRole, "%s has the role %s, this needs %s", p.name, p.role, need)
	}
	c.person = p.name
	c.role = lesser(c.role, p.role)
	return c, nil
}

// lesser returns the role with the fewer rights of a token's and a person's. Of an orchestrator's token and
// an admin it is orchestrator: there is no operation that an orchestrator and another person may both use.
func lesser(token, person Role) Role {
	if slices.Contains(included[token], person) { // the person has all rights of the token
		return token
	}
	return person
}

// namesAnother returns a refusal if the body of a request that is made for a person names an author, too.
func (c caller) namesAnother(body any) *refusal {
	if c.person == "" || body == nil {
		return nil
	}
	if by := reflect.ValueOf(body).Elem().FieldByName("By"); by.IsValid() && by.String() != "" {
		return refused(http.StatusBadRequest, whyTwoPersons, "by: the person is named by %s; leave by out", HeaderOnBehalfOf)
	}
	return nil
}

// CallerLine describes who sends a request, and which rights it has.
type CallerLine struct {
	Token    string   `json:"token,omitempty"`        // name of the token; absent: without tokens, the operator
	Issuer   string   `json:"issuer,omitempty"`       // of the identity; absent: it is no token of an issuer
	Subject  string   `json:"subject,omitempty"`      // of the identity at its issuer
	Name     string   `json:"name,omitempty"`         // of the identity, for people
	Role     Role     `json:"role"`                   // of the token, or of the person if it is the lesser one
	Delegate bool     `json:"delegate"`               // may act on behalf of a person
	Person   string   `json:"on_behalf_of,omitempty"` // absent: the request names nobody
	Tenant   string   `json:"tenant"`                 // whose state its commands change
	Tenants  []string `json:"tenants"`                // that it may read; empty: all
}

// callers holds the operation by which a client learns its own rights.
type callers struct{ *server }

func (c *callers) operations() []operation {
	return []operation{{method: http.MethodGet, path: "/v1/caller", id: "caller", role: Viewer, answer: CallerLine{},
		summary: "Who sends this request, by its token and on whose behalf, and which rights it has",
		serve: func(x *exchange) {
			w := x.caller
			line := CallerLine{Token: w.name, Role: w.role, Delegate: w.delegate, Person: w.person, Tenant: w.tenant,
				Tenants: append([]string{}, w.tenants...)}
			if id := w.identity; id != nil {
				line.Token, line.Issuer, line.Subject, line.Name = "", id.Issuer, id.Subject, id.Name
			}
			x.respond(line)
		}}}
}
