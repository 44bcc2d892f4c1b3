package engine

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/wire"
)

// gauge returns the value of a partition's gauge, by the name of its metric; false: it was never
// set.
func gauge(t *testing.T, r *prometheus.Registry, name string) (float64, bool) {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.Metric[0].GetGauge().GetValue(), true
		}
	}
	return 0, false
}

// The age of the checkpoint grows while applied records are not stored, and is 0 again when they
// are stored.
func TestCheckpointAgeIsSet(t *testing.T) {
	now := night
	r := prometheus.NewRegistry()
	f := newFloor(t, func(c *Config) {
		c.Now, c.Registerer, c.CheckpointEvery, c.SnapshotEvery = func() time.Time { return now }, r, 30*time.Second, time.Second
	})
	c := schema.Call{Source: schema.Source{Topic: "gw", TopicID: schema.TopicID{7}}, Tenant: "default", RoutingKey: "g:g/3",
		CredentialID: "k", RunKey: "r1",
		Start: night.UnixNano(), DurationNs: 1e6, Method: "GET", RouteKey: "/orders/{}"}
	var enc wire.CallsEncoder
	value := enc.Encode(nil, []*schema.Call{&c})
	ages := []float64{}
	for second := range 50 {
		now = night.Add(time.Duration(second) * time.Second)
		if second == 10 {
			if err := f.applyRecord(context.Background(), &kgo.Record{Topic: wire.CallsTopic, Value: value}); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.writeDue(context.Background(), now); err != nil {
			t.Fatal(err)
		}
		if age, set := gauge(t, r, "flyball_detect_checkpoint_age_seconds"); second%10 == 9 && set {
			ages = append(ages, age)
		}
	}
	if want := "[0 10 20 30 0]"; fmt.Sprint(ages) != want {
		t.Errorf("ages every ten seconds are %v, want %s", ages, want)
	}
}

// The bytes of the state are those that a restart reads: entries that replaced others count once,
// deleted ones do not count.
func TestStateBytesAreNotThoseOfARestart(t *testing.T) {
	ctx := context.Background()
	r := prometheus.NewRegistry()
	f := newFloor(t, func(c *Config) { c.Registerer = r })
	stored := func() (bytes int64) {
		restored := newRestored(f.cfg.Limits, f.partition())
		for _, rec := range f.tape.records {
			if rec.Topic == wire.StateTopic {
				if err := restored.add(rec.Key, rec.Value); err != nil {
					t.Fatal(err)
				}
			}
		}
		p := restored.state
		restored.choose()
		for key := range restored.actors {
			a, _, err := restored.newestActor(key)
			if err != nil {
				t.Fatal(err)
			}
			if a != nil {
				p.Adopt(a)
			}
		}
		f.counts.set(f.state, 0)
		if got, _ := gauge(t, r, "flyball_detect_state_bytes"); got != float64(p.StoredBytes()) {
			t.Errorf("flyball_detect_state_bytes is %.0f, a restart reads %d", got, p.StoredBytes())
		}
		return p.StoredBytes()
	}
	agent := func(key string) func(*schema.Call) { return func(c *schema.Call) { c.RoutingKey = key } }
	save := func() {
		if err := f.checkpoint.save(ctx, len(f.state.Dirty()), f.offset); err != nil {
			t.Fatal(err)
		}
	}
	f.call(night, agent("a"))
	f.call(night, agent("b"))
	save()
	two := stored()
	f.call(night.Add(time.Minute), agent("a"), func(c *schema.Call) { c.RunKey = "r2" })
	save()
	if grown := stored(); two == 0 || grown <= two || grown > 2*two {
		t.Errorf("%d bytes with a third run, %d with two", grown, two)
	}
	f.state.Advance(night.Add(100*time.Hour).UnixNano(), f.offset)
	f.state.Advance(night.Add(200*time.Hour).UnixNano(), f.offset)
	for range 3 { // the last record is the one after the record that has passed them
		f.offset++
		save()
	}
	if left := stored(); f.state.Actors() != 0 || left != 0 {
		t.Errorf("%d bytes of %d actors are left", left, f.state.Actors())
	}
	if n := testutil.ToFloat64(f.m.stateWrites.entries); n < 5 || testutil.ToFloat64(f.m.stateWrites.bytes) < float64(two) {
		t.Errorf("%.0f entries written", n)
	}
}
