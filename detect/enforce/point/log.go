package point

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/enforce"
	"flyball/schema"
	"flyball/schema/wire"
)

const (
	// submitTimeout is how long an operator's command waits for its result.
	submitTimeout = 5 * time.Second
	// ClaimTimeout is how long an answer to a gateway waits for the log; after that the answer is a
	// denial.
	ClaimTimeout = 150 * time.Millisecond
	// silentAfter is how long a log that has not answered a claim must be silent until it counts as
	// unreachable. A point writes a tick every second, so this is longer than the pauses of a busy
	// machine.
	silentAfter = 2500 * time.Millisecond
)

// Errors of claims.
var (
	// ErrTooManyClaims: too many commands of callers of this standing wait for the log.
	ErrTooManyClaims = errors.New("too many claims wait for the log")
	// ErrLogUnreachable: the log is unreachable, so nothing was written.
	ErrLogUnreachable = errors.New("the log of commands does not answer")
	// ErrNotOpen: Point.Run has not opened the log yet.
	ErrNotOpen = errors.New("the log is not open")
)

// Log writes commands and events of this process, and waits for the results of commands. It is safe
// for concurrent use. It writes nothing before Point.Run.
type Log struct {
	state   *replica
	faults  *faults
	waiting *waiting
	client  atomic.Pointer[kgo.Client]
	folds   atomic.Int64 // records that this point has folded
	quiet   atomic.Int64 // the value of folds at which the log was found not to answer
}

func newLog(state *replica, f *faults) *Log {
	l := &Log{state: state, faults: f, waiting: newWaiting()}
	l.quiet.Store(-1)
	return l
}

func (l *Log) open(client *kgo.Client) { l.client.Store(client) }

// IsOpen reports whether records can be written.
func (l *Log) IsOpen() bool { return l.client.Load() != nil }

// Submit writes an operator's command and waits until this point has folded it.
func (l *Log) Submit(ctx context.Context, command schema.Command) (enforce.Result, error) {
	if err := l.state.ready(); err != nil {
		return enforce.Result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, submitTimeout)
	defer cancel()
	r, err := l.write(ctx, &command, operators)
	if errors.Is(err, context.DeadlineExceeded) {
		return r, fmt.Errorf("this point has not folded the command within %s; it may be in the log: look before asking again",
			submitTimeout)
	}
	return r, err
}

// Claim writes a command for an answer to a gateway about a caller of a standing, and waits for its
// result. On every error the claim is not granted: ErrNotOpen, ErrLogUnreachable, ErrTooManyClaims, or
// context.DeadlineExceeded after ClaimTimeout.
func (l *Log) Claim(standing schema.Standing, command *schema.Command) (enforce.Result, error) {
	if !l.IsOpen() {
		return enforce.Result{}, ErrNotOpen
	}
	if answers, _ := l.Answers(); !answers {
		return enforce.Result{}, ErrLogUnreachable
	}
	folds := l.folds.Load()
	ctx, cancel := context.WithTimeout(context.Background(), ClaimTimeout)
	defer cancel()
	r, err := l.write(ctx, command, claimant(standing))
	if errors.Is(err, context.DeadlineExceeded) {
		l.GiveUp(folds)
	}
	return r, err
}

func (l *Log) write(ctx context.Context, command *schema.Command, of claimant) (enforce.Result, error) {
	client := l.client.Load()
	if client == nil {
		return enforce.Result{}, ErrNotOpen
	}
	value, err := wire.EncodeCommand(command)
	if err != nil {
		return enforce.Result{}, err
	}
	settled, err := l.waiting.add(command.ID, of)
	if err != nil {
		return enforce.Result{}, err
	}
	defer l.waiting.remove(command.ID)
	failed := make(chan error, 1)
	client.Produce(ctx, &kgo.Record{Topic: wire.CommandsTopic, Value: value}, func(_ *kgo.Record, err error) {
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

// settle passes the result of a command to the goroutine that waits for it.
func (l *Log) settle(id string, r enforce.Result) { l.waiting.settle(id, r) }

// Send writes a command and does not wait for it. written, unless nil, is called once, with an
// error if the command was not written. Such an error is already counted and logged.
func (l *Log) Send(command *schema.Command, written func(error)) {
	l.send(command, command.Kind.String(), written)
}

func (l *Log) send(command *schema.Command, what string, written func(error)) {
	value, err := wire.EncodeCommand(command)
	if err != nil {
		l.faults.written(what)(nil, err)
		if written != nil {
			written(err)
		}
		return
	}
	l.produce(context.Background(), &kgo.Record{Topic: wire.CommandsTopic, Value: value}, what, written)
}

// PublishFinding writes a finding of this process to flyball.events.
func (l *Log) PublishFinding(f *schema.Finding) {
	event := schema.FindingEvent(f)
	l.encode(&event, 0, "finding", func(r *kgo.Record) { l.produce(context.Background(), r, "finding", nil) })
}

// publish writes an event. Every point writes the events of the log, and a restart writes some of
// them again: events with the same id are the same event.
func (l *Log) publish(ctx context.Context, event *schema.Event, part int32, what string) {
	client := l.client.Load()
	if client == nil {
		return
	}
	l.encode(event, part, what, func(r *kgo.Record) { client.Produce(ctx, r, l.faults.written(what)) })
}

func (l *Log) encode(event *schema.Event, part int32, what string, send func(*kgo.Record)) {
	value, err := wire.EncodeEvent(event)
	if err != nil {
		l.faults.log.Error("an event cannot be encoded, and is not written", "what", what, "error", err)
		return
	}
	send(&kgo.Record{Topic: wire.EventsTopic, Partition: part, Key: []byte(event.ID), Value: value})
}

// produce writes a record unless too many already wait. A record that is not written is counted and
// logged.
func (l *Log) produce(ctx context.Context, r *kgo.Record, what string, written func(error)) {
	client := l.client.Load()
	if client == nil {
		if written != nil {
			written(ErrNotOpen)
		}
		return
	}
	report := l.faults.written(what)
	client.TryProduce(ctx, r, func(r *kgo.Record, err error) {
		report(r, err)
		if written != nil {
			written(err)
		}
	})
}

// Answers reports whether the log can be expected to answer: not while it is unreachable, or has
// been silent since a claim timed out. If away is true, the failure mode decides.
func (l *Log) Answers() (answers, away bool) {
	quiet := l.quiet.Load() == l.folds.Load()
	l.state.mu.RLock()
	defer l.state.mu.RUnlock()
	away = l.state.stale() || quiet && l.state.silentFor() > silentAfter
	return !quiet && !away, away
}

// Folds returns how many records this point has folded; see GiveUp.
func (l *Log) Folds() int64 { return l.folds.Load() }

// GiveUp records that a command had no result in time; folds is the number of folded records when
// it was written. If the point has folded no record since, the log does not answer.
func (l *Log) GiveUp(folds int64) {
	if l.folds.Load() == folds {
		l.quiet.Store(folds)
	}
}
