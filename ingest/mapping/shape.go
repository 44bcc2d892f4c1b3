package mapping

import (
	"flyball/ingest/fields"
	"fmt"
	"slices"
	"strings"
)

func (c *compiler) compileLine() error {
	s, p := c.spec, c.p
	if s.Line == "" {
		if s.Logfmt != "" {
			return fault("logfmt", "%q: names a group of line, which is not set", s.Logfmt)
		}
		return nil
	}
	re, err := compilePattern(s.Line)
	if err != nil {
		return fault("line", "%w", err)
	}
	if !strings.HasPrefix(s.Line, "^") || !strings.HasSuffix(s.Line, "$") {
		return fault("line", "must match the whole line: begin it with ^ and end it with $")
	}
	p.pattern, p.groups = re, re.re.SubexpNames()
	for i, name := range p.groups {
		p.groups[i] = fields.Canonical([]byte(name))
	}
	if s.Logfmt != "" {
		if p.logfmt = slices.Index(p.groups, fields.Canonical([]byte(s.Logfmt))); p.logfmt < 0 {
			return fault("logfmt", "line has no group %q", s.Logfmt)
		}
	}
	return nil
}

func (c *compiler) compileShapes() error {
	s, p := c.spec, c.p
	for i, set := range s.Recognise {
		if len(set) == 0 {
			return fault(fmt.Sprintf("recognise[%d]", i), "an empty set would recognise everything")
		}
		var signs []sign
		for _, text := range set {
			g := sign{}
			if k, v, ok := strings.Cut(text, "^="); ok {
				g.key, g.prefix = k, v
			} else if k, v, ok := strings.Cut(text, "="); ok {
				g.key, g.is = k, v
			} else {
				g.key = text
			}
			g.key = fields.Canonical([]byte(g.key))
			signs = append(signs, g)
		}
		p.shapes = append(p.shapes, signs)
	}
	return nil
}

func (c *compiler) compileHeaders() error {
	s, p := c.spec, c.p
	for _, h := range s.Headers {
		if prefix, ok := strings.CutSuffix(h, "*"); ok {
			p.prefixes = append(p.prefixes, fields.Canonical([]byte(prefix)))
			continue
		}
		if err := p.root.reach(h, func(end *node, _ uint8) { end.headers = true }); err != nil {
			return fault("headers", "%w", err)
		}
	}
	return nil
}

func (c *compiler) compileConditions() error {
	s, p := c.spec, c.p
	compile := func(key string, list []Condition) (out []test, err error) {
		for i, cond := range list {
			at := fmt.Sprintf("%s[%d]", key, i)
			if cond.Field == "" || len(cond.In) == 0 && len(cond.NotIn) == 0 && cond.Prefix == "" {
				return nil, fault(at, "needs field, and in, not_in or prefix")
			}
			n, err := c.slotOf(cond.Field, nil)
			if err != nil {
				return nil, fault(at, "%w", err)
			}
			out = append(out, test{n, cond.In, cond.NotIn, cond.Prefix})
		}
		return out, nil
	}
	var err error
	if p.when, err = compile("when", s.When); err != nil {
		return err
	}
	p.ignore, err = compile("ignore", s.Ignore)
	return err
}

func (c *compiler) compileAttributes() error {
	s, p := c.spec, c.p
	switch s.Members {
	case "", "known":
	default:
		return fault("members", "%q is not known, the one word that may stand here", s.Members)
	}
	p.known = s.Members == "known"
	for i, path := range s.Drop {
		if err := p.root.reach(path, func(*node, uint8) {}); err != nil {
			return fault(fmt.Sprintf("drop[%d]", i), "%w", err)
		}
	}
	for i, path := range s.Attrs {
		if path == "*" {
			p.rest = true
			continue
		}
		name := strings.ReplaceAll(path, `\.`, ".")
		if err := p.root.reach(path, func(end *node, _ uint8) { end.attr = name }); err != nil {
			return fault(fmt.Sprintf("attrs[%d]", i), "%w", err)
		}
	}
	return nil
}
