package engine

import (
	"flyball/detect/model/callrate"
	"flyball/detect/stitch"
	"flyball/schema/wire"
)

// actorJudged is what the judge keeps of an actor, over all its runs.
type actorJudged struct {
	pace callrate.Counter
	fast tooFast
	over overRuns
}

// judgedOf is what is kept of the actor of a run.
func judgedOf(r *stitch.Run) *actorJudged {
	by := r.Owner()
	a, _ := by.Attached.(*actorJudged)
	if a == nil {
		a = &actorJudged{}
		by.Attached = a
	}
	return a
}

// Code implements stitch.Attachment.
func (a *actorJudged) Code(c *wire.Coder) {
	a.pace.Code(c)
	a.fast.code(c)
	a.over.code(c)
}
