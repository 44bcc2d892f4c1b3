package redteam

import (
	"fmt"
	"slices"
	"strings"

	"flyball/schema"
)

// Attack is a way to make enforcement decide on a different call than the service receives, or
// on a different caller than the real one.
type Attack struct {
	Name  string // description of the attack; unique
	Steps []Step
	// Only limits the attack to some ways (see ways_test.go); empty: all.
	Only []string
}

// Step is one action: that of the first field that is set.
type Step struct {
	Manifest string               // an operator sets this manifest
	Trip     schema.Scope         // an operator opens a breaker: the value may be secret:TEXT, the credential id of a secret
	TripRun  *Request             // an operator stops the run that this request belongs to
	Detect   *Request             // the detector trips the run of this request
	Asks     *Request             // the call must be denied and open a gate
	Grant    bool                 // a person approves the gate of the last response
	Send     *Request             // the attacker, or another caller, sends a request
	Again    int                  // number of further repetitions of Send
	Must     func(*result) string // checks the response; returns "" if it is correct
}

// Request is written to the gateway unchanged. In every text, @@ becomes a word that no other
// attack uses.
type Request struct {
	Method, Path string
	As           string   // caller: consumer:NAME (established by the gateway), bearer:TOKEN, key:KEY, both:SECRET, or nobody
	Headers      []string // "Name: value", in this order; a name may occur twice
	Body         string
	From         string // address of the caller; default 127.0.0.1
	Raw          string // written instead of all of the above; UA becomes the user agent
}

// identity returns the headers with the identity of the caller. A gateway of the tests
// authenticates by X-Login and sets X-Consumer to its value.
func (r *Request) identity() []string {
	kind, name, _ := strings.Cut(r.As, ":")
	switch kind {
	case "consumer":
		return []string{"X-Login: " + name, "X-Consumer: " + name} // files of the version before need X-Consumer
	case "bearer":
		return []string{"Authorization: Bearer " + name}
	case "key":
		return []string{"X-Api-Key: " + name}
	case "both":
		return []string{"Authorization: Bearer b-" + name, "X-Api-Key: k-" + name}
	}
	return nil
}

func (r *Request) read() bool {
	return r.Method == "GET" || r.Method == "HEAD" || r.Method == "OPTIONS"
}

// unique replaces @@ with the word of one attack on one way.
func (r *Request) unique(word string) *Request {
	fill := func(s string) string { return strings.ReplaceAll(s, "@@", word) }
	out := &Request{Method: r.Method, Path: fill(r.Path), As: fill(r.As), Body: fill(r.Body), From: r.From, Raw: fill(r.Raw)}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, fill(h))
	}
	return out
}

// Checks of a response, beside the checks that always apply.

// passes checks that the service received the request and the client got its response.
func passes(r *result) string {
	if r.status != 200 || len(r.served) == 0 {
		return fmt.Sprintf("must pass: status %d, reached the service %d times", r.status, len(r.served))
	}
	return ""
}

// refused checks that the service did not receive the request, which any component may have
// rejected.
func refused(r *result) string {
	if len(r.served) > 0 {
		return fmt.Sprintf("must be refused: the service was asked %s %s", r.served[0].method, r.served[0].target)
	}
	return ""
}

// denied checks that the service did not receive the request, and that the client got 403.
func denied(r *result) string {
	if why := refused(r); why != "" {
		return why
	}
	if r.status != 403 {
		return fmt.Sprintf("must be denied with 403: status %d", r.status)
	}
	return ""
}

func send(method, path, as string, headers ...string) *Request {
	return &Request{Method: method, Path: path, As: as, Headers: headers}
}

func (r *Request) with(body string) *Request { c := *r; c.Body = body; return &c }
func (r *Request) from(addr string) *Request { c := *r; c.From = addr; return &c }

func kill(kind schema.ScopeKind, value string) Step {
	return Step{Trip: schema.Scope{Kind: kind, Value: value}}
}
func must(demand func(*result) string, r *Request) Step { return Step{Send: r, Must: demand} }

// passesAsDecided checks that the service gets the ids of the check and not those that the
// client sent.
func passesAsDecided(r *result) string {
	if why := passes(r); why != "" {
		return why
	}
	for name, values := range r.served[0].header {
		if spelled := strings.ToLower(strings.ReplaceAll(name, "_", "-")); strings.HasPrefix(spelled, "x-flyball-") &&
			strings.Contains(strings.Join(values, " "), "mine") {
			return fmt.Sprintf("must be taken away: %s reached the service", name)
		}
	}
	return ""
}

// each makes one attack for every variant; the texts of a variant are inserted into the name
// in order.
func each(name string, variants [][]string, steps func([]string) []Step) (out []Attack) {
	for _, v := range variants {
		var args []any
		for i := range strings.Count(name, "%") {
			args = append(args, short(v[i]))
		}
		out = append(out, Attack{Name: fmt.Sprintf(name, args...), Steps: steps(v)})
	}
	return out
}

func short(s string) string {
	if len(s) > 60 {
		return s[:57] + "..."
	}
	return s
}

func concat(lists ...[]Attack) []Attack { return slices.Concat(lists...) }

// on reports whether an attack applies to a way: a raw request needs a real gateway.
func (a *Attack) on(w way) bool {
	_, real := w.(*gateway)
	bytes := slices.ContainsFunc(a.Steps, func(s Step) bool { return s.Send != nil && s.Send.Raw != "" })
	return (real || !bytes) && (len(a.Only) == 0 || slices.Contains(a.Only, w.name()))
}
