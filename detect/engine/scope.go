package engine

import (
	"context"
	"fmt"
	"math/bits"
	"strings"
	"time"

	"flyball/detect/feature"
	"flyball/detect/model/scope"
	"flyball/detect/policy"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// outside is what is known of a run's scope, once there is anything to know.
type outside struct {
	finding
	declared string // type of the declared task
	targets  bool   // it has declared targets

	writes, sends, reads uint64 // calls outside: of routes, of targets, reads
	irreversible         uint64
	first                schema.CallRef
	firstAt              int64
	route                string // of the first
	answer               scope.Assessment
}

func (o *outside) held() uint64 { return o.writes + o.sends }

// declaredType of the run's task; empty where none was declared.
func (o *outside) declaredType() string {
	if o == nil {
		return ""
	}
	return o.declared
}

func (o *outside) task() *schema.Task {
	if o == nil || o.declared == "" && !o.targets {
		return nil
	}
	t := &schema.Task{Type: o.declared}
	if o.targets {
		t.Targets = []string{"*"}
	}
	return t
}

// asked takes in what the check side knew of a run's task.
func asked(r *stitch.Run, c *schema.Call) {
	kind, targets := c.Attr(schema.AttrTaskType), c.Attr(schema.AttrTaskTargets) != ""
	if kind == "" && !targets {
		return
	}
	run, _ := r.Attached.(*judged)
	if run == nil {
		run = &judged{}
		r.Attached = run
	}
	if run.outside == nil {
		run.outside = &outside{}
	}
	run.outside.declared, run.outside.targets = strings.Clone(kind), targets
}

// scoped judges a call by the learned scope of who makes it. A write outside opens
// the run's finding of that family; a read outside is noted in it where there is one.
func (w *worker) scoped(ctx context.Context, r *stitch.Run, run *judged, c *schema.Call, at schema.CallRef) error {
	j := &w.judging
	if j.guard == nil {
		return nil
	}
	scope.FromCall(c, &j.call, &j.scoped)
	a := j.guard.Assess(scope.Query{Agent: run.Reference.Agent, Group: run.Reference.Group, Declared: run.outside.task(), Logged: c.TaskID, Trust: c.TaskTrust, Access: &j.scoped})
	switch {
	case a.Placement == scope.Abstain && j.scoped.Write:
		w.m.scopeAbstained.WithLabelValues(a.Why).Inc()
		return nil
	case a.Placement == scope.ReadOutside && run.outside != nil:
		run.outside.reads++
		return nil
	case !a.Placement.NeedsApproval():
		return nil
	}
	w.m.scopeHolds.WithLabelValues(a.Placement.RuleName(), a.Source).Inc()
	o := run.outside
	if o == nil {
		o = &outside{}
		run.outside = o
	}
	if o.held() == 0 {
		o.first, o.firstAt, o.route, o.answer = at, c.Start, strings.TrimSpace(feature.RouteName(c.Method, c.RouteKey, c.Operation)), a
	}
	if a.Placement == scope.WriteOutside {
		o.writes++
	} else {
		o.sends++
	}
	if c.Reversibility == schema.Irreversible {
		o.irreversible++
	}
	if again := o.closed; !again && bits.OnesCount64(o.held()) != 1 {
		return nil // told at the first and at every doubling
	}
	due := o.DecisionDue(&j.rules, schema.LevelAlert, policy.Subject{Agent: r.AgentID, Trust: r.AgentTrust, Family: schema.FamilyScope}, c, true)
	if o.Level == schema.LevelNone {
		o.openedAt = c.Start
	}
	o.Level, o.closed = schema.LevelAlert, false
	out := w.describeScope(r, o, c, at)
	if due {
		in := policy.Input{Finding: out, Run: &r.RunSnapshot, Call: c, Age: w.cfg.Now().Sub(time.Unix(0, c.Start))}
		in.Tags, in.Criticality = w.cfg.About(r.AgentID)
		if d, ok := o.Decide(j.rules, in); ok {
			out.Decision = &d
		}
		w.except(out, &o.finding)
	}
	return w.tell(ctx, r, out)
}

func (w *worker) describeScope(r *stitch.Run, o *outside, c *schema.Call, at schema.CallRef) *schema.Finding {
	out := w.findingOf(r, schema.FamilyScope, &o.finding, c, at)
	out.OnsetAt, out.DelayCalls = o.firstAt, 1
	out.Exposure = schema.Exposure{Calls: o.held(), Irreversible: o.irreversible}
	place := []string{o.first.String()}
	out.Evidence = append(out.Evidence, schema.Contribution{Feature: "scope." + o.answer.Placement.String() + " " + o.route, Observed: schema.OptionalFloat(o.held()), Usual: 0, Peers: schema.Unknown, Humans: schema.Unknown, Score: schema.Unknown, Calls: place},
		schema.Contribution{Feature: "scope.taught_by " + o.answer.Source, Observed: schema.OptionalFloat(o.answer.Runs), Usual: schema.Unknown, Peers: schema.Unknown, Humans: schema.Unknown, Score: schema.Unknown})
	if o.reads > 0 {
		out.Evidence = append(out.Evidence, schema.Contribution{Feature: "scope.read_outside", Observed: schema.OptionalFloat(o.reads), Usual: 0, Peers: schema.Unknown, Humans: schema.Unknown, Score: schema.Unknown})
	}
	what := "writes on a route"
	if o.answer.Placement == scope.TargetOutside {
		what = "writes to a target"
	}
	out.Summary = fmt.Sprintf("%s %s that none of %d %s has used: %s, %d calls so far; each would have been held", nameOf(r), what, o.answer.Runs, strings.ReplaceAll(o.answer.Source, "_", " "), o.route, o.held())
	return out
}

// closeScope closes what a run that is over had outside its scope.
func (w *worker) closeScope(ctx context.Context, r *stitch.Run, run *judged, at schema.CallRef) error {
	o := run.outside
	if o == nil || o.Level == schema.LevelNone || o.closed {
		return nil
	}
	o.closed = true
	return w.tell(ctx, r, w.describeScope(r, o, &schema.Call{Start: r.LastAt}, at))
}

func (r *judged) codeOutside(c *wire.Coder) {
	there := r.outside != nil
	c.Bool(&there)
	if !there {
		return
	}
	if r.outside == nil {
		r.outside = &outside{}
	}
	o := r.outside
	o.finding.code(c)
	c.Text(&o.declared)
	c.Bool(&o.targets)
	for _, n := range []*uint64{&o.writes, &o.sends, &o.reads, &o.irreversible} {
		c.Uint(n)
	}
	codeRef(c, &o.first)
	c.Int(&o.firstAt)
	c.Text(&o.route)
	wire.Small(c, &o.answer.Placement)
	c.Text(&o.answer.Source)
	wire.Num(c, &o.answer.Runs)
	if !c.Encoding {
		o.declared, o.route, o.answer.Source = strings.Clone(o.declared), strings.Clone(o.route), strings.Clone(o.answer.Source)
		if o.answer.Placement > scope.WriteOutside {
			c.Refuse("a place outside every scope")
		}
	}
}
