package config

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"flyball/detect/playbook"
	"flyball/detect/policy"
	"flyball/schema/schedule"
)

// Exception marks findings about an agent as expected: they are recorded, and cause no action.
type Exception struct {
	Name     string          `yaml:"name"`
	Agent    string          `yaml:"agent"`    // a name, or a pattern as billing/*
	Family   string          `yaml:"family"`   // family of findings: runaway.destroy, runaway.*
	Routes   []Pattern       `yaml:"routes"`   // "DELETE /v1/orders/{id}", "tool:NAME"; empty: any
	Hours    *schedule.Hours `yaml:"hours"`    // absent: all hours
	Expires  Time            `yaml:"expires"`  // RFC 3339
	Approver string          `yaml:"approver"` // person who is responsible for it
	Why      string          `yaml:"why"`
}

func (d Detect) exceptions(p *problems) {
	names := map[string]bool{}
	for i, e := range d.Exceptions {
		at := fmt.Sprintf("detect.exceptions[%d].", i)
		if e.Name == "" || names[e.Name] {
			p.add("%sname: %q; each exception has a name of its own: it stands in the findings that it covers", at, e.Name)
		}
		names[e.Name] = true
		e.validate(p, at)
	}
}

// validate checks an exception; at is its key and a dot.
func (e Exception) validate(p *problems, at string) {
	for key, pattern := range map[string]string{"agent": e.Agent, "family": e.Family} {
		p.pattern(at+key, pattern)
		if pattern == "" {
			p.add("%s%s: empty; a name or a pattern, * for all", at, key)
		}
	}
	covered := slices.DeleteFunc(playbook.Families(), func(f string) bool { return !policy.Exceptable(f) })
	matches := func(family string) bool { ok, _ := path.Match(e.Family, family); return ok }
	if e.Family != "" && !slices.ContainsFunc(covered, matches) {
		p.add("%sfamily: %q matches none of %s; no exception lifts what manifests decide, or is for callers without an established agent",
			at, e.Family, strings.Join(covered, ", "))
	}
	for n, r := range e.Routes {
		if r.err != nil {
			p.add("%sroutes[%d]: %w", at, n, r.err)
		} else if !r.isSet() {
			p.add("%sroutes[%d]: empty; a method and a template as GET /v1/orders/{id}, * for any method, or tool:NAME", at, n)
		}
	}
	if e.Hours != nil {
		schedule.Compile(at+"hours", *e.Hours, p.add)
	}
	if e.Expires.err != nil || !e.Expires.isSet() {
		p.add("%sexpires: %q is no time as 2027-01-31T00:00:00Z; an exception ends, and is renewed by whoever still wants it", at, e.Expires)
	}
	for key, v := range map[string]string{"approver": e.Approver, "why": e.Why} {
		if strings.TrimSpace(v) == "" {
			p.add("%s%s: empty; who reads it at night was not there", at, key)
		}
	}
}

// policyException returns the exception in the form of package policy. The exception must be
// valid.
func (e Exception) policyException() policy.Exception {
	x := policy.Exception{Name: e.Name, Agent: e.Agent, Family: e.Family, Approver: e.Approver, Why: e.Why,
		Expires: e.Expires.Value.UnixNano()}
	for _, r := range e.Routes {
		x.Routes = append(x.Routes, r.Value.Pattern)
	}
	if e.Hours != nil {
		x.Hours = schedule.Compile("", *e.Hours, func(string, ...any) {})
	}
	return x
}

// PolicyExceptions returns the exceptions in the form of package policy. The configuration
// must be valid.
func (d Detect) PolicyExceptions() []policy.Exception {
	var out []policy.Exception
	for _, e := range d.Exceptions {
		out = append(out, e.policyException())
	}
	return out
}

// RouteTexts returns the routes as they were written.
func (e Exception) RouteTexts() []string {
	var out []string
	for _, r := range e.Routes {
		out = append(out, r.String())
	}
	return out
}
