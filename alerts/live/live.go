package live

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/alerts/incident"
	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// Options are the settings of a View.
type Options struct {
	Kafka   kafka.Config
	NewFold func() *incident.Fold // without a receiver and routes
	Logger  *slog.Logger
}

// View is the state of incidents. It is safe for concurrent use.
type View struct {
	o Options

	mu     sync.Mutex
	fold   *incident.Fold
	next   int64 // offset after the last folded record
	loaded bool  // the end that the log had at the start was reached
	err    error // why nothing more is read
}

// New returns a View that is not running.
func New(o Options) *View { return &View{o: o, fold: o.NewFold()} }

// client is the name of the Kafka clients in logs, errors and metrics.
const client = "alert-live"

// Run follows flyball.alerts until ctx ends and then returns nil.
func (v *View) Run(ctx context.Context) error {
	err := v.run(ctx)
	v.mu.Lock()
	v.err = err
	v.mu.Unlock()
	return err
}

func (v *View) run(ctx context.Context) error {
	c, err := v.o.Kafka.NewClient(client,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{wire.AlertsTopic: {0: kgo.NewOffset().AtStart()}}),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(500*time.Millisecond))
	if err != nil {
		return err
	}
	defer c.Close()
	ends, err := kafka.EndOffsets(ctx, c, wire.AlertsTopic)
	if err != nil {
		return fmt.Errorf("%s: %w", client, err)
	}
	v.reached(ends[0], 0)
	consumer := &kafka.Consumer{Config: v.o.Kafka, Client: c, Name: client, Handle: func(_ context.Context, b kafka.Batch) error {
		for r := range b.RecordsAll() {
			if err := v.apply(r); err != nil {
				return err
			}
			v.reached(ends[0], r.Offset+1)
		}
		return nil
	}}
	return consumer.Run(ctx)
}

// reached notes how far the log was read.
func (v *View) reached(end, next int64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.next = next
	v.loaded = v.loaded || next >= end
}

func (v *View) apply(r *kgo.Record) error {
	e, err := wire.DecodeEvent(r.Value)
	if errors.Is(err, wire.ErrNewerVersion) {
		return fmt.Errorf("%s: %s at offset %d: %w", client, wire.AlertsTopic, r.Offset, err)
	}
	if err != nil {
		return nil // the pagers skip it, too, and say so
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.fold.Pages(r.Timestamp.UnixNano(), &e, kafka.WrittenAt(r))
	return nil
}

// errLoading: the log is being read.
var errLoading = errors.New("incidents are being loaded")

// Ready returns nil while incidents are known, otherwise the reason.
func (v *View) Ready() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.err != nil:
		return v.err
	case !v.loaded:
		return errLoading
	}
	return nil
}

// List returns the open incidents of a tenant, the worst first; of all tenants if there is none.
func (v *View) List(tenant string) ([]incident.Line, error) {
	if err := v.Ready(); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.fold.List(tenant), nil
}

// Silences returns the ids of the silences in force in a tenant, as the pagers know them.
func (v *View) Silences(tenant string) ([]string, error) {
	if err := v.Ready(); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.fold.Silences(tenant), nil
}

// Matched returns how many incidents of a tenant are open, and how many of them have a finding that matches.
func (v *View) Matched(tenant string, m *schema.Matchers) (matched, open int, err error) {
	if err := v.Ready(); err != nil {
		return 0, 0, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	matched, open = v.fold.Matched(tenant, m)
	return matched, open, nil
}

// Find returns the open incidents of a tenant that a term names: the id of an incident, of one of its findings, or the beginning of one.
func (v *View) Find(tenant, term string) ([]incident.Line, error) {
	if err := v.Ready(); err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.fold.Find(tenant, term), nil
}
