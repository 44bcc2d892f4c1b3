package engine

import (
	"strings"

	"flyball/detect/policy"
	"flyball/schema"
	"flyball/schema/wire"
)

// except says in a finding which exception covers it now, if one does.
func (w *worker) except(out *schema.Finding, have *finding) {
	if out.Exception = have.Exception; have.Exception != "" {
		w.m.decisions.WithLabelValues("none", policy.WhyException).Inc()
	}
}

// codeException writes or reads the name of the exception that covers a finding.
func (f *finding) codeException(c *wire.Coder) {
	if c.Version < 5 {
		return // there were none
	}
	c.Text(&f.Exception)
	if !c.Encoding {
		f.Exception = strings.Clone(f.Exception)
	}
}
