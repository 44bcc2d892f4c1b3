package point

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"flyball/detect/enforce"
	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/ledger"
	"flyball/schema"
)

// staleAfter is how long the log may be silent before the state counts as stale. A point
// writes a tick every second.
const staleAfter = 5 * time.Second

var errLoading = errors.New("control: breakers are being loaded")

// replica is the folded state, and whether it is current.
type replica struct {
	now    func() time.Time
	traces *traces // of folded openings: written before a request can see them

	mu     sync.RWMutex // of everything below; a writer holds it for one record
	state  *ledger.State
	loaded bool
	heard  time.Time // when the last record was folded, by this process's clock
	// behind: the process was paused, or its clock was set, for longer than staleAfter. The next
	// folded records may be as old, so the state counts as stale until the tick with the number
	// awaited, which this process writes, is folded.
	behind  bool
	awaited int64
	ended   error // why the fold has ended
}

func newReplica(now func() time.Time) *replica {
	return &replica{now: now, traces: newTraces(), state: ledger.New(breaker.DefaultBudget())}
}

// View is the state with the point's read lock held. The caller that acquires it must release it,
// must not wait meanwhile, and must not change anything in it.
type View struct {
	*ledger.State
	r *replica
}

// Release releases the lock.
func (v View) Release() { v.r.mu.RUnlock() }

// Loaded reports whether the log was read to the end that it had when the point started.
func (v View) Loaded() bool { return v.r.loaded }

// Stale reports whether the log has been silent for a while, or the point has not caught up with it
// since: the last state stays in force.
func (v View) Stale() bool { return v.r.stale() }

// Staleness returns why the state is stale; nil if it is not, or if the point is not ready, which
// Point.Ready reports.
func (v View) Staleness() error { return v.r.staleness() }

func (r *replica) acquire() View {
	r.mu.RLock()
	return View{State: r.state, r: r}
}

// stale implements View.Stale; the caller holds the lock.
func (r *replica) stale() bool {
	return r.ended != nil || r.behind || apart(r.now(), r.heard)
}

// silentFor returns how long no record was folded; the caller holds the lock.
func (r *replica) silentFor() time.Duration { return r.now().Sub(r.heard) }

func (r *replica) ready() error {
	r.mu.RLock()
	defer r.mu.RUnlock()
	switch {
	case r.ended != nil:
		return r.ended
	case !r.loaded:
		return errLoading
	}
	return nil
}

// staleness returns why the state counts as stale; nil if it does not, or is not loaded yet. The
// caller holds the lock.
func (r *replica) staleness() error {
	switch {
	case r.ended != nil || !r.loaded:
		return nil // ready says so
	case apart(r.now(), r.heard):
		return fmt.Errorf("the command log is silent for %s: the last state holds, and changes of breakers do not arrive",
			r.silentFor().Round(time.Second))
	case r.behind:
		return errors.New("the command log answers again, and this point has not caught up with it yet")
	}
	return nil
}

// restore replaces the state with a stored one.
func (r *replica) restore(state *ledger.State) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.state = state
}

// load makes the point ready, if it is not. began is the time when reading began; ticks is how many
// ticks this process has written: if reading took long, the log has grown meanwhile.
func (r *replica) load(began time.Time, ticks int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.loaded {
		return
	}
	now := r.now()
	r.loaded, r.heard = true, now
	if apart(now, began) {
		r.behind, r.awaited = true, ticks+1
	}
}

// end makes the point not ready; first is false if it was already ended.
func (r *replica) end(err error) (first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended != nil {
		return false
	}
	r.ended = err
	return true
}

// folded is the result of folding one record.
type folded struct {
	events []schema.Event
	open   int // breakers that are not closed
	result enforce.Result
	known  bool // there is a result
}

// apply folds the record at an offset, with the broker's timestamp. command is nil for a record
// that cannot be read.
func (r *replica) apply(offset, stamped int64, command *schema.Command, ticks *ticks) (out folded) {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if command == nil {
		r.state.Skip(offset, stamped)
	} else {
		out.events = r.state.Apply(offset, stamped, command)
	}
	if r.loaded && apart(now, r.heard) {
		r.behind, r.awaited = true, ticks.sent.Load()+1
	}
	r.heard = now
	if command != nil {
		if n, own := ticks.number(command); own && n >= r.awaited {
			r.behind = false
		}
		out.result, out.known = r.state.Result(command.ID)
	}
	for i := range out.events {
		if b := out.events[i].Breaker; b != nil {
			r.traces.applied(b, now.UnixNano())
		}
	}
	out.open = r.state.Breakers.OpenCount()
	return out
}

// apart reports whether two times of this process's clock are so far apart that the log cannot have
// been followed between them, or the clock was set.
func apart(now, before time.Time) bool {
	d := now.Sub(before)
	return d > staleAfter || d < -time.Second
}
