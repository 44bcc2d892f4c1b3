package publish

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/wire"
)

// producer stores what is written. It acknowledges a record only when the test calls its done function.
type producer struct {
	records []*kgo.Record
	done    []func(*kgo.Record, error)
}

func (p *producer) Produce(_ context.Context, r *kgo.Record, done func(*kgo.Record, error)) {
	p.records = append(p.records, r)
	p.done = append(p.done, done)
}

func (p *producer) ProduceSync(context.Context, ...*kgo.Record) kgo.ProduceResults { return nil }

func (p *producer) acknowledge(err error) {
	for i, done := range p.done {
		done(p.records[i], err)
	}
	p.done = nil
}

// calls returns n calls of one source, from several actors in turn.
func calls(n, actors int, change ...func(*schema.Call)) []schema.Call {
	out := make([]schema.Call, n)
	for i := range out {
		out[i] = schema.Call{Source: schema.Source{Topic: "in"}, Pos: schema.Position{Offset: int64(i)},
			RoutingKey: fmt.Sprint("actor-", i%actors)}
		for _, f := range change {
			f(&out[i])
		}
	}
	return out
}

func TestBlocksLoseOrReorderCalls(t *testing.T) {
	var p producer
	out := New(&p, 4)
	sent := calls(3*wire.MaxBlock+7, 5)
	acknowledged := 0
	for range 2 { // a publisher is used more than once
		acknowledged = 0
		p.records = nil
		if blocks := out.Publish(context.Background(), sent, func(error) { acknowledged++ }); blocks != len(p.records) {
			t.Fatalf("%d blocks are reported and %d were written", blocks, len(p.records))
		}
	}
	var dec wire.CallsDecoder
	last := map[int32]int64{}
	n := 0
	for _, r := range p.records {
		block, err := dec.Decode(r.Value)
		if err != nil || r.Topic != wire.CallsTopic || len(block) > wire.MaxBlock {
			t.Fatalf("a block of %d calls for %s: %v", len(block), r.Topic, err)
		}
		for _, c := range block {
			n++
			if want := wire.PartitionOf(c.RoutingKey, 4); want != r.Partition {
				t.Errorf("%s is in partition %d, its actor's is %d", c.RoutingKey, r.Partition, want)
			}
			if before, ok := last[r.Partition]; ok && c.Pos.Offset <= before {
				t.Errorf("partition %d: offset %d after %d", r.Partition, c.Pos.Offset, before)
			}
			last[r.Partition] = c.Pos.Offset
		}
	}
	if n != len(sent) {
		t.Errorf("%d calls of %d were written", n, len(sent))
	}
	if acknowledged != 0 {
		t.Errorf("%d blocks count as written before the broker has them", acknowledged)
	}
}

func TestLargeCallsMakeABlockTooLargeForTheTopic(t *testing.T) {
	var p producer
	big := strings.Repeat("x", 1<<20)
	blocks := New(&p, 1).Publish(context.Background(), calls(9, 1, func(c *schema.Call) { c.Path = big }), func(error) {})
	if blocks < 3 {
		t.Fatalf("%d blocks for 9 MiB", blocks)
	}
	for _, r := range p.records {
		if len(r.Value) > maxBlockBytes+(1<<20)+4096 {
			t.Errorf("a block of %d bytes", len(r.Value))
		}
	}
}

func TestFailedWriteIsReportedOnceWithItsPlace(t *testing.T) {
	var p producer
	var got []error
	New(&p, 1).Publish(context.Background(), calls(1, 1), func(err error) { got = append(got, err) })
	bad := errors.New("bad")
	p.acknowledge(bad)
	if len(got) != 1 || !errors.Is(got[0], bad) || !strings.Contains(got[0].Error(), wire.CallsTopic+"/0") {
		t.Errorf("%v", got)
	}
}

// spans returns calls whose traces have an owner.
func spans(traces ...byte) []schema.Call {
	out := calls(len(traces), 1, func(c *schema.Call) {
		c.ObserverKind, c.SpanID, c.AgentID = schema.ObserverServer, [8]byte{1}, "bot"
		c.AgentTrust, c.AgentSpan = schema.TrustInfrastructure, true
	})
	for i, trace := range traces {
		out[i].TraceID = [16]byte{trace}
	}
	return out
}

func TestOwnerOfATraceIsWrittenAgainAndAgain(t *testing.T) {
	var p producer
	b := NewBinder(8)
	acknowledged := 0
	done := func(error) { acknowledged++ }
	if n := b.Bind(context.Background(), &p, spans(1, 1, 2), done); n != 2 || len(p.records) != 2 {
		t.Fatalf("%d records for two traces", n)
	}
	if n := b.Bind(context.Background(), &p, spans(2, 1), done); n != 0 {
		t.Errorf("%d traces were bound again", n)
	}
	if n := b.Bind(context.Background(), &p, calls(3, 1), done); n != 0 {
		t.Errorf("%d calls without a trace were bound", n)
	}
	p.acknowledge(nil)
	if acknowledged != 2 {
		t.Errorf("%d acknowledgements", acknowledged)
	}
	for i, trace := range []byte{1, 2} {
		got, err := wire.DecodeBinding(p.records[i].Value)
		want := wire.PartitionOf(wire.TraceActor([16]byte{trace}), 8)
		if err != nil || got.Trace != [16]byte{trace} || p.records[i].Partition != want {
			t.Errorf("trace %d: %v in partition %d (want %d), %v", trace, got.Trace, p.records[i].Partition, want, err)
		}
	}
}

func TestTracesAreRememberedForEver(t *testing.T) {
	b := NewBinder(1)
	for i := range 3 * maxTraces {
		if !b.remember([16]byte{byte(i), byte(i >> 8), byte(i >> 16)}) {
			t.Fatalf("trace %d is new and counts as known", i)
		}
		if len(b.now)+len(b.old) > maxTraces {
			t.Fatalf("%d traces are remembered", len(b.now)+len(b.old))
		}
	}
	last := 3*maxTraces - 1
	if b.remember([16]byte{byte(last), byte(last >> 8), byte(last >> 16)}) {
		t.Error("the last trace is forgotten already")
	}
}
