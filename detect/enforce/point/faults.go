package point

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// faults counts the errors between this point and the log; schema/kafka logs them at a
// limited rate. An error that persists ends the fold.
type faults struct {
	m     *metrics
	kafka kafka.Config
	log   *slog.Logger
	state *replica

	mu     sync.Mutex
	cancel context.CancelCauseFunc // ends the fold
}

// endsWith sets the function that ends the fold.
func (f *faults) endsWith(cancel context.CancelCauseFunc) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cancel = cancel
}

// end makes the point not ready, and then ends the fold with an error.
func (f *faults) end(err error) {
	if !f.state.end(err) {
		return
	}
	f.log.Error("the enforcement point cannot go on: it is not ready, and its last state holds until the process ends",
		"error", err)
	f.mu.Lock()
	cancel := f.cancel
	f.mu.Unlock()
	if cancel != nil {
		cancel(err)
	}
}

// countRead counts an error of reading a topic.
func (f *faults) countRead(topic string, _ error) { f.m.faults.WithLabelValues("read", topic).Inc() }

// written returns the callback for records of one kind: a record that is not written is counted,
// and a permanent error ends the fold.
func (f *faults) written(what string) func(*kgo.Record, error) {
	report := f.kafka.ProduceCallback(clientProduce, what, f.end)
	return func(r *kgo.Record, err error) {
		if err != nil && !errors.Is(err, kgo.ErrClientClosed) && !errors.Is(err, context.Canceled) {
			f.m.faults.WithLabelValues("write", what).Inc()
		}
		report(r, err)
	}
}

// permanentFetchError reports whether this consumer cannot continue after an error of fetching: the
// log no longer contains what this point has read, or what it reads next.
func permanentFetchError(err error) bool {
	if lost, ok := errors.AsType[*kgo.ErrDataLoss](err); ok {
		return lost.Topic == wire.CommandsTopic
	}
	return errors.Is(err, kerr.OffsetOutOfRange)
}
