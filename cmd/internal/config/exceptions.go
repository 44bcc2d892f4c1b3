package config

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"flyball/detect/playbook"
	"flyball/detect/policy"
	"flyball/schema/route"
	"flyball/schema/schedule"
)

// Exception says that what the detector finds about an agent is meant, until when
// and by whose word.
type Exception struct {
	Name     string          `yaml:"name"`
	Agent    string          `yaml:"agent"`    // a name, or a pattern as billing/*
	Family   string          `yaml:"family"`   // of findings: runaway.destroy, runaway.*
	Routes   []string        `yaml:"routes"`   // "DELETE /v1/orders/{id}", "tool:NAME"; empty: any
	Hours    *schedule.Hours `yaml:"hours"`    // absent: at any hour
	Expires  string          `yaml:"expires"`  // RFC 3339
	Approver string          `yaml:"approver"` // who answers for it
	Why      string          `yaml:"why"`
}

// exceptions are those of the configuration as policy reads them. What is wrong
// with one goes to bad, with key, value and rule.
func (d Detect) exceptions(bad func(string, ...any)) []policy.Exception {
	var out []policy.Exception
	names := map[string]bool{}
	for i, e := range d.Exceptions {
		at := fmt.Sprintf("detect.exceptions[%d].", i)
		x := policy.Exception{Name: e.Name, Agent: e.Agent, Family: e.Family, Approver: e.Approver, Why: e.Why}
		if e.Name == "" || names[e.Name] {
			bad("%sname: %q; each exception has a name of its own: it stands in the findings that it covers", at, e.Name)
		}
		names[e.Name] = true
		for key, p := range map[string]string{"agent": e.Agent, "family": e.Family} {
			if _, err := path.Match(p, ""); err != nil {
				bad("%s%s: %q is no pattern: %w", at, key, p, err)
			} else if p == "" {
				bad("%s%s: empty; a name or a pattern, * for all", at, key)
			}
		}
		covered := slices.DeleteFunc(playbook.Families(), func(f string) bool { return !policy.Exceptable(f) })
		if e.Family != "" && !slices.ContainsFunc(covered, func(f string) bool { ok, _ := path.Match(e.Family, f); return ok }) {
			bad("%sfamily: %q matches none of %s; no exception lifts what manifests decide, or is for callers without an established agent", at, e.Family, strings.Join(covered, ", "))
		}
		for n, text := range e.Routes {
			p, err := route.ParsePattern(text)
			if err != nil {
				bad("%sroutes[%d]: %w", at, n, err)
			}
			x.Routes = append(x.Routes, p)
		}
		if e.Hours != nil {
			x.Hours = schedule.Compile(at+"hours", *e.Hours, bad)
		}
		expires, err := time.Parse(time.RFC3339, e.Expires)
		if err != nil {
			bad("%sexpires: %q is no time as 2027-01-31T00:00:00Z; an exception ends, and is renewed by whoever still wants it", at, e.Expires)
		}
		x.Expires = expires.UnixNano()
		for key, v := range map[string]string{"approver": e.Approver, "why": e.Why} {
			if strings.TrimSpace(v) == "" {
				bad("%s%s: empty; who reads it at night was not there", at, key)
			}
		}
		out = append(out, x)
	}
	return out
}

// PolicyExceptions are the exceptions of a configuration that Validate has found right.
func (d Detect) PolicyExceptions() []policy.Exception { return d.exceptions(func(string, ...any) {}) }

// Warnings are what is right to write and does nothing, at a time.
func (c Config) Warnings(now time.Time) []string {
	var out []string
	for i, e := range c.Detect.PolicyExceptions() {
		if now.UnixNano() >= e.Expires {
			out = append(out, fmt.Sprintf("detect.exceptions[%d].expires: %q holds no more since %s; renew it or take it out", i, e.Name, e.ExpiresAt().Format(time.RFC3339)))
		}
	}
	return out
}
