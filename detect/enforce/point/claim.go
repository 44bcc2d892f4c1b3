package point

import (
	"sync"

	"flyball/detect/enforce"
	"flyball/schema"
)

// Standings is how many standings of callers there are.
const Standings = int(schema.StandingEstablished) + 1

// claimant is the party for which a command waits: callers of a standing, or operators.
type claimant int

const operators = claimant(Standings)

// maxWaiting is how many commands may wait for each claimant. Further ones are refused immediately,
// so that a flood of callers does not flood the log, and claimed callers do not use the places of
// the others.
var maxWaiting = [...]int{
	claimant(schema.StandingClaimed):     64,
	claimant(schema.StandingProven):      128,
	claimant(schema.StandingEstablished): 256,
	operators:                            512,
}

// MaxClaims is how many claims for callers of a standing may wait at a time.
func MaxClaims(standing schema.Standing) int { return maxWaiting[standing] }

// waiting holds the commands whose records this point has not folded yet.
type waiting struct {
	mu   sync.Mutex
	byID map[string]waiter
	n    [len(maxWaiting)]int
}

type waiter struct {
	of      claimant
	settled chan enforce.Result
}

func newWaiting() *waiting { return &waiting{byID: map[string]waiter{}} }

// add returns the channel on which the result of a command will arrive.
func (w *waiting) add(id string, of claimant) (<-chan enforce.Result, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.n[of] >= maxWaiting[of] {
		return nil, ErrTooManyClaims
	}
	w.n[of]++
	settled := make(chan enforce.Result, 1)
	w.byID[id] = waiter{of, settled}
	return settled, nil
}

func (w *waiting) remove(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if x, ok := w.byID[id]; ok {
		w.n[x.of]--
		delete(w.byID, id)
	}
}

func (w *waiting) settle(id string, r enforce.Result) {
	if id == "" {
		return
	}
	w.mu.Lock()
	x, ok := w.byID[id]
	w.mu.Unlock()
	if ok {
		select {
		case x.settled <- r:
		default:
		}
	}
}
