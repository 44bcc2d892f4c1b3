package detector

import (
	"strings"

	"flyball/detect/policy"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// Progress is the state of one finding of a run, with the decisions on it.
type Progress struct {
	policy.FindingProgress
	Reported float64 // score of the last version that was published
	OpenedAt int64   // event time of the call that opened the finding, Unix ns; 0: it was never opened
	Closed   bool
}

// opened reports whether the finding was ever opened.
func (p *Progress) opened() bool { return p.OpenedAt > 0 }

// Open reports whether the finding has reached a level and is not closed.
func (p *Progress) Open() bool { return p.Level > schema.LevelNone && !p.Closed }

// Code encodes or decodes the progress.
func (p *Progress) Code(c *wire.Coder) {
	wire.Small(c, &p.Level)
	c.Float(&p.Reported)
	c.Int(&p.OpenedAt)
	c.Bool(&p.Closed)
	wire.Num(c, &p.Decisions)
	c.Int(&p.DecidedAt)
	if c.Version < 5 {
		return // there were no exceptions
	}
	c.Text(&p.Exception)
	if !c.Encoding {
		p.Exception = strings.Clone(p.Exception)
	}
}

// agentName returns the run's agent as a summary names it.
func agentName(r *stitch.Run) string {
	if r.AgentID == "" {
		return "an unnamed caller"
	}
	return r.AgentID
}

// unmeasured returns evidence with only an observed and a usual value.
func unmeasured(feature string, observed, usual schema.OptionalFloat) schema.Contribution {
	return schema.Contribution{Feature: feature, Observed: observed, Usual: usual, Peers: schema.Unknown, Humans: schema.Unknown,
		Score: schema.Unknown}
}
