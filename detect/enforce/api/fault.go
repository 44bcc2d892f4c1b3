package api

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/wire"
)

// faults are what goes wrong between this point and the log: each is counted and
// logged at a limited rate, and one that does not pass by itself ends the fold.
type faults struct {
	c      *Control
	mu     sync.Mutex
	logged map[string]time.Time
	cancel context.CancelCauseFunc
}

// logFaultsEvery is how often a fault of one kind is logged.
const logFaultsEvery = 10 * time.Second

func newFaults(c *Control) *faults { return &faults{c: c, logged: map[string]time.Time{}} }

// ends says what ends the fold.
func (f *faults) ends(cancel context.CancelCauseFunc) {
	f.mu.Lock()
	f.cancel = cancel
	f.mu.Unlock()
}

// end takes readiness away, and then ends the fold with an error.
func (f *faults) end(err error) {
	f.c.mu.Lock()
	first := f.c.ended == nil
	if first {
		f.c.ended = err
	}
	f.c.mu.Unlock()
	if !first {
		return
	}
	f.c.o.Logger.Error("the enforcement point cannot go on: it is not ready, and its last state stands until the process ends",
		"error", err)
	f.mu.Lock()
	cancel := f.cancel
	f.mu.Unlock()
	if cancel != nil {
		cancel(err)
	}
}

// log takes in an error of reading or writing; the error is returned, with what it
// is about, if it is one for good.
func (f *faults) log(doing, what string, err error) error {
	f.c.m.faults.WithLabelValues(doing, what).Inc()
	if permanent(err) {
		return fmt.Errorf("control: %s %s: %w", doing, what, err)
	}
	now := f.c.o.Now()
	f.mu.Lock()
	last, ok := f.logged[doing+what]
	again := !ok || now.Sub(last) >= logFaultsEvery || now.Before(last)
	if again {
		f.logged[doing+what] = now
	}
	f.mu.Unlock()
	if again {
		f.c.o.Logger.Warn("the log does not answer; the last state stands", "doing", doing, "what", what, "error", err)
	}
	return nil
}

// written makes the callback of a record: what is not written is counted.
func (f *faults) written(what string) func(*kgo.Record, error) {
	return func(r *kgo.Record, err error) {
		if err == nil || errors.Is(err, kgo.ErrClientClosed) || errors.Is(err, context.Canceled) {
			return
		}
		if r != nil {
			err = fmt.Errorf("%s: %w", r.Topic, err)
		}
		if err := f.log("write", what, err); err != nil {
			f.end(err)
		}
	}
}

// permanent reports whether an error of the log stays until somebody does something:
// rights that are missing, or a log that no longer holds what this point has read of it.
func permanent(err error) bool {
	var lost *kgo.ErrDataLoss
	if errors.As(err, &lost) {
		return lost.Topic == wire.CommandsTopic
	}
	for _, e := range []error{kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed,
		kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState, kerr.OffsetOutOfRange} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
