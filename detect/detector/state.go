package detector

import (
	"strings"

	"flyball/detect/model/baseline"
	"flyball/detect/model/scope"
	"flyball/detect/score"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// RunState is the state of a run: its score, and the states of the detectors that have stored
// something.
type RunState struct {
	score.RunScore

	// What the run is compared as: the agent's name, its trust and the kind of caller.
	agent string
	trust schema.Trust
	kind  schema.CallerKind

	writtenScore float64       // of the last row in scores
	declared     *declaredTask // nil: none
	states       []keptState
	set          *Set
}

// declaredTask is the stored part of a run's declared task.
type declaredTask struct {
	taskType string
	targets  bool // the task has declared targets
}

// recordDeclaredTask stores the declared task that the check wrote in its row of a call.
func (s *Set) recordDeclaredTask(r *stitch.Run, c *schema.Call) {
	taskType, targets := c.Attr(schema.AttrTaskType), c.Attr(schema.AttrTaskTargets) != ""
	if taskType != "" || targets {
		s.runState(r).declared = &declaredTask{strings.Clone(taskType), targets}
	}
}

// declaredType returns the type of the run's declared task; empty: none was declared.
func (r *RunState) declaredType() string {
	if r.declared == nil {
		return ""
	}
	return r.declared.taskType
}

// DeclaredTask returns the known part of the run's declared task; nil: none was declared. If there
// are targets, it contains only "*".
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

// comparedAs returns what the run is compared as, without its task. It is computed again when the
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

// reference returns what the run is compared as.
func (r *RunState) reference(run *stitch.Run) score.Reference {
	who := r.comparedAs(run)
	who.Task = scope.TrustedTaskType(r.declaredType(), run.TaskID, run.TaskTrust)
	return who
}

// Code implements stitch.Attachment.
func (r *RunState) Code(c *wire.Coder) {
	r.RunScore.Code(c)
	c.Float(&r.writtenScore)
	if c.Version >= claimVersion {
		r.codeClaim(c)
	}
	if c.Version < FirstStateVersion {
		r.codeBeforeSections(c)
		return
	}
	r.codeDeclared(c)
	r.set.codeSections(c, &r.states, func(d *Description) func() State { return d.NewRunState })
}

// Reset implements stitch.Reusable.
func (r *RunState) Reset() {
	clear(r.states)
	r.states, r.declared = r.states[:0], nil
}

// claimVersion is the version of stored state from which the name that the run's caller claimed is stored.
const claimVersion = 11

// codeClaim encodes or decodes what the detector of identities compares the next call with: the name, if it is only claimed.
func (r *RunState) codeClaim(c *wire.Coder) {
	wire.Small(c, &r.trust)
	if r.trust != schema.TrustAsserted {
		return
	}
	c.Text(&r.agent)
	if !c.Encoding {
		r.agent = strings.Clone(r.agent)
	}
}

// HasFinding implements stitch.Noticer. A run with a finding is not frozen: when the finding is closed, its evidence is explained
// again with what is not stored of the run's score.
func (r *RunState) HasFinding() bool {
	for _, k := range r.states {
		if s, ok := k.state.(interface{ opened() bool }); ok && s.opened() {
			return true
		}
	}
	return false
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

// actorState holds the detectors' states of an actor, for all its runs.
type actorState struct {
	states []keptState
	set    *Set
}

// NeededUntil implements stitch.Remembered.
func (a *actorState) NeededUntil() (until int64) {
	for _, k := range a.states {
		if s, ok := k.state.(stitch.Remembered); ok {
			until = max(until, s.NeededUntil())
		}
	}
	return until
}

// Code implements stitch.Attachment.
func (a *actorState) Code(c *wire.Coder) {
	if c.Version < FirstStateVersion {
		a.codeBeforeSections(c)
		return
	}
	a.set.codeSections(c, &a.states, func(d *Description) func() State { return d.NewActorState })
}
