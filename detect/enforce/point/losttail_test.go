package point_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/enforce/enforcetest"
	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/wire"
)

// onDisk starts a broker that keeps its log in a folder.
func onDisk(t *testing.T, dir string) *kfake.Cluster {
	t.Helper()
	k := kafkatest.Start(t, kfake.DataDir(dir))
	client, err := enforcetest.Config(k).NewClient("test")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	_, err = kafka.EnsureTopics(context.Background(), kadm.NewClient(client), kafka.TopicOptions{Partitions: 4, Replication: 1})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// cutCommands cuts the log of commands of a stopped broker to a share of its size, and starts it again as Kafka
// does: with a higher leader epoch.
func cutCommands(t *testing.T, dir string, k *kfake.Cluster, share float64) *kfake.Cluster {
	t.Helper()
	k.Close()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".dat") && filepath.Base(filepath.Dir(path)) == wire.CommandsTopic+"-0" {
			info, err := d.Info()
			if err != nil {
				return err
			}
			return os.Truncate(path, int64(float64(info.Size())*share))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	k = onDisk(t, dir)
	k.ShufflePartitionLeaders()
	return k
}

func TestTripAfterALostCommandTailWaits(t *testing.T) {
	for name, share := range map[string]float64{"a tenth is lost": 0.9, "half is lost": 0.5, "nearly all is lost": 0.05} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			k := onDisk(t, dir)
			a := run(t, k, "a", nil)
			a.AwaitSettings(t)
			a.runaways(t, 0, 5)
			a.trip(t, schema.ScopeCredential, "support")
			a.StoreSnapshot(context.Background())
			enforcetest.Within(t, "the state is stored", func() bool { return k.PartitionInfo(wire.BreakersTopic, 0).HighWatermark > 0 })
			a.runaways(t, 5, 15) // not in the snapshot
			generations := map[uint64]bool{}
			for _, b := range history(a) {
				generations[b.Generation] = true
			}
			enforcetest.Within(t, "the position is announced", func() bool {
				return k.PartitionInfo(wire.PointsTopic, 0).HighWatermark > 2
			})
			a.Stop()
			before := k.PartitionInfo(wire.CommandsTopic, 0).HighWatermark
			k = cutCommands(t, dir, k, share)
			kept := k.PartitionInfo(wire.CommandsTopic, 0).HighWatermark
			if kept >= before {
				t.Fatalf("%d of %d commands are left", kept, before)
			}

			// A trip that is written before the point looks at the log.
			early := schema.Command{ID: "early", Kind: schema.CommandForceOpen, Tenant: "t", Reason: "x",
				Scope: schema.Scope{Kind: schema.ScopeCredential, Value: "early"}}
			value, err := wire.EncodeCommand(&early)
			if err != nil {
				t.Fatal(err)
			}
			enforcetest.Produce(t, k, wire.CommandsTopic, "", value)
			b := run(t, k, "b", nil)
			began := time.Now()
			b.trip(t, schema.ScopeCredential, "billing")
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("a trip took %s", took)
			}
			for _, credential := range []string{"support", "early", "billing"} {
				if v := b.Ask(credential, "r", "GET", "/", ""); v.Status != 403 {
					t.Errorf("%s is not held: %+v", credential, v)
				}
			}
			for _, x := range b.Breakers() {
				if v := x.Scope.Value; (v == "early" || v == "billing") && generations[x.Generation] {
					t.Errorf("generation %d of %s was given before", x.Generation, v)
				}
			}
			if l := lossOf(t, k); l == nil || l.From > kept || l.To <= kept || l.Epoch != 1 {
				t.Errorf("%d of %d commands are left; noted is %+v", kept, before, l)
			}
			// Another point comes to the same state, from the snapshot that was stored after the loss.
			enforcetest.Within(t, "the state after the loss is stored", func() bool {
				return k.PartitionInfo(wire.BreakersTopic, 0).HighWatermark > 1
			})
			c := run(t, k, "c", nil)
			end := b.Audit()
			enforcetest.Within(t, "both points have the same trail", func() bool { return c.Audit() == end })
		})
	}
}

// lossOf returns the loss of commands in flyball.events; nil: there is none.
func lossOf(t *testing.T, k *kfake.Cluster) (found *schema.LogLoss) {
	t.Helper()
	_, err := kafka.ReadToEnd(context.Background(), enforcetest.Config(k), "test", wire.EventsTopic, nil, func(r *kgo.Record) error {
		e, err := wire.DecodeEvent(r.Value)
		if err == nil && e.Loss != nil && e.Loss.Topic == wire.CommandsTopic {
			found = e.Loss
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestRestartWithoutALossChangesState(t *testing.T) {
	dir := t.TempDir()
	k := onDisk(t, dir)
	a := run(t, k, "a", nil)
	a.AwaitSettings(t)
	a.runaways(t, 0, 5)
	a.StoreSnapshot(context.Background())
	enforcetest.Within(t, "the state is stored", func() bool { return k.PartitionInfo(wire.BreakersTopic, 0).HighWatermark > 0 })
	a.runaways(t, 5, 5)
	want := a.Audit()
	generations := map[string]uint64{}
	for _, x := range a.Breakers() {
		generations[x.Scope.Value] = x.Generation
	}
	a.Stop()
	k = cutCommands(t, dir, k, 1)
	b := run(t, k, "b", nil)
	if b.Audit() != want || lossOf(t, k) != nil {
		t.Errorf("%+v, was %+v; %+v", b.Audit(), want, lossOf(t, k))
	}
	for _, x := range b.Breakers() {
		if generations[x.Scope.Value] != x.Generation {
			t.Errorf("%s has generation %d, had %d", x.Scope.Value, x.Generation, generations[x.Scope.Value])
		}
	}
}
