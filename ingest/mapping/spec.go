package mapping

import (
	"errors"
	"fmt"
	"strings"

	"flyball/schema/document"

	"github.com/goccy/go-yaml"
)

// Spec is a mapping before it is compiled, as in its YAML file.
type Spec struct {
	Version int    `yaml:"version"` // of the mapping format: 1
	Name    string `yaml:"name"`    // the name in a topic's format setting
	Title   string `yaml:"title"`   // for people
	// Observer is the kind of the observer that writes these records: gateway, sidecar, server, tool_server, agent_runtime, client or audit;
	// empty is gateway.
	Observer string `yaml:"observer"`
	// Recognise is a list of sets of members. A JSON object has this format if all members of one set are present. "name=text" and
	// "name^=prefix" also compare the value.
	Recognise [][]string `yaml:"recognise"`
	// Line is the pattern (RE2) of a line of text. Its named groups are the members.
	Line string `yaml:"line"`
	// Logfmt is the name of the group that contains k=v pairs. The pairs become members too.
	Logfmt string `yaml:"logfmt"`
	// Unwrap contains paths of members. The first one that exists contains the record itself.
	Unwrap []string `yaml:"unwrap"`
	// When contains conditions. A record that does not match all of them is not a call of this format.
	When []Condition `yaml:"when"`
	// Ignore contains conditions. A record that matches one of them gives neither a call nor a dead letter.
	Ignore []Condition `yaml:"ignore"`
	// Headers are the places of request headers: objects and lists of {name, value} by path, members by "prefix*".
	Headers []string `yaml:"headers"`
	// Members sets how members that no line names are read. "known" reads them under the names that gateways share (x_consumer, jwt_sub,
	// http_x_agent_id …), for records whose names the operator chooses. Empty ignores them.
	Members string `yaml:"members"`
	// Attrs are the paths of members that are kept as attributes; "*" means all remaining members.
	Attrs []string `yaml:"attrs"`
	// Set maps a field to its source: a path, several paths of which the first with a value is used, or paths with functions.
	Set map[string]Line `yaml:"set"`
	// Drop are members that do not describe the call, for mappings that keep or read the remaining members.
	Drop []string `yaml:"drop"`
	// Like is the name of a preset whose lines are used for fields that this mapping does not set.
	Like string `yaml:"like"`
}

// Condition is a condition on one member.
type Condition struct {
	Field  string   `yaml:"field"`
	In     []string `yaml:"in"`
	NotIn  []string `yaml:"not_in"`
	Prefix string   `yaml:"prefix"`
}

// Line lists the sources of a field. The first source with a value is used.
type Line []Expr

// UnmarshalYAML reads a path, a map, or a list of these.
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

// Expr describes one source of a field's text. The functions are applied in the order of these members.
type Expr struct {
	From     []string `yaml:"from"`     // paths; the first with a value is used
	Template string   `yaml:"template"` // "{apiId}/{stage}"; empty if a part is empty
	Value    string   `yaml:"value"`    // a constant

	List    string    `yaml:"list"`    // first, last, sum or count of a list, also one written "a, b : c"
	Split   []any     `yaml:"split"`   // [separator, index]; a negative index counts from the end
	Regex   string    `yaml:"regex"`   // its first group, or the match
	Replace []string  `yaml:"replace"` // [pattern, text with $1]
	Trim    string    `yaml:"trim"`    // characters removed from both ends
	Lower   bool      `yaml:"lower"`
	Word    bool      `yaml:"strip_prefix_word"` // removes the first word: "GET /orders" becomes /orders
	Func    string    `yaml:"fn"`                // xray, traceparent_trace, traceparent_span, baggage:KEY, uri_host, percent, percent_plus
	JWT     string    `yaml:"jwt"`               // a claim of a logged token; used only if tokens are believed
	Not     []string  `yaml:"not"`               // texts that mean that there is no value
	Map     stringMap `yaml:"map"`               // replaces a text by another; "*" is the entry for all other texts

	// formats: rfc3339, clf, epoch_s, epoch_ms, epoch_us, epoch_ns, haproxy, gin, sql; empty: any known format
	Time  []string `yaml:"time"`
	Unit  string   `yaml:"unit"`  // of a duration: s, ms, us, ns; go ("3ms"), pb ("0.038s")
	Basis string   `yaml:"basis"` // of a time: start, end, log
	Kind  string   `yaml:"kind"`  // of a credential
	HMAC  bool     `yaml:"hmac"`  // the text is a secret: its keyed hash is the id
	// Asserted means that the value is a claim of the caller, independent of its name. Values in request headers are always claims.
	Asserted bool `yaml:"asserted"`
}

// stringMap is a YAML map whose values may be numbers.
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

// UnmarshalYAML reads a path or a map of the members.
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
	// A single path, time format or text may be written without a list.
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

// parse reads a mapping file. Unknown keys are errors. base returns the mapping that Like names. Errors name the file, key, value and
// rule.
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

// inherit copies the settings of b that s does not set, except those that recognise and split a record.
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
