package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/wire"
)

// eventsOf writes the events of runs of one agent, one after another: a finding, and a breaker that denies its run.
func eventsOf(t *testing.T, k *kfake.Cluster, ids ...string) {
	t.Helper()
	now := time.Now()
	for i, id := range ids {
		f := schema.FindingEvent(&schema.Finding{ID: id, Version: 1, Tenant: "default", RunID: schema.RunID{byte(i + 1)}, AgentID: "billing/bot",
			AgentTrust: schema.TrustVerified, Family: schema.FamilyLoop, Level: schema.LevelAlert, OpenedAt: now.UnixNano(),
			UpdatedAt: now.UnixNano()})
		b := schema.BreakerEvent(&schema.Breaker{Tenant: "default", Scope: schema.Scope{Kind: schema.ScopeRun, Value: id},
			State: schema.BreakerOpen, Mode: schema.ModeArmed, Generation: uint64(i + 1), FindingID: id, Since: now.UnixNano()})
		produce(t, k, now, f, b)
	}
}

// produce writes events to flyball.alerts.
func produce(t *testing.T, k *kfake.Cluster, at time.Time, events ...schema.Event) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...), kgo.DefaultProduceTopic(wire.AlertsTopic))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var records []*kgo.Record
	for i := range events {
		value, err := wire.EncodeEvent(&events[i])
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, &kgo.Record{Timestamp: at, Value: value})
	}
	if err := client.ProduceSync(context.Background(), records...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// Whoever asks why nobody was called about a finding is told for each receiver, also that another finding's incident counts it.
func TestNobodyKnowsWhyNobodyWasCalled(t *testing.T) {
	k := kafkatest.Start(t, kfake.SeedTopics(1, wire.AlertsTopic))
	eventsOf(t, k, "f_first", "f_second")
	f := newFixture(t, fmt.Sprintf("kafka: {brokers: [%q]}\nalerts: {receivers: [{name: soc, alertmanager: {url: \"http://x\"}}, "+
		"{name: night, alertmanager: {url: \"http://y\"}}], "+
		"routes: [{receivers: [soc], continue: true}, {min_level: trip, receivers: [night]}]}\n",
		k.ListenAddrs()[0]))
	for id, want := range map[string]string{
		"f_first":  "night not_routed f_first; night not_routed f_first; soc finding_opened f_first paged; soc breaker_opened f_first paged",
		"f_second": "night not_routed f_first; night not_routed f_first; soc joined_agent f_first; soc already_told f_first",
	} {
		exit, out, errs := f.run("alert", "explain", id, "-o", "json")
		var got []alertDecision
		if err := json.Unmarshal([]byte(out), &got); exit != 0 || err != nil {
			t.Fatalf("exit %d, %s%s, %v", exit, out, errs, err)
		}
		var lines []string
		for _, d := range got {
			line := strings.TrimRight(fmt.Sprint(d.Receiver, " ", d.Reason, " ", d.Incident), " ")
			if d.Notified {
				line += " paged"
			}
			if lines = append(lines, line); d.Notified != (d.Page != "") || d.Meaning == "" || d.Finding != id {
				t.Errorf("%+v", d)
			}
		}
		if got := strings.Join(lines, "; "); got != want {
			t.Errorf("%s: %s\nwant %s", id, got, want)
		}
	}
	if _, out, _ := f.run("alert", "explain", "f_seco"); !strings.Contains(out, "the open incident of its agent counts it") {
		t.Errorf("for people: %s", out)
	}
	if _, out, _ := f.run("alert", "explain", "f_first"); strings.Count(out, "night ") != 2 || strings.Count(out, "soc ") != 2 {
		t.Errorf("a decision is repeated, or a notification is missing: %s", out)
	}
	if exit, _, errs := f.run("alert", "explain", "f_none"); exit == 0 || !strings.Contains(errs, "events are kept for") {
		t.Errorf("exit %d: %s", exit, errs)
	}
}

// A finding has a version for each call that changes it, and every event may be in the log twice: who asks wants the decisions.
func TestExplanationRepeatsARowForEachVersion(t *testing.T) {
	k := kafkatest.Start(t, kfake.SeedTopics(1, wire.AlertsTopic))
	now := time.Now()
	finding := func(version uint64, level schema.Level) schema.Event {
		return schema.FindingEvent(&schema.Finding{ID: "f_many", Version: version, Tenant: "default", RunID: schema.RunID{1},
			AgentID: "billing/bot", AgentTrust: schema.TrustVerified, Family: schema.FamilyLoop, Level: level, OpenedAt: now.UnixNano(),
			UpdatedAt: now.UnixNano()})
	}
	ack := func(generation uint64, undone bool) schema.Event {
		return schema.AckEvent(&schema.Acknowledgement{Tenant: "default", Incident: "f_many", By: "ana", Why: "mine", At: now.UnixNano(),
			Generation: generation, Undone: undone})
	}
	var events []schema.Event
	for v := range uint64(30) {
		events = append(events, finding(v+1, schema.LevelAlert), finding(v+1, schema.LevelAlert))
	}
	events = append(events, ack(40, false), ack(41, true), ack(41, true), finding(31, schema.LevelAlert), finding(32, schema.LevelTrip))
	produce(t, k, now, events...)
	f := newFixture(t, fmt.Sprintf("kafka: {brokers: [%q]}\nalerts: {receivers: [{name: soc, alertmanager: {url: \"http://x\"}}]}\n",
		k.ListenAddrs()[0]))
	exit, out, errs := f.run("alert", "explain", "f_many", "-o", "json")
	var got []alertDecision
	if err := json.Unmarshal([]byte(out), &got); exit != 0 || err != nil {
		t.Fatalf("exit %d, %s%s, %v", exit, out, errs, err)
	}
	var lines []string
	for _, d := range got {
		lines = append(lines, fmt.Sprint(d.Event, ": ", d.Reason, " x", d.Times, " +", d.Repeats))
	}
	want := []string{"finding open, alert: finding_opened x1 +1", "finding open, alert: level_not_raised x29 +29",
		"acknowledgement by ana: acknowledged x1 +0", "acknowledgement taken back by ana: acknowledgement_undone x1 +1",
		"finding open, alert: level_not_raised x1 +0", "finding open, trip: level_raised x1 +0"}
	if got, want := strings.Join(lines, "\n"), strings.Join(want, "\n"); got != want {
		t.Errorf("%s\nwant\n%s", got, want)
	}
	if _, out, _ := f.run("alert", "explain", "f_many"); !strings.Contains(out, "finding open, alert (29 times)") {
		t.Errorf("for people: %s", out)
	}
}
