package engine

import (
	"flyball/detect/season"
	"flyball/detect/stitch"
	"flyball/schema/topic"
)

// actorJudged is what the judge keeps of an actor, over all its runs.
type actorJudged struct {
	pace season.Counter
	fast tooFast
	over overRuns
}

// judgedOf is what is kept of the actor of a run.
func judgedOf(r *stitch.Run) *actorJudged {
	by := r.By()
	a, _ := by.Attached.(*actorJudged)
	if a == nil {
		a = &actorJudged{}
		by.Attached = a
	}
	return a
}

// Code implements stitch.Attachment.
func (a *actorJudged) Code(c *topic.Coder) {
	a.pace.Code(c)
	a.fast.code(c)
	a.over.code(c)
}
