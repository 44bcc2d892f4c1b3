package pager

import (
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/alerts/incident"
	"flyball/schema"
	"flyball/schema/wire"
)

// stormRecords are the events of n agents in each of two partitions, whose runs are tripped at one time. Trips of agents whose name is
// only claimed are withheld.
func stormRecords(t *testing.T, n int) (out []*kgo.Record) {
	t.Helper()
	now := time.Now().Truncate(time.Millisecond)
	add := func(part int32, e schema.Event) {
		value, err := wire.EncodeEvent(&e)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, &kgo.Record{Partition: part, Timestamp: now, Value: value})
	}
	for i := range 2 * n {
		part := int32(i % 2)
		run := schema.RunID{byte(i), byte(i >> 8), 1}
		f := schema.Finding{ID: schema.FindingID(run, schema.FamilyLoop), Version: 1, Tenant: "t", RunID: run, AgentID: fmt.Sprint("a/", i),
			AgentTrust: schema.TrustVerified, Family: schema.FamilyLoop, Level: schema.LevelAlert, OpenedAt: now.UnixNano(),
			UpdatedAt: now.UnixNano(), Summary: "it loops"}
		b := schema.Breaker{Tenant: "t", Scope: schema.Scope{Kind: schema.ScopeRun, Value: run.String()}, State: schema.BreakerOpen,
			Mode: schema.ModeArmed, Generation: uint64(i + 1), FindingID: f.ID, Since: now.UnixNano()}
		if i%3 == 0 {
			f.AgentTrust, b.State, b.Mode = schema.TrustAsserted, schema.BreakerClosed, schema.ModeWithheld
		}
		add(part, schema.FindingEvent(&f))
		f.Version, f.Level = 2, schema.LevelTrip
		add(part, schema.FindingEvent(&f))
		add(part, schema.BreakerEvent(&b))
	}
	return out
}

func (w *world) writeAll(records []*kgo.Record) {
	w.t.Helper()
	for _, r := range records {
		w.writeRaw(&kgo.Record{Partition: r.Partition, Timestamp: r.Timestamp, Value: r.Value})
	}
}

// pagesOf returns each page once, as its id and incident.
func (r *receiver) pagesOf() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []string
	for i := range r.ids {
		out = append(out, r.ids[i]+" "+r.incident[i])
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// A pager that is killed in a storm, again and again and between any two writes, makes the incidents and pages of one that is not, and two
// pagers that share the partitions make them too.
func TestKilledPagerGroupsOtherwise(t *testing.T) {
	records := stormRecords(t, 30)
	bounds := func(o *Options) {
		o.NewFold = func() *incident.Fold {
			f := incident.NewFold()
			f.Bounds = incident.Bounds{Agents: 5, Claimed: 2}
			return f
		}
	}
	done := func(w *world) func() bool {
		return func() bool { return w.committed(0) == 90 && w.committed(1) == 90 }
	}
	whole := newWorld(t, 2)
	whole.writeAll(records)
	r := &receiver{}
	whole.run(whole.pager(r, bounds))
	whole.await("all pages", done(whole))
	want := r.pagesOf()
	// In each partition: 5 agents × 3 pages, 2 claimed names × 3, and two incidents of the tenant with at most 4 pages each.
	if n := len(want); n < 2*(5*3+2*3+2) || n > 2*(5*3+2*3+2*4) {
		t.Fatalf("%d pages of 180 events", n)
	}
	shared := newWorld(t, 2)
	shared.writeAll(records)
	both := &receiver{}
	shared.run(shared.pager(both, bounds))
	shared.run(shared.pager(both, bounds))
	shared.await("all pages of two pagers", done(shared))
	if got := both.pagesOf(); !slices.Equal(got, want) {
		t.Errorf("two pagers made %d pages, one made %d", len(got), len(want))
	}
	killed := newWorld(t, 2)
	killed.writeAll(records)
	k := &receiver{}
	for after := 1; after <= 8; after++ {
		dead := make(chan struct{})
		n := 0
		var once sync.Once
		stop := killed.run(killed.pager(k, bounds, func(o *Options) {
			o.Stage = func(s string) {
				if n++; n >= after {
					once.Do(func() { close(dead) })
					panic(s)
				}
			}
		}))
		<-dead
		if err := stop(); err == nil {
			t.Fatal("it was not killed")
		}
	}
	killed.run(killed.pager(k, bounds))
	killed.await("all pages after 8 kills", done(killed))
	if got := k.pagesOf(); !slices.Equal(got, want) {
		t.Errorf("killed 8 times: %d pages, want %d\n%q\n%q", len(got), len(want), got, want)
	}
}
