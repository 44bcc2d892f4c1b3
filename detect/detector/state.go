package detector

import (
	"strings"

	"flyball/detect/model/baseline"
	"flyball/detect/score"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// RunState is what is kept of a run: its score, and the states of the detectors that have
// found something to keep.
type RunState struct {
	score.RunScore

	// As whom the run is compared: the name, its trust and the kind of caller.
	agent string
	trust schema.Trust
	kind  schema.CallerKind

	writtenScore float64       // of the last row in scores
	declared     *declaredTask // nil: none
	states       []keptState
	set          *Set
}

// declaredTask is the part of a run's declared task that is kept.
type declaredTask struct {
	taskType string
	targets  bool // it has declared targets
}

// recordDeclaredTask keeps the declared task that the check noted in its row of a call.
func (s *Set) recordDeclaredTask(r *stitch.Run, c *schema.Call) {
	taskType, targets := c.Attr(schema.AttrTaskType), c.Attr(schema.AttrTaskTargets) != ""
	if taskType != "" || targets {
		s.runState(r).declared = &declaredTask{strings.Clone(taskType), targets}
	}
}

// declaredType is the type of the run's declared task; empty: none was declared.
func (r *RunState) declaredType() string {
	if r.declared == nil {
		return ""
	}
	return r.declared.taskType
}

// DeclaredTask is the run's declared task, as far as it is known; nil: none was declared.
// Of its targets it is known only that there are some.
func (r *RunState) DeclaredTask() *schema.Task {
	if r.declared == nil || *r.declared == (declaredTask{}) {
		return nil
	}
	t := &schema.Task{Type: r.declared.taskType}
	if r.declared.targets {
		t.Targets = []string{"*"}
	}
	return t
}

// comparedAs is whom the run is compared as, without its task. It is looked up again when the
// caller's name, version, trust or kind has changed.
func (r *RunState) comparedAs(run *stitch.Run) score.Reference {
	if r.agent == run.AgentID && r.Reference.Version == run.AgentVersion && r.trust == run.AgentTrust && r.kind == run.CallerKind &&
		r.Reference.Group != "" {
		return r.Reference
	}
	r.agent, r.trust, r.kind = run.AgentID, run.AgentTrust, run.CallerKind
	return score.Reference{Agent: baseline.AgentKey(run.AgentID, run.AgentTrust),
		Group: baseline.PeerGroup(run.AgentID, run.CallerKind), Version: run.AgentVersion}
}

// Code implements stitch.Attachment.
func (r *RunState) Code(c *wire.Coder) {
	r.RunScore.Code(c)
	c.Float(&r.writtenScore)
	if c.Version < FirstStateVersion {
		r.codeBeforeSections(c)
		return
	}
	r.codeDeclared(c)
	r.set.codeSections(c, &r.states, func(d *Description) func() State { return d.NewRunState })
}

func (r *RunState) codeDeclared(c *wire.Coder) {
	has := r.declared != nil
	c.Bool(&has)
	if !has {
		return
	}
	if r.declared == nil {
		r.declared = &declaredTask{}
	}
	c.Text(&r.declared.taskType)
	c.Bool(&r.declared.targets)
	if !c.Encoding {
		r.declared.taskType = strings.Clone(r.declared.taskType)
	}
}

// actorState is what the detectors keep of an actor, over all its runs.
type actorState struct {
	states []keptState
	set    *Set
}

// Code implements stitch.Attachment.
func (a *actorState) Code(c *wire.Coder) {
	if c.Version < FirstStateVersion {
		a.codeBeforeSections(c)
		return
	}
	a.set.codeSections(c, &a.states, func(d *Description) func() State { return d.NewActorState })
}
