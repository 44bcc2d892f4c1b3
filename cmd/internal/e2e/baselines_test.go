package e2e

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// learnedOfAgent is what a baseline knows of an agent, in the output of several commands.
type learnedOfAgent struct {
	Acquaintance string
	Runs         int
	Group        string
	PeerRuns     int `json:"peer_runs"`
	PeerAgents   int `json:"peer_agents"`
	WaitRuns     int `json:"wait_runs"`
}

// agentBaseline is an agent in the output of `baselines show`.
type agentBaseline struct {
	Baseline string           `json:"baseline"`
	State    string           `json:"state"`
	Why      string           `json:"why"`
	Runs     int              `json:"runs"`
	Carried  string           `json:"carried_from"`
	Usual    []map[string]any `json:"usual"`
	Learned  learnedOfAgent   `json:"learned"`
	Peers    string           `json:"how_peers_are_found"`
}

func (f *flyball) orders(n int) {
	f.t.Helper()
	f.until("the order is stored", 20*time.Second, fmt.Sprint(n),
		func() (string, error) { return f.sql("SELECT sum(generation > 0) FROM flyball.baseline_orders") })
}

// The life cycle of a baseline: learned, listed, shown; frozen and learned again without a
// change; reset and learned from new runs.
func TestBaselineLosesAnOperatorsWord(t *testing.T) {
	f := install(t, "", "")
	configure(t, f, fmt.Sprintf(loopConfig, f.ports["control"]))
	f.start("FLYBALL_LEARN_MIN_RUNS=1000000") // it learns only by command
	now := time.Now()
	calls := 0
	past := func(day, runs, bytes int, agents ...string) {
		var lines []string
		for run := range runs {
			for _, agent := range agents {
				for call := range 4 {
					at := now.Add(-time.Duration(day)*24*time.Hour - 2*time.Hour + time.Duration(run)*time.Minute + time.Duration(call)*time.Second)
					lines = append(lines, record(at, agent, fmt.Sprintf("past-%s-%d-%d", agent, day, run), fmt.Sprintf("/v1/orders/%d", run*100+call),
						"GET", 200, bytes+17*call))
				}
			}
		}
		f.send(lines...)
		calls += len(lines)
		f.until("the past is stored", time.Minute, fmt.Sprint(calls/4),
			func() (string, error) { return f.sql("SELECT count() FROM flyball.runs WHERE calls = 4") })
	}
	agents := []string{"fleet/a0", "fleet/a1", "fleet/a2", "fleet/a3"}
	for day := 6; day > 1; day-- {
		past(day, 6, 400, agents...)
	}
	past(3, 5, 400, "cloud/audit")
	if out := f.run([]int{0}, "learn", "--once"); !strings.Contains(out, "125 runs") {
		t.Fatalf("learned of another past: %s", out)
	}
	show := func(agent string) (a agentBaseline) {
		t.Helper()
		f.json(&a, "baselines", "show", "--agent", agent)
		return a
	}
	first := show("fleet/a1")
	if first.State != "active" || first.Why != "taught" || first.Runs != 30 || len(first.Usual) != 10 ||
		!strings.Contains(first.Peers, "first slash") {
		t.Fatalf("%+v", first)
	}
	known := learnedOfAgent{"known_agent", 30, "fleet", 120, 4, 0}
	stranger := learnedOfAgent{"new_population", 5, "cloud", 5, 1, 15}
	if got := show("cloud/audit").Learned; first.Learned != known || got != stranger {
		t.Errorf("the version knows %+v and %+v", first.Learned, got)
	}
	for _, listing := range []string{"agents", "start-here"} {
		var rows []struct {
			ID      string `json:"agent_id"`
			Learned learnedOfAgent
			Guarded []string `json:"guarded_by"`
			Alerts  []string `json:"alerts_only"`
		}
		f.json(&rows, listing, "--since", "240h")
		said := map[string]learnedOfAgent{}
		for _, r := range rows {
			said[r.ID] = r.Learned
			if listing == "start-here" && (!slices.Contains(r.Alerts, "repeats") || slices.Contains(r.Guarded, "repeats")) {
				t.Errorf("two groups are too few for trips, and %s is guarded by %v, with alerts only for %v", r.ID, r.Guarded, r.Alerts)
			}
		}
		if said["cloud/audit"] != stranger || listing == "agents" && said["fleet/a1"] != known || listing == "start-here" && len(said) != 1 {
			t.Errorf("%s knows %+v", listing, said)
		}
	}
	if text := f.run([]int{0}, "baselines", "show", "--agent", "fleet/a1"); !strings.Contains(text,
		"its own past is what it is compared with") {
		t.Error(text)
	}
	// A run that is scored now can be scored again.
	var loop []string
	for i := range 12 {
		loop = append(loop, record(now.Add(time.Duration(i-40)*time.Minute/10), "fleet/a3", "again", "/v1/orders/7", "GET", 200, 512))
	}
	sent := 0
	f.until("the run trips", 20*time.Second, "1", func() (string, error) {
		f.send(loop...)
		sent += len(loop)
		time.Sleep(300 * time.Millisecond)
		return f.sql("SELECT uniqExact(run_id) FROM flyball.findings WHERE agent_id = 'fleet/a3' AND level = 'trip'")
	})
	var found []struct {
		Agent        string `json:"agent_id"`
		Acquaintance string
	}
	f.json(&found, "findings", "--since", "", "--agent", "fleet/a3")
	if len(found) == 0 || found[0].Acquaintance != "known_agent" {
		t.Errorf("the findings do not say that their caller is known: %+v", found)
	}
	f.until("the run is stored as it ended", 20*time.Second, fmt.Sprint(sent), func() (string, error) {
		return f.sql("SELECT calls FROM flyball.runs WHERE run_key = 'again'")
	})

	f.run([]int{2}, "baselines", "freeze", "--reason", "of whom?")
	f.run([]int{2}, "baselines", "reset", "--agent", "fleet/a1")
	f.run([]int{1}, "baselines", "show", "--agent", "fleet/nobody")
	f.run([]int{1}, "baselines", "show", "20200101T000000.000000000Z")
	f.run([]int{0}, "baselines", "freeze", "--agent", "fleet/a1", "--reason", "it is being looked into")
	f.orders(1)
	past(1, 6, 700, agents...)
	f.run([]int{0}, "learn", "--once")
	frozen, other := show("fleet/a1"), show("fleet/a2")
	if frozen.State != "frozen" || frozen.Why != "operator" || frozen.Runs != 30 || frozen.Carried != first.Baseline ||
		frozen.Baseline == first.Baseline {
		t.Errorf("frozen: %+v", frozen)
	}
	if other.State != "active" || other.Runs != 36 {
		t.Errorf("the others do not learn on: %+v", other)
	}

	f.run([]int{0}, "baselines", "freeze", "--agent", "fleet/a1", "--off", "--reason", "it was nothing")
	f.run([]int{0}, "baselines", "reset", "--agent", "fleet/a1", "--reason", "it is another program now")
	f.until("both orders are stored", 20*time.Second, "1 1", func() (string, error) {
		return f.sql("SELECT concat(toString(countIf(kind = 'reset')), ' ', toString(countIf(kind = 'freeze' AND off))) FROM " +
			"flyball.baseline_orders")
	})
	f.run([]int{0}, "learn", "--once")
	forgotten, kept := show("fleet/a1"), show("fleet/a2")
	if forgotten.State != "learning" || forgotten.Why != "reset" || forgotten.Runs != 0 || kept.Runs != 36 {
		t.Errorf("forgotten: %+v, kept: %+v", forgotten, kept)
	}

	var list []struct {
		Version                string
		Active                 bool
		Runs, Learning, Frozen int
		Parent                 string
		Acquaintance           map[string]int
	}
	f.json(&list, "baselines", "list")
	if len(list) != 3 || !list[0].Active || list[1].Active || list[0].Learning != 2 || list[1].Frozen != 2 ||
		list[0].Parent != list[1].Version || list[2].Parent != "" || list[2].Runs != 125 {
		t.Errorf("%+v", list)
	}
	if a, b := fmt.Sprint(list[2].Acquaintance), fmt.Sprint(list[0].Acquaintance); a != "map[known_agent:4 new_population:1]" ||
		b != "map[known_agent:3 new_agent:1 new_population:1]" {
		t.Errorf("the agents of the first version are %s, of the last %s", a, b)
	}
	var diff struct {
		States  []struct{ Agent, Was, Is string }
		Changes []struct{ Agent, What string }
	}
	f.json(&diff, "baselines", "diff", list[2].Version, list[1].Version)
	// a3 had a runaway
	want := []struct{ Agent, Was, Is string }{{"fleet/a1", "active (taught)", "frozen (operator)"},
		{"fleet/a3", "active (taught)", "frozen (incident)"}}
	if !reflect.DeepEqual(diff.States, want) || len(diff.Changes) == 0 || diff.Changes[0].What != "bytes given" ||
		diff.Changes[0].Agent == "fleet/a1" {
		t.Errorf("%+v", diff)
	}
	var again struct {
		Same          bool
		Score, Stored float64
		Caveat        string
	}
	f.json(&again, "baselines", "rescore", "again")
	if !again.Same || again.Score < 5 {
		t.Errorf("%+v: %s", again, f.run([]int{0, 3}, "baselines", "rescore", "again"))
	}
	if got, err := f.sql("SELECT groupArray(concat(toString(state), ' ', why)) FROM (SELECT state, why FROM flyball.baselines WHERE name " +
		"= 'fleet/a1' ORDER BY version)"); err != nil || got != "['active taught','frozen operator','learning reset']" {
		t.Errorf("the view: %s, %v", got, err)
	}
	f.run([]int{0}, "audit", "verify")
	if got, err := f.sql("SELECT count() FROM flyball.audit WHERE kind = 'baseline' AND subject = 'baseline:fleet/a1' AND outcome = " +
		"'ordered'"); err != nil || got != "3" {
		t.Errorf("the trail has %s orders, %v", got, err)
	}
}
