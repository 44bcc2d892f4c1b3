package redteam

import (
	"fmt"
	"slices"
	"strings"

	"flyball/schema"
)

// Attack is a way to make enforcement decide on something else than what the
// service gets, or about somebody else than who asks.
type Attack struct {
	Name  string // what is done, in plain words; unique
	Steps []Step
	// Only are the ways (see ways_test.go) that it applies to; empty: all.
	Only []string
}

// Step is one thing that is done: the first field that is set.
type Step struct {
	Manifest string               // an operator puts it in force
	Trip     schema.Scope         // an operator opens a breaker: the value may be secret:TEXT, the credential id of a secret
	TripRun  *Request             // an operator stops the run that this request belongs to
	Detect   *Request             // the detector trips the run of this request
	Asks     *Request             // the call must be denied with a question
	Grant    bool                 // a person says yes to the question of the last answer
	Send     *Request             // the attacker, or somebody else, calls
	Again    int                  // Send so many times more
	Must     func(*result) string // what must hold of the answer; "" where it does
}

// Request is written to the gateway as it stands. In every text, @@ becomes a
// word that no other attack uses.
type Request struct {
	Method, Path string
	As           string   // who: consumer:NAME (the gateway established it), bearer:TOKEN, key:KEY, both:SECRET, or nobody
	Headers      []string // "Name: value", in this order; a name may come twice
	Body         string
	From         string // address of the caller; 127.0.0.1
	Raw          string // written instead of all of the above; UA becomes the user agent
}

// identity are the headers by which a request says who it is. A gateway of the
// tests authenticates by X-Login and says who it is as X-Consumer.
func (r *Request) identity() []string {
	kind, name, _ := strings.Cut(r.As, ":")
	switch kind {
	case "consumer":
		return []string{"X-Login: " + name, "X-Consumer: " + name} // the second one as files of the version before need it
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

// unique fills in the word of one attack on one way.
func (r *Request) unique(word string) *Request {
	fill := func(s string) string { return strings.ReplaceAll(s, "@@", word) }
	out := &Request{Method: r.Method, Path: fill(r.Path), As: fill(r.As), Body: fill(r.Body), From: r.From, Raw: fill(r.Raw)}
	for _, h := range r.Headers {
		out.Headers = append(out.Headers, fill(h))
	}
	return out
}

// What may be demanded of an answer, besides what is always demanded.

// passes: the service was asked and its answer came back.
func passes(r *result) string {
	if r.status != 200 || len(r.served) == 0 {
		return fmt.Sprintf("must pass: status %d, reached the service %d times", r.status, len(r.served))
	}
	return ""
}

// refused: the service was not asked; by whom it was refused does not matter.
func refused(r *result) string {
	if len(r.served) > 0 {
		return fmt.Sprintf("must be refused: the service was asked %s %s", r.served[0].method, r.served[0].target)
	}
	return ""
}

// denied: the check said no, and the answer says so.
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

// passesAsDecided: the service sees the ids of the check, whatever the client sent.
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

// each makes an attack of every variant; its texts fill the name in order.
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

// on reports whether an attack applies to a way: bytes as they stand need a real gateway.
func (a *Attack) on(w way) bool {
	_, real := w.(*gateway)
	bytes := slices.ContainsFunc(a.Steps, func(s Step) bool { return s.Send != nil && s.Send.Raw != "" })
	return (real || !bytes) && (len(a.Only) == 0 || slices.Contains(a.Only, w.name()))
}
