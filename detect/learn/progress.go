package learn

import (
	"log/slog"
	"time"
)

// progressEvery is the time between two lines about the same part of learning.
const progressEvery = 10 * time.Second

// progress logs how far learning is.
type progress struct {
	logger *slog.Logger
	now    func() time.Time
	began  time.Time
	last   time.Time // of the last line
}

func (l *Learner) startProgress() *progress {
	now := l.o.Now()
	return &progress{logger: l.o.Logger, now: l.o.Now, began: now, last: now}
}

// log logs that a part is done.
func (p *progress) log(what string, more ...any) {
	p.last = p.now()
	p.logger.Info("learning", append(append([]any{"step", what}, more...), "after", p.last.Sub(p.began).Round(time.Millisecond))...)
}

// part returns a function that logs how much of a part is done, at most every progressEvery.
func (p *progress) part(what string) func(share float64) {
	return func(share float64) {
		if p.now().Sub(p.last) >= progressEvery {
			p.log(what, "percent", int(100*share))
		}
	}
}
