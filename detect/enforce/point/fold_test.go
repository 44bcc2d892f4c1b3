package point_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"

	"flyball/detect/enforce/api"
	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/enforcetest"
	"flyball/schema"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/wire"
)

func TestNewerCommandEndsThePointByNameAndUntilThenTheFailureModeHolds(t *testing.T) {
	k, log := enforcetest.Broker(t), &enforcetest.Lines{}
	r := launch(t, k, "a", func(o *enforcetest.Options) { o.Logger = log.Logger() })
	enforcetest.Within(t, "ready", func() bool { return r.Ready() == nil })
	r.trip(t, schema.ScopeCredential, "support")
	at := enforcetest.Produce(t, k, wire.CommandsTopic, "", []byte(`{"v":99,"body":{}}`))
	r.AwaitEnd(t, wire.CommandsTopic, fmt.Sprintf("offset %d", at), "version 99")
	if log.Count("cannot go on") != 1 || log.Count("version 99") == 0 {
		t.Error("nothing in the log says why the point ended")
	}
	for _, tc := range []struct {
		agent, method string
		want          int
	}{{"billing", "GET", 200}, {"billing", "DELETE", 403}, {"support", "GET", 403}} {
		if v := r.Ask(tc.agent, "r", tc.method, "/v1/orders/1", ""); v.Status != tc.want {
			t.Errorf("%s of %s by a point that has ended: %+v", tc.method, tc.agent, v)
		}
	}
	trip := forced(schema.ScopeAgent, "x")
	if code, text := r.Operate(t, "POST", "/v1/breakers/trip", trip, ""); code != 503 || !strings.Contains(text, "version 99") {
		t.Errorf("a command to a point that has ended: %d %s", code, text)
	}
	again := launch(t, k, "a", nil)
	again.AwaitEnd(t, wire.CommandsTopic, fmt.Sprintf("offset %d", at), "version 99")
}

func TestNewerSnapshotEndsThePointByNameAndABrokenOneIsPassedOver(t *testing.T) {
	k := enforcetest.Broker(t)
	enforcetest.Produce(t, k, wire.BreakersTopic, "snapshot", []byte(`{"v":3,"body":{"offset":"x"}}`), []byte("\x00garbage"))
	r := run(t, k, "a", nil)
	if n := r.options.Metric(t, "flyball_control_malformed_total", "snapshot"); n != 2 {
		t.Errorf("%v snapshots were counted", n)
	}
	enforcetest.Produce(t, k, wire.BreakersTopic, "snapshot", []byte(`{"v":99,"body":{}}`))
	launch(t, k, "b", nil).AwaitEnd(t, wire.BreakersTopic, "offset 2", "version 99")
}

// All points skip a record that no release writes, so that their states stay the same.
func TestForgedCommandIsPassedOverAndCounted(t *testing.T) {
	k := enforcetest.Broker(t)
	a, b := run(t, k, "a", nil), run(t, k, "b", nil)
	enforcetest.Produce(t, k, wire.CommandsTopic, "", []byte(`{"v":2,"body":{"id":"1","kind":"teleport"}}`),
		[]byte(`{"v":2,"body":{"id":"2","kind":"settings","tenant":"t","reason":"x","settings":{"trips_per_hour":0}}}`),
		[]byte(`{"v":1,"body":[]}`), []byte("\xff"))
	a.trip(t, schema.ScopeAgent, "x")
	for _, r := range []*site{a, b} {
		enforcetest.Within(t, "the trip is folded", func() bool { return len(r.Breakers()) == 1 })
		for _, why := range []string{"unknown_kind", "malformed"} {
			if n := r.options.Metric(t, "flyball_control_malformed_total", why); n != 2 {
				t.Errorf("%s: %v are counted", why, n)
			}
		}
		if s := settingsLine(t, r); s.TripsPerHour != breaker.DefaultBudget().PerHour {
			t.Errorf("settings of version 2 were taken: %+v", s)
		}
	}
	if a.Audit() != b.Audit() {
		t.Error("the points have different trails")
	}
}

