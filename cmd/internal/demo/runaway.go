package demo

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strconv"
)

// Kinds of runaway.
const (
	Sweep = "id sweep with deletes"
	Loop  = "loop"
	Retry = "retry storm"
)

// runaway is a recorded run that starts to run away at a call.
type runaway struct {
	run
	kind  string
	onset int // calls of the recorded run before it
	seed  call
	first int // number in the swept id
}

var numbered = regexp.MustCompile(`^(.*/[A-Za-z#_-]*?)([0-9]{2,9})$`)

// choose picks kind, run and onset. The run's agent has no other live run: a trip
// also holds every run that the same credential starts afterwards.
func choose(live []run, r *rand.Rand) (runaway, []run, error) {
	kind := []string{Sweep, Loop, Retry}[r.IntN(3)]
	for _, i := range r.Perm(len(live)) {
		base := live[i]
		if len(base.calls) < 3 {
			continue
		}
		w := runaway{run: base, kind: kind, onset: 1 + r.IntN(len(base.calls)-1)}
		for _, c := range base.calls[:w.onset] {
			switch m := numbered.FindStringSubmatch(c.Path); {
			case kind == Sweep && c.Method == "GET" && m != nil:
				w.seed = c
				w.seed.Path = m[1]
				w.first, _ = strconv.Atoi(m[2])
			case kind == Loop && c.Method == "GET" && c.Status < 400, kind == Retry && c.Method != "GET":
				w.seed = c
			}
		}
		if w.seed.Path == "" {
			continue
		}
		var rest []run
		for _, o := range live {
			if o.agent != base.agent {
				rest = append(rest, o)
			}
		}
		return w, rest, nil
	}
	return runaway{}, nil, fmt.Errorf("none of %d runs can become a %s", len(live), kind)
}

// next is the n-th call since the onset, from 0.
func (w *runaway) next(n int) call {
	c := w.seed
	switch w.kind {
	case Sweep:
		// It looks at one of three before it deletes.
		c.Path = w.seed.Path + strconv.Itoa(w.first+1+n-n/4)
		if n%4 != 0 {
			c.Path = w.seed.Path + strconv.Itoa(w.first+n-n/4)
			c.Method, c.Status, c.Sent = "DELETE", 200, 2
		}
	case Retry:
		c.Status, c.Sent = 503, 95
	}
	return c
}

// does describes the runaway for a reader.
func (w *runaway) does() string {
	switch w.kind {
	case Sweep:
		return fmt.Sprintf("GET and DELETE %s%d, %d, %d …", w.seed.Path, w.first+1, w.first+2, w.first+3)
	case Retry:
		return fmt.Sprintf("%s %s again and again, which fails", w.seed.Method, w.seed.Path)
	}
	return fmt.Sprintf("%s %s again and again", w.seed.Method, w.seed.Path)
}
