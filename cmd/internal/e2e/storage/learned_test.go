package storage

import (
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// What the newest version knows counts: an older one knew other agents, and another tenant has a version of its own.
func TestOlderBaselineSaysWhoIsKnown(t *testing.T) {
	c := migrated(t)
	none, err := query.ReadLearnedAgents(t.Context(), c, "t")
	if err != nil || !none.Recorded || none.Runs != 0 || len(none.Agents) != 0 {
		t.Errorf("without a version: %+v, %v", none, err)
	}
	day := int64(24 * time.Hour)
	block := clickhouse.BaselinesTable.NewBlock()
	for _, r := range []schema.BaselineRow{
		{Tenant: "t", Agent: "gone", MadeAt: 1 * day, Runs: 7, Acquaintance: schema.KnownAgent, Body: `{"learned":{"runs":7}}`},
		{Tenant: "t", Agent: "kept", MadeAt: 1 * day, Runs: 30, Acquaintance: schema.KnownAgent, Body: `{"learned":{"runs":30}}`},
		{Tenant: "t", Agent: "kept", MadeAt: 9 * day, Runs: 31, Until: 8 * day, Acquaintance: schema.KnownAgent,
			Body: `{"seen_at_ns":5,"learned":{"acquaintance":"known_agent","runs":31,"group":"g","peer_runs":61,"wait_days":0},"uncalibrated":{"new_agent":"few_held_out_runs"}}`},
		{Tenant: "t", Agent: "x/new", MadeAt: 9 * day, Runs: 2, Until: 8 * day, Acquaintance: schema.NewPopulation,
			Body: `{"learned":{"acquaintance":"new_population","runs":2,"group":"x","wait_runs":18},"uncalibrated":{"new_agent":"few_held_out_runs"}}`},
		{Tenant: "other", Agent: "kept", MadeAt: 10 * day, Runs: 1, Acquaintance: schema.NewPopulation, Body: `{"learned":{}}`},
		{Tenant: "earlier", Agent: "a", MadeAt: day, Runs: 5, Body: `{"runs":5}`},
	} {
		block.Append(&r)
	}
	if err := c.Insert(t.Context(), block); err != nil {
		t.Fatal(err)
	}
	got, err := query.ReadLearnedAgents(t.Context(), c, "t")
	if err != nil || !got.Recorded || got.Runs != 33 || got.Quarantine != 24*time.Hour || len(got.Agents) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	if len(got.Uncalibrated) != 1 || got.Uncalibrated[schema.NewAgent] != "few_held_out_runs" {
		t.Errorf("a class without agents has no reason: %v", got.Uncalibrated)
	}
	kept, stranger := got.Agents["kept"], got.Agents["x/new"]
	if kept.Acquaintance != schema.KnownAgent || kept.Runs != 31 || kept.PeerRuns != 61 ||
		kept.SeenAt.UnixNano() != 5 || kept.WaitDays.IsZero() {
		t.Errorf("%+v", kept)
	}
	if stranger.Acquaintance != schema.NewPopulation || stranger.WaitRuns != 18 || !stranger.WaitDays.IsZero() {
		t.Errorf("a wait that is not known is 0 days: %+v", stranger)
	}
	if got, err = query.ReadLearnedAgents(t.Context(), c, "earlier"); err != nil || got.Recorded {
		t.Errorf("a version of an earlier release: %+v, %v", got, err)
	}
	if got := sql(t, c, "SELECT groupArray(concat(name, ' ', acquaintance)) FROM {db}.baselines WHERE tenant = 't' AND runs > 30"); got !=
		"['kept known_agent']" {
		t.Error(got)
	}
}
