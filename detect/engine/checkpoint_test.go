package engine

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
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
