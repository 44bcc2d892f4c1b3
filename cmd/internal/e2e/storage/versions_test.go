package storage

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// Versions of agents are looked for on the day before a short window first, and further back only for agents that may have a new one.
// Random runs of two tenants, also such as began long before their last call, must give the versions that all runs of thirty days give.
func TestVersionIsNewThatRanBeforeOrIsNotThatIsNew(t *testing.T) {
	c := migrated(t)
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(4, seed))
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	runs := clickhouse.RunsTable.NewBlock()
	var stored []schema.RunSnapshot
	for n := range 400 {
		agent := r.IntN(8)
		at := from.Add(time.Duration(r.Int64N(int64(70 * day))))
		s := schema.RunSnapshot{RunID: schema.RunID{byte(n), byte(n >> 8)}, Tenant: fmt.Sprint("tenant-", r.IntN(2)), Version: 2,
			Actor: fmt.Sprint("g:actor-", agent, "-", r.IntN(2)), AgentID: fmt.Sprint("agent-", agent), OpenedDay: schema.DayOf(at.UnixNano()),
			StartedAt: at.UnixNano(), LastAt: at.Add(time.Duration(r.Int64N(int64(time.Hour)))).UnixNano()}
		switch {
		case r.IntN(9) == 0: // no version
		case agent < 4: // one after the other, and then the first again
			s.AgentVersion = fmt.Sprint("v", at.Sub(from)/(9*day)%5)
		default:
			s.AgentVersion = fmt.Sprint("v", r.IntN(3))
		}
		if r.IntN(10) == 0 {
			s.LastAt += r.Int64N(int64(40 * day))
		}
		if r.IntN(20) == 0 {
			s.AgentID = ""
		}
		stored = append(stored, s)
		runs.Append(&s)
	}
	insert(t, c, runs)
	want := func(tenant string, some query.SomeAgents, win query.Window) (out []query.Deployed) {
		first := map[query.Deployed]time.Time{}
		for _, s := range stored {
			began, ended := time.Unix(0, s.StartedAt).UTC(), time.Unix(0, s.LastAt)
			v := query.Deployed{Tenant: s.Tenant, Agent: s.AgentID, Version: s.AgentVersion}
			if tenant != "" && tenant != s.Tenant || v.Agent == "" || v.Version == "" || !some.Fit(v.Agent) || began.After(win.Until) ||
				ended.Before(win.Since.Add(-30*day)) {
				continue
			}
			if at, ok := first[v]; !ok || began.Before(at) {
				first[v] = began
			}
		}
		for v, at := range maps.All(first) {
			if v.At = at; at.Before(win.Since) {
				continue
			}
			latest := time.Time{}
			for o, began := range first {
				if o.Tenant == v.Tenant && o.Agent == v.Agent && began.Before(at) && began.After(latest) {
					latest, v.Before = began, o.Version
				}
			}
			out = append(out, v)
		}
		slices.SortFunc(out, func(a, b query.Deployed) int { return b.At.Compare(a.At) })
		return out
	}
	found := 0
	for range 8 {
		since := from.Add(time.Duration(r.Int64N(int64(70 * day))))
		for _, length := range []time.Duration{6 * time.Hour, 2 * day, 7 * day, 20 * day} {
			win := query.Window{Since: since, Until: since.Add(length)}
			some := []query.SomeAgents{{}, {}, {Agent: "agent-1"}, {Agents: query.Names{{Pattern: "agent-[0-3]"}}},
				{Agents: query.Names{{Any: []string{"agent-2", "agent-5"}}, {Not: true, Any: []string{"agent-5"}}}}}[r.IntN(5)]
			tenant := []string{"", "tenant-1"}[r.IntN(2)]
			got, more, err := query.Deploys(t.Context(), query.OfTenant(c, tenant), some, win, 1000)
			if err != nil || more {
				t.Fatal(err, more)
			}
			for i := range got {
				got[i].At = got[i].At.UTC()
			}
			expected := want(tenant, some, win)
			found += len(expected)
			if !slices.Equal(got, expected) {
				t.Errorf("seed %d, tenant %q, %+v, %v: %v, want %v", seed, tenant, some, win, got, expected)
			}
		}
	}
	if found == 0 {
		t.Error("no window had a new version")
	}
}

// A letter that became a call is known by its place, whenever the call began and however late it came, so that it is not sent again; and
// what became a call before a time is not looked for.
func TestReplayedLetterIsSentAgain(t *testing.T) {
	c := migrated(t)
	at := time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)
	call := func(n int, began, inKafka time.Time, place string) schema.Call {
		v := schema.Call{Source: schema.Source{Topic: "gw"}, Pos: schema.Position{Offset: int64(n)}, Tenant: "default", ActorHash: uint32(n % 2),
			RunID: schema.RunID{byte(n)}, Start: began.UnixNano(), KafkaTime: inKafka.UnixNano(), DurationNs: -1}
		if place != "" {
			v.Attrs = []schema.Attr{{Key: "other", Value: "gw/0/9/9"}, {Key: "replay_of", Value: place}}
		}
		return v
	}
	const day = 24 * time.Hour
	insertCalls(t, c, call(1, at, at, ""), call(2, at.Add(-9*day), at.Add(-9*day), "gw/0/1/0"), call(3, at.Add(-time.Hour), at, "gw/0/2/0"),
		call(4, at.Add(-3*day+time.Millisecond), at, "gw/0/3/0"), call(5, at.Add(-60*day), at.Add(time.Second), "gw/0/4/0"),
		call(6, at.Add(10*time.Minute), at, "gw/0/5/0"), call(7, at.Add(time.Minute), at.Add(time.Minute), "gw/0/5/0"))
	for since, want := range map[time.Time][]string{
		{}: {"gw/0/1/0", "gw/0/2/0", "gw/0/3/0", "gw/0/4/0", "gw/0/5/0"},
		at: {"gw/0/2/0", "gw/0/3/0", "gw/0/4/0", "gw/0/5/0"},
	} {
		places, err := query.ReplayedPlaces(t.Context(), c, since)
		if got := slices.Sorted(maps.Keys(places)); err != nil || !slices.Equal(got, want) {
			t.Errorf("since %v: %q, %v, want %q", since, got, err, want)
		}
	}
}
