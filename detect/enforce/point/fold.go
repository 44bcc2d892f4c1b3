package point

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// Names of the point's Kafka clients in logs and metrics.
const (
	clientFold    = "control"
	clientProduce = "control-produce"
	clientRestore = "control-restore"
)

// fold reads the command log and the heartbeats of all points.
type fold struct {
	*Point
	ctx       context.Context
	began     time.Time
	end       int64 // of the command log in Kafka when the point started
	pointsEnd int64 // of the heartbeats when the point started
}

// maxBatchBytes returns how many bytes a point writes to a topic as one batch: a snapshot, which is one record, has all
// breakers, manifests and tasks. Other topics have the broker's limit of 1 MiB, which the client's default keeps.
func maxBatchBytes(topic string) int32 {
	if topic == wire.BreakersTopic {
		return 15 << 20
	}
	return 1_000_012
}

func (p *Point) run(parent context.Context) error {
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	p.faults.endsWith(cancel)
	out, err := p.o.Kafka.NewClient(clientProduce, kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.ProducerBatchMaxBytesFn(maxBatchBytes))
	if err != nil {
		return fmt.Errorf("control: %w", err)
	}
	defer out.Close()
	p.log.open(out)
	f := &fold{Point: p, ctx: ctx, began: p.o.Now()}
	from, err := f.restore(out)
	if err != nil {
		return err
	}
	points, err := kafka.EndOffsets(ctx, out, wire.PointsTopic)
	if err != nil {
		return fmt.Errorf("control: %w", err)
	}
	if f.pointsEnd = points[0]; f.pointsEnd == 0 {
		p.points.complete.Store(true)
	}
	if f.end <= from {
		p.state.load(f.began, p.ticks.sent.Load())
	}
	// An offset that the log does not contain is an error: a restart at the beginning would confuse
	// new records with old ones.
	client, err := p.o.Kafka.NewClient(clientFold,
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
			wire.CommandsTopic: {0: kgo.NewOffset().At(from)},
			wire.PointsTopic:   {0: kgo.NewOffset().AtStart()},
		}),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), kgo.FetchMaxWait(500*time.Millisecond))
	if err != nil {
		return fmt.Errorf("control: %w", err)
	}
	defer client.Close()
	var background sync.WaitGroup
	defer background.Wait()
	defer cancel(nil) // background work ends with the fold
	background.Go(func() { ticker{p}.run(ctx) })
	p.writeSettings()
	consumer := kafka.Consumer{Config: p.o.Kafka, Client: client, Name: clientFold, Handle: f.handle,
		Permanent: permanentFetchError, OnError: p.faults.countRead}
	err = consumer.Run(ctx)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// handle folds the records of one poll.
func (f *fold) handle(_ context.Context, batch kafka.Batch) error {
	var events []schema.Event
	for r := range batch.RecordsAll() {
		if r.Topic == wire.PointsTopic {
			f.points.Add(r)
			if r.Offset+1 >= f.pointsEnd {
				f.points.complete.Store(true)
			}
			continue
		}
		more, err := f.foldRecord(r)
		if err != nil {
			return err
		}
		events = append(events, more...)
		if r.Offset+1 >= f.end {
			f.state.load(f.began, f.ticks.sent.Load())
		}
	}
	for i := range events {
		f.o.Stage("control.folded|event")
		f.log.publish(f.ctx, &events[i], f.partition(&events[i]), "event")
	}
	f.writeSettings()
	return nil
}

// partition returns the partition of an event in flyball.events: that of the finding that it
// follows from, so that it comes after the finding.
func (f *fold) partition(e *schema.Event) int32 {
	if b := e.Breaker; b != nil {
		return min(b.Call.Partition, f.o.Partitions-1)
	}
	return 0
}

// foldRecord applies a record of the command log and returns the resulting events.
func (p *Point) foldRecord(r *kgo.Record) ([]schema.Event, error) {
	command, err := wire.DecodeCommand(r.Value)
	if errors.Is(err, wire.ErrNewerVersion) {
		return nil, fmt.Errorf("control: %s at offset %d: %w", wire.CommandsTopic, r.Offset, err)
	}
	read := &command
	if err != nil {
		// Every point skips the record: the state is the same as without it.
		why := "malformed"
		if errors.Is(err, wire.ErrUnknownKind) {
			why = "unknown_kind"
		}
		p.m.malformed.WithLabelValues(why).Inc()
		p.o.Logger.Error("skipping a command that cannot be read", "offset", r.Offset, "why", why, "error", err)
		read = nil
	}
	return p.apply(p.epochs.Of(r), r.Timestamp.UnixNano(), read), nil
}

// apply folds a command (nil: a record that cannot be read) at a position and passes on its result.
func (p *Point) apply(offset, stamped int64, command *schema.Command) []schema.Event {
	out := p.state.apply(offset, stamped, command, &p.ticks)
	p.log.folds.Add(1)
	p.m.open.Set(float64(out.open))
	if out.known {
		p.log.settle(command.ID, out.result)
		p.subscriber.CommandApplied(command.ID, out.result)
	}
	return out.events
}

// Replay folds commands as if they were the next records of the log, all with this process's time,
// and makes the point ready without a log. It is for tests of a point's answers that do not need
// Kafka.
func (p *Point) Replay(commands ...schema.Command) {
	v := p.Acquire()
	next := v.Position.Offset + 1
	v.Release()
	for i := range commands {
		p.apply(next+int64(i), p.o.Now().UnixNano(), &commands[i])
	}
	p.state.mu.Lock()
	defer p.state.mu.Unlock()
	p.state.loaded, p.state.heard = true, p.state.now()
}
