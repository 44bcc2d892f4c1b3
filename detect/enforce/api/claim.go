package api

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/enforce"
	"flyball/schema"
	"flyball/schema/wire"
)

const (
	submitWithin = 5 * time.Second
	// claimWithin is how long an answer waits for the log; then it is a no.
	claimWithin = 150 * time.Millisecond
)

// claimant is on whose behalf a command waits: callers of a standing, or operators.
type claimant int

const operators = claimant(standings)

// mostClaims of each at a time: more are refused at once, so that a flood of callers
// is no flood of the log, and one of claimed callers takes no place of the others.
var mostClaims = [...]int{
	claimant(schema.StandingClaimed):     64,
	claimant(schema.StandingProven):      128,
	claimant(schema.StandingEstablished): 256,
	operators:                            512,
}

// claims are commands whose record this point waits to fold.
type claims struct {
	mu      sync.Mutex
	waiting map[string]waiting
	n       [len(mostClaims)]int
}

type waiting struct {
	of      claimant
	settled chan enforce.Result
}

func newClaims() *claims { return &claims{waiting: map[string]waiting{}} }

var errBusy = errors.New("too many claims wait for the log")

func (c *claims) expect(id string, of claimant) (chan enforce.Result, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n[of] >= mostClaims[of] {
		return nil, errBusy
	}
	c.n[of]++
	w := waiting{of, make(chan enforce.Result, 1)}
	c.waiting[id] = w
	return w.settled, nil
}

func (c *claims) forget(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if w, ok := c.waiting[id]; ok {
		c.n[w.of]--
		delete(c.waiting, id)
	}
}

func (c *claims) settle(id string, r enforce.Result) {
	if id == "" {
		return
	}
	c.mu.Lock()
	w, ok := c.waiting[id]
	c.mu.Unlock()
	if ok {
		select {
		case w.settled <- r:
		default:
		}
	}
}

func newID(prefix string) string { return prefix + strconv.FormatUint(rand.Uint64(), 36) }

// Submit writes a command and waits until this point has folded it.
func (c *Control) Submit(ctx context.Context, command schema.Command) (enforce.Result, error) {
	if err := c.Ready(); err != nil {
		return enforce.Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, submitWithin)
	defer cancel()
	r, err := c.write(ctx, &command, operators)
	if errors.Is(err, context.DeadlineExceeded) {
		return r, fmt.Errorf("this point has not folded the command within %s; it may be in the log: look before asking again", submitWithin)
	}
	return r, err
}

var errAway = errors.New("the log is away")

// silentAfter is how long a log that was found not to answer must have said nothing
// until it counts as away: a point writes a tick every second, so that this is no
// moment in which a machine is busy.
const silentAfter = 2500 * time.Millisecond

// answers reports whether it is worth to ask the log something: it is not where the
// log is away, or has said nothing since a claim was given up. Away is what the
// failure mode decides on.
func (c *Control) answers() (answers, away bool) {
	quiet := c.quiet.Load() == c.folds.Load()
	c.mu.RLock()
	defer c.mu.RUnlock()
	away = c.stale() || quiet && c.o.Now().Sub(c.heard) > silentAfter
	return !quiet && !away, away
}

// gaveUp takes in that a claim was waited for in vain that was made when the point
// had folded a number of records.
func (c *Control) gaveUp(folds int64) {
	if c.folds.Load() == folds {
		c.quiet.Store(folds)
	}
}

// claim is Submit for an answer to a gateway about a caller of a standing: what does
// not come in time is a no.
func (c *Control) claim(of schema.Standing, command *schema.Command) (enforce.Result, error) {
	if c.out == nil {
		return enforce.Result{}, errors.New("the log is not open")
	}
	if ok, _ := c.answers(); !ok {
		c.m.claims.WithLabelValues(command.Kind.String(), "log_away").Inc()
		return enforce.Result{}, errAway
	}
	folds := c.folds.Load()
	ctx, cancel := context.WithTimeout(context.Background(), claimWithin)
	defer cancel()
	r, err := c.write(ctx, command, claimant(of))
	if errors.Is(err, errBusy) {
		c.m.claims.WithLabelValues(command.Kind.String(), "too_many").Inc()
		c.m.full.WithLabelValues(of.String(), "claims").Inc()
		return r, err
	}
	if err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			c.gaveUp(folds)
		}
		c.m.claims.WithLabelValues(command.Kind.String(), "not_in_time").Inc()
		return r, err
	}
	c.m.claims.WithLabelValues(command.Kind.String(), string(r.Code)).Inc()
	return r, nil
}

func (c *Control) write(ctx context.Context, command *schema.Command, of claimant) (enforce.Result, error) {
	value, err := wire.EncodeCommand(command)
	if err != nil {
		return enforce.Result{}, err
	}
	settled, err := c.claims.expect(command.ID, of)
	if err != nil {
		return enforce.Result{}, err
	}
	defer c.claims.forget(command.ID)
	failed := make(chan error, 1)
	c.out.Produce(ctx, &kgo.Record{Topic: wire.CommandsTopic, Value: value}, func(_ *kgo.Record, err error) {
		if err != nil {
			failed <- fmt.Errorf("write the command: %w", err)
		}
	})
	select {
	case r := <-settled:
		return r, nil
	case err := <-failed:
		return enforce.Result{}, err
	case <-ctx.Done():
		return enforce.Result{}, ctx.Err()
	}
}