func heartbeat(t *testing.T, name string, reads int, at int64) []byte {
	b, err := wire.EncodeDocument(wire.PointVersion, &schema.PointState{Point: name, At: at, Reads: reads})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOldPointBesideANewOneIsNeverGivenWhatItCannotRead(t *testing.T) {
	k := enforcetest.Broker(t)
	enforcetest.Produce(t, k, wire.PointsTopic, "old", heartbeat(t, "old", 0, time.Now().UnixNano()))
	r := run(t, k, "new", nil)
	enforcetest.Within(t, "the heartbeats are read", func() bool {
		return !strings.Contains(fmt.Sprint(r.Supports(schema.CommandSettings)), "are being read")
	})
	trips := 3
	code, text := r.Operate(t, "POST", "/v1/settings", api.ChangeSettingsRequest{TripsPerHour: &trips, Reason: "x"}, "")
	if code != 409 || !strings.Contains(text, "old") || strings.Contains(text, "new,") {
		t.Fatalf("%d %s", code, text)
	}
	r.PutManifest(t, enforcetest.Billing)
	if s := settingsLine(t, r); s.Generation != 0 {
		t.Fatalf("settings were written beside an old point: %+v", s)
	}
	for _, rec := range enforcetest.Records(t, k, wire.CommandsTopic, r.Heartbeat().Applied+1) {
		var head struct{ V int }
		if err := json.Unmarshal(rec.Value, &head); err != nil || head.V > 2 {
			t.Errorf("offset %d cannot be read by the version before: %.80s", rec.Offset, rec.Value)
		}
	}
	enforcetest.Produce(t, k, wire.PointsTopic, "old", heartbeat(t, "old", schema.CommandsFeature, time.Now().UnixNano()))
	r.AwaitSettings(t)
	r.Must(t, "POST", "/v1/settings", api.ChangeSettingsRequest{TripsPerHour: &trips, Reason: "x"})
	if s := settingsLine(t, r); s.TripsPerHour != 3 || s.AgentsPercent != 10 || !s.Differ {
		t.Errorf("%+v", s)
	}
}

func TestBudgetOfTheFileChangedAndRestartedDecidesNothingAnew(t *testing.T) {
	k := enforcetest.Broker(t)
	a := run(t, k, "a", nil)
	a.AwaitSettings(t)
	want := strings.Join(a.runaways(t, 0, 8), " ")
	if strings.Count(want, "applied") != 5 || strings.Count(want, "trip_withheld") != 3 {
		t.Fatal(want)
	}
	before := a.Audit()
	a.Stop()
	log := &enforcetest.Lines{}
	b := run(t, k, "a", func(o *enforcetest.Options) {
		o.Budget, o.Logger = breaker.Budget{PerHour: 1000, Percent: 100}, log.Logger()
	})
	if got := strings.Join(b.results(8), " "); got != want {
		t.Errorf("before the restart %s, after it %s", want, got)
	}
	view := b.Acquire()
	e, ok := view.EntryAt(before.Seq)
	view.Release()
	if !ok || e.Hash != before.Hash {
		t.Errorf("the trail is another one: %+v, before the restart %+v", e, before)
	}
	if out := b.runaways(t, 8, 1); out[0] != "trip_withheld" {
		t.Errorf("the file's budget holds against the log's: %s", out)
	}
	enforcetest.Within(t, "the point says that its file differs", func() bool {
		return log.Count("is not what holds") > 0 && b.options.Metric(t, "flyball_settings_differ") == 1 && settingsLine(t, b).Differ
	})
	trips := 20
	b.Must(t, "POST", "/v1/settings", api.ChangeSettingsRequest{TripsPerHour: &trips, Reason: "a busy week", By: "ann"})
	if out := b.runaways(t, 9, 1); out[0] != "applied" {
		t.Errorf("after the settings were changed: %s", out)
	}
	if log.Count("is not what holds") != 1 {
		t.Error("it is not said once")
	}
}

func TestTwoPointsWithDifferentFilesComeToTheSameState(t *testing.T) {
	k := enforcetest.Broker(t)
	a := launch(t, k, "a", func(o *enforcetest.Options) { o.Budget = breaker.Budget{PerHour: 2, Percent: 100} })
	b := launch(t, k, "b", func(o *enforcetest.Options) { o.Budget = breaker.Budget{PerHour: 1000, Percent: 100} })
	for _, r := range []*site{a, b} {
		r.AwaitSettings(t)
	}
	if x, y := settingsLine(t, a), settingsLine(t, b); x.TenantSettings != y.TenantSettings || x.Differ == y.Differ {
		t.Fatalf("%+v\n%+v", x, y)
	}
	a.runaways(t, 0, 5)
	end := a.Audit()
	enforcetest.Within(t, "the other point has folded it", func() bool { return b.Audit().Seq >= end.Seq })
	if x, y := strings.Join(a.results(5), " "), strings.Join(b.results(5), " "); x != y || a.Audit() != b.Audit() {
		t.Errorf("%s and %s", x, y)
	}
}

func TestLostTailOfTheCommandsIsSaidAndTripsWorkAtOnce(t *testing.T) {
	k := enforcetest.Broker(t)
	a := run(t, k, "a", nil)
	a.AwaitSettings(t)
	a.trip(t, schema.ScopeCredential, "support")
	a.runaways(t, 0, 20)
	a.StoreSnapshot(context.Background())
	enforcetest.Within(t, "the state is stored", func() bool { return k.PartitionInfo(wire.BreakersTopic, 0).HighWatermark > 0 })
	a.Stop()
	stored, log := enforcetest.Records(t, k, wire.BreakersTopic, 1), enforcetest.Records(t, k, wire.CommandsTopic, a.Heartbeat().Applied+1)
	cut := enforcetest.Broker(t) // the same log with only the first five records
	// The cut log is the same topic: only its end is missing.
	id := func(k *kfake.Cluster) []byte {
		return []byte(schema.TopicID(k.TopicInfo(wire.CommandsTopic).TopicID).String())
	}
	enforcetest.Produce(t, cut, wire.BreakersTopic, "snapshot", bytes.Replace(stored[0].Value, id(k), id(cut), 1))
	for _, r := range log[:5] {
		enforcetest.Produce(t, cut, wire.CommandsTopic, "", r.Value)
	}
	text := &enforcetest.Lines{}
	b := run(t, cut, "a", func(o *enforcetest.Options) { o.Logger = text.Logger() })
	if text.Count("the log ends before records that existed") != 1 ||
		b.options.Metric(t, "flyball_control_log_lost_records_total", "tail") < 10 {
		t.Error("nothing says that commands were lost")
	}
	generations := map[uint64]bool{}
	for _, l := range history(b) {
		generations[l.Generation] = true
	}
	began := time.Now()
	b.trip(t, schema.ScopeCredential, "billing")
	if v := b.Ask("billing", "r", "GET", "/", ""); v.Status != 403 || time.Since(began) > 2*time.Second {
		t.Errorf("%s after the trip: %+v", time.Since(began), v)
	}
	if v := b.Ask("support", "r", "GET", "/", ""); v.Status != 403 {
		t.Errorf("what was folded before is forgotten: %+v", v)
	}
	if g := b.Breakers()[0].Generation; generations[g] {
		t.Errorf("generation %d is given twice", g)
	}
	b.StoreSnapshot(context.Background())
	enforcetest.Within(t, "the state is stored", func() bool { return cut.PartitionInfo(wire.BreakersTopic, 0).HighWatermark > 1 })
	end := b.Audit()
	b.Stop()
	c := run(t, cut, "a", nil)
	if n := c.options.Metric(t, "flyball_control_log_lost_records_total", "tail"); n != 0 || len(c.Breakers()) != len(b.Breakers()) ||
		c.Audit() != end {
		t.Errorf("%v lost at the next start; %+v and %+v", n, c.Audit(), end)
	}
}

// settingsLine returns the API's response about settings.
func settingsLine(t *testing.T, s *site) (line api.SettingsLine) {
	t.Helper()
	code, text := s.Operate(t, "GET", "/v1/settings", nil, "")
	if err := json.Unmarshal([]byte(text), &line); err != nil || code != 200 {
		t.Fatalf("%d %s %v", code, text, err)
	}
	return line
}

// history returns the history of breakers.
func history(s *site) []*schema.Breaker {
	v := s.Acquire()
	defer v.Release()
	return v.Breakers.History()
}

func TestMissingRightsEndThePointByName(t *testing.T) {
	for name, refuse := range map[string]func(*kfake.Cluster){
		"to read":  func(k *kfake.Cluster) { kafkatest.RefuseFetches(k, "", kerr.TopicAuthorizationFailed) },
		"to write": func(k *kfake.Cluster) { kafkatest.RefuseProduce(k, "", kerr.TopicAuthorizationFailed) },
	} {
		t.Run(name, func(t *testing.T) {
			k := enforcetest.Broker(t)
			enforcetest.Produce(t, k, wire.BreakersTopic, "snapshot", []byte("x"))
			refuse(k)
			launch(t, k, "a", nil).AwaitEnd(t, "flyball.", "AUTHORIZATION")
		})
	}
}

// Reading snapshots never ended while every fetch of their topic was refused: the point was never
// ready, and no error ended it.
func TestRefusedSnapshotsEndTheRestoreByName(t *testing.T) {
	k := enforcetest.Broker(t)
	enforcetest.Produce(t, k, wire.BreakersTopic, "snapshot", []byte("x"))
	kafkatest.RefuseFetches(k, wire.BreakersTopic, kerr.TopicAuthorizationFailed)
	r := launch(t, k, "a", nil)
	r.AwaitEnd(t, "control-restore", wire.BreakersTopic, "AUTHORIZATION")
}

// A heartbeat that is not written is counted. If it can never be written, the point ends.
func TestRefusedHeartbeatIsCountedAndEndsThePoint(t *testing.T) {
	k := enforcetest.Broker(t)
	kafkatest.RefuseProduce(k, wire.PointsTopic, kerr.TopicAuthorizationFailed)
	r := launch(t, k, "a", nil)
	r.AwaitEnd(t, "heartbeat", wire.PointsTopic, "AUTHORIZATION")
	if n := r.options.Metric(t, "flyball_control_log_errors_total", "write", "heartbeat"); n == 0 {
		t.Error("it is not counted")
	}
}
