package mapping

import (
	"errors"
	"fmt"
	"strings"

	"flyball/schema/document"

	"github.com/goccy/go-yaml"
)

// Spec is a mapping as it is written.
type Spec struct {
	Version int    `yaml:"version"` // of this format: 1
	Name    string `yaml:"name"`    // by which a topic's format names it
	Title   string `yaml:"title"`   // for people
	// Observer that writes these records: gateway, sidecar, server, agent_runtime, audit; empty is gateway.
	Observer string `yaml:"observer"`
	// Recognise: any of these sets of members, all present, recognises the format of a
	// JSON object. "name=text" and "name^=prefix" ask for a value.
	Recognise [][]string `yaml:"recognise"`
	// Line is the pattern (RE2) of a line of text; its named groups are the members.
	Line string `yaml:"line"`
	// Logfmt names the group that holds k=v pairs, which become members too.
	Logfmt string `yaml:"logfmt"`
	// Unwrap: paths of members of which the first that is there holds the record itself.
	Unwrap []string `yaml:"unwrap"`
	// When: a record that does not match all of these is no call of this format.
	When []Condition `yaml:"when"`
	// Ignore: nothing at all comes of a record that matches any of these.
	Ignore []Condition `yaml:"ignore"`
	// Headers are where request headers are: objects by path, members by "prefix*".
	Headers []string `yaml:"headers"`
	// Members that no line names: "known" reads them under the names that gateways
	// share (x_consumer, jwt_sub, http_x_agent_id …), for records whose names the
	// operator chooses; empty leaves them.
	Members string `yaml:"members"`
	// Attrs are the members that are kept besides, by path; "*" is all that are left.
	Attrs []string `yaml:"attrs"`
	// Set are the fields: a path, paths of which the first that says something
	// counts, or paths with functions.
	Set map[string]Line `yaml:"set"`
	// Drop are members that say nothing of the call, where the rest is kept or read.
	Drop []string `yaml:"drop"`
	// Like names a preset whose lines stand where this mapping has none of its own.
	Like string `yaml:"like"`
}

// Condition on one member.
type Condition struct {
	Field  string   `yaml:"field"`
	In     []string `yaml:"in"`
	NotIn  []string `yaml:"not_in"`
	Prefix string   `yaml:"prefix"`
}

// Line says where a field comes from: the first way that says something counts.
type Line []Expr

// UnmarshalYAML reads a path, a map, or a list of either.
func (l *Line) UnmarshalYAML(read func(any) error) error {
	var list []Expr
	if err := read(&list); err == nil {
		*l = list
		return nil
	} else if isList(read) {
		return err
	}
	var one Expr
	if err := read(&one); err != nil {
		return err
	}
	*l = Line{one}
	return nil
}

func isList(read func(any) error) bool {
	var any []any
	return read(&any) == nil
}

// Expr says where a field's text comes from. The functions apply in the order
// in which they stand here.
type Expr struct {
	From     []string `yaml:"from"`     // paths; the first that says something counts
	Template string   `yaml:"template"` // "{apiId}/{stage}"; empty when a part is
	Value    string   `yaml:"value"`    // a constant

	List    string    `yaml:"list"`    // first, last, sum, count of a list, also one written "a, b : c"
	Split   []any     `yaml:"split"`   // [separator, index]; a negative index counts from the end
	Regex   string    `yaml:"regex"`   // its first group, or the match
	Replace []string  `yaml:"replace"` // [pattern, text with $1]
	Trim    string    `yaml:"trim"`    // characters off both ends
	Lower   bool      `yaml:"lower"`
	Word    bool      `yaml:"strip_prefix_word"` // "GET /orders" is /orders
	Func    string    `yaml:"fn"`                // xray, traceparent_trace, traceparent_span, baggage:KEY, uri_host
	JWT     string    `yaml:"jwt"`               // a claim of a token that was logged: read only where tokens are believed
	Not     []string  `yaml:"not"`               // texts that say nothing
	Map     stringMap `yaml:"map"`               // text to text; "*" is any other

	// forms: rfc3339, clf, epoch_s, epoch_ms, epoch_us, epoch_ns, haproxy, gin, sql; empty: any form that is recognised
	Time  []string `yaml:"time"`
	Unit  string   `yaml:"unit"`  // of a duration: s, ms, us, ns; go ("3ms"), pb ("0.038s")
	Basis string   `yaml:"basis"` // of a time: start, end, log
	Kind  string   `yaml:"kind"`  // of a credential
	HMAC  bool     `yaml:"hmac"`  // the text is the secret itself: its keyed hash is the id
	// Asserted: the caller claims it, under whatever name it was logged. What lies
	// in request headers is asserted anyway.
	Asserted bool `yaml:"asserted"`
}

// stringMap reads a YAML map whose values may be numbers.
type stringMap map[string]string

// UnmarshalYAML reads keys and values as text.
func (m *stringMap) UnmarshalYAML(read func(any) error) error {
	var raw map[string]any
	if err := read(&raw); err != nil {
		return err
	}
	*m = stringMap{}
	for k, v := range raw {
		(*m)[k] = fmt.Sprint(v)
	}
	return nil
}

// UnmarshalYAML reads a path, or the whole form.
func (e *Expr) UnmarshalYAML(read func(any) error) error {
	var path string
	if read(&path) == nil {
		*e = Expr{From: []string{path}}
		return nil
	}
	var loose map[string]any
	if err := read(&loose); err != nil {
		return errors.New("a path, a map with from, template or value, or a list of either")
	}
	// One path, or one form of time, may stand without a list around it.
	for _, k := range []string{"from", "time", "not"} {
		if v, ok := loose[k]; ok {
			if _, list := v.([]any); !list {
				loose[k] = []any{v}
			}
		}
	}
	text, err := yaml.Marshal(loose)
	if err != nil {
		return err
	}
	type plain Expr
	if err := yaml.UnmarshalWithOptions(text, (*plain)(e), yaml.Strict()); err != nil {
		return errors.New(firstLine(err.Error()))
	}
	return nil
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return s
}

// parse reads a mapping file; unknown keys are refused. Base finds the mapping
// that another one is like. Errors name file, key, value and rule.
func parse(file string, text []byte, base func(name string) (*Spec, bool)) (*Program, *Spec, error) {
	s := &Spec{}
	if err := document.Read(text, s); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	if s.Like != "" {
		b, ok := base(s.Like)
		if !ok {
			return nil, nil, fmt.Errorf("%s: like: %q is no preset", file, s.Like)
		}
		s.inherit(b)
	}
	p, err := s.compile()
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", file, err)
	}
	return p, s, nil
}

// inherit takes over what a mapping does not say itself, but for how a record
// is recognised and read.
func (s *Spec) inherit(b *Spec) {
	if s.Set == nil {
		s.Set = map[string]Line{}
	}
	for k, v := range b.Set {
		if _, ok := s.Set[k]; !ok {
			s.Set[k] = v
		}
	}
	if s.Observer == "" {
		s.Observer = b.Observer
	}
	if s.Members == "" {
		s.Members = b.Members
	}
	s.Headers = append(s.Headers, b.Headers...)
	s.Attrs = append(s.Attrs, b.Attrs...)
	s.Drop = append(s.Drop, b.Drop...)
}
