package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"flyball/ingest/fields"
	"flyball/schema"
	"flyball/schema/document"
)

// fault returns an error that begins with the key at which a mapping is wrong.
func fault(key string, format string, args ...any) error {
	return fmt.Errorf("%s: "+format, append([]any{key}, args...)...)
}

func (s *Spec) compile() (*Program, error) {
	if s.Version != 1 {
		return nil, fault("version", "%d is not 1, the version of this format", s.Version)
	}
	if !plainName(s.Name) {
		return nil, fault("name", "%q: needs lower-case letters, digits and _", s.Name)
	}
	p := &Program{Name: s.Name, Format: s.Name + "/1", Title: s.Title, Observer: schema.ObserverGateway, logfmt: -1}
	if s.Observer != "" {
		o, ok := observers[s.Observer]
		if !ok {
			return nil, fault("observer", "%q is none of gateway, sidecar, server, tool_server, agent_runtime, client, audit", s.Observer)
		}
		p.Observer = o
	}
	c := compiler{spec: s, p: p}
	for _, step := range []func() error{c.compileLine, c.compileShapes, c.compileHeaders, c.compileSet, c.compileConditions,
		c.compileAttributes} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// compiler makes a Program of a mapping, one part of it at a time.
type compiler struct {
	spec *Spec
	p    *Program
}

var observers = map[string]schema.ObserverKind{
	"gateway":       schema.ObserverGateway,
	"sidecar":       schema.ObserverSidecar,
	"server":        schema.ObserverServer,
	"tool_server":   schema.ObserverToolServer,
	"agent_runtime": schema.ObserverAgentRuntime,
	"client":        schema.ObserverClient,
	"audit":         schema.ObserverAudit,
}

func plainName(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= 40
}

// slotOf returns the slot of a path and creates it if necessary. headers are the paths under which the caller's claims stand.
func (c *compiler) slotOf(path string, headers []string) (int, error) {
	p := c.p
	for i := range p.slots {
		if p.slots[i].path == path {
			return i, nil
		}
	}
	if len(p.slots) >= 255 {
		return 0, errors.New("more than 255 paths")
	}
	i := len(p.slots)
	p.slots = append(p.slots, slot{path: path, asserted: isCallerClaim(path, headers)})
	return i, p.root.reach(path, func(end *node, rank uint8) {
		end.slots = append(end.slots, place{i, rank})
	})
}

// isCallerClaim reports whether a path leads into request headers. Such a value is a claim of the caller, also if the mapping gives it
// another name.
func isCallerClaim(path string, headers []string) bool {
	low := fields.Canonical([]byte(path))
	for _, h := range headers {
		h = fields.Canonical([]byte(h))
		if prefix, ok := strings.CutSuffix(h, "*"); ok && strings.HasPrefix(low, prefix) || strings.HasPrefix(low, h+".") {
			return true
		}
	}
	for _, h := range []string{"headers.", "request_headers.", "requestheaders.", "requester_custom_headers."} {
		if strings.HasPrefix(low, h) || strings.Contains(low, "."+h) {
			return !strings.HasPrefix(low, "response")
		}
	}
	return strings.HasPrefix(low, "http_x_") || strings.HasPrefix(low, "request_header_")
}

func (c *compiler) compileSet() error {
	s := c.spec
	if len(s.Set) == 0 {
		return fault("set", "says nothing: a mapping needs at least start_time and status or method")
	}
	byField := map[Field]string{}
	for name := range s.Set {
		f, ok := fieldOf(name)
		if !ok {
			return fault("set."+name, "is no field of a call; did you mean %s?", document.Nearest(name, FieldNames()))
		}
		byField[f] = name
	}
	for f := range fieldCount {
		name, ok := byField[f]
		if !ok {
			continue
		}
		a := assignment{field: f}
		for i := range s.Set[name] {
			r, err := c.rule(f, &s.Set[name][i])
			if err != nil {
				return fmt.Errorf("set.%s: %w", name, err)
			}
			a.rules = append(a.rules, *r)
		}
		c.p.assignments = append(c.p.assignments, a)
	}
	for i, path := range s.Unwrap {
		at, err := c.slotOf(path, nil)
		if err != nil {
			return fault(fmt.Sprintf("unwrap[%d]", i), "%w", err)
		}
		c.p.unwrap = append(c.p.unwrap, at)
	}
	return nil
}

func (c *compiler) rule(f Field, e *Expr) (*rule, error) {
	r := &rule{constant: e.Value}
	ways := 0
	for _, set := range []bool{len(e.From) > 0, e.Template != "", e.Value != ""} {
		if set {
			ways++
		}
	}
	if ways != 1 {
		return nil, errors.New("needs exactly one of from, template and value")
	}
	for _, path := range e.From {
		i, err := c.slotOf(path, c.spec.Headers)
		if err != nil {
			return nil, err
		}
		r.from = append(r.from, i)
	}
	if e.Template != "" {
		if err := c.compileTemplate(r, e.Template); err != nil {
			return nil, err
		}
	}
	if err := r.options(f, e); err != nil {
		return nil, err
	}
	var err error
	r.list, r.funcs, err = e.functions(f)
	r.with.Sum, r.with.Asserted = r.list == "sum", e.Asserted
	r.secret = e.HMAC || f == Token
	r.asserted = r.with
	r.asserted.Asserted = true
	return r, err
}

// options compiles how the text of a field is read: its unit, its time format and its kind.
func (r *rule) options(f Field, e *Expr) error {
	for _, compile := range []func(Field, *Expr) error{r.unitOption, r.timeOptions, r.kindOptions} {
		if err := compile(f, e); err != nil {
			return err
		}
	}
	return nil
}

func isDuration(f Field) bool { return f == Duration || f == UpstreamNs }

func (r *rule) unitOption(f Field, e *Expr) error {
	if e.Unit == "" {
		if isDuration(f) {
			return fault("unit", "is missing: s, ms, us, ns, go (\"3ms\") or pb (\"0.038s\"); it is never guessed")
		}
		return nil
	}
	unit, ok := units[e.Unit]
	if !ok {
		return fault("unit", "%q is none of s, ms, us, ns, go, pb", e.Unit)
	}
	if !isDuration(f) {
		return fault("unit", "%q: only a duration has one", e.Unit)
	}
	r.with.Unit = unit
	return nil
}

func (r *rule) timeOptions(f Field, e *Expr) error {
	for _, t := range e.Time {
		if !slices.Contains(timeForms, t) {
			return fault("time", "%q is none of %s", t, strings.Join(timeForms, ", "))
		}
	}
	if len(e.Time) > 0 {
		r.with.Epoch = epochs[e.Time[0]]
	}
	if (len(e.Time) > 0 || e.Basis != "") && f != StartTime && f != EndTime {
		return fault("time", "only start_time and end_time have a form and a basis")
	}
	if e.Basis != "" && !slices.Contains(bases, e.Basis) {
		return fault("basis", "%q is none of %s", e.Basis, strings.Join(bases, ", "))
	}
	r.with.Basis = e.Basis
	return nil
}

func (r *rule) kindOptions(f Field, e *Expr) error {
	if e.Kind != "" && (f != Credential || !slices.Contains(kinds, e.Kind)) {
		return fault("kind", "%q: of credential_id only, one of %s", e.Kind, strings.Join(kinds[:len(kinds)-1], ", "))
	}
	if e.HMAC && f != Credential {
		return fault("hmac", "of credential_id only: nothing else may be a secret")
	}
	r.with.Kind = e.Kind
	if e.HMAC {
		r.with.Kind = "hmac"
	}
	return nil
}

func (c *compiler) compileTemplate(r *rule, text string) error {
	for text != "" {
		before, rest, open := strings.Cut(text, "{")
		if before != "" {
			r.template = append(r.template, part{before, -1})
		}
		if !open {
			return nil
		}
		path, after, closed := strings.Cut(rest, "}")
		if !closed {
			return fault("template", "%q: a brace is not closed", text)
		}
		i, err := c.slotOf(path, c.spec.Headers)
		if err != nil {
			return err
		}
		r.template = append(r.template, part{"", i})
		text = after
	}
	return nil
}
