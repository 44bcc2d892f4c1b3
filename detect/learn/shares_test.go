package learn

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"flyball/detect/model/baseline"
	"flyball/schema"
)

// inventedNames is how many names callers invent within a window. By hand: FLYBALL_TEST_NAMES=1000000.
func inventedNames(t *testing.T) int {
	n, err := strconv.Atoi(os.Getenv("FLYBALL_TEST_NAMES"))
	if err != nil {
		return 100_000
	}
	return n
}

// Each invented name needs a call. Sixty thousand of them left one run of each agent to learn from, so that all agents were strangers, and
// further ones exceeded the limit on what is held in memory.
func TestInventedNamesLeaveNothingToLearnFrom(t *testing.T) {
	const known, days = 100, 30
	h := &history{agents: map[string]*AgentHistory{}}
	count := func(agent string, trust schema.Trust, day, runs int) {
		hashes := make([]uint64, min(runs, MaxRunsPerDay))
		for i := range hashes {
			hashes[i] = uint64(i)
		}
		at := int64(day) * int64(24*time.Hour)
		h.count(&historyRow{agent: agent, agentTrust: trust, day: uint16(day), runs: uint64(runs), calls: uint64(4 * runs), first: at,
			last: at, hashes: hashes}, 0)
	}
	names := inventedNames(t)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range names {
		count(fmt.Sprint("inv/", i), schema.TrustAsserted, 1+i%days, 1)
		if i%(names/10) == 0 { // in between, agents that run each day
			for n := i / (names / 10) * known / 10; n < (i/(names/10)+1)*known/10; n++ {
				for day := range days {
					count(fmt.Sprint("team/", n), schema.TrustInfrastructure, 1+day, 5)
					count(fmt.Sprint("said/", n), schema.TrustAsserted, 1+day, 5)
				}
			}
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("%d names: %d agents are remembered in %d MiB", names, len(h.agents), (after.HeapAlloc-before.HeapAlloc)>>20)
	if len(h.agents) > maxClaimedAgents+known {
		t.Errorf("%d agents are remembered", len(h.agents))
	}
	began := time.Now()
	most, left := sampleLimits{200, maxTaughtRuns, maxTaughtCalls}.ofAgents(h.agents)
	for _, key := range left {
		h.drop(key)
	}
	runs, taught := uint64(0), map[bool]int{}
	for key, p := range h.agents {
		n := min(needOf(p.Clean).runs, uint64(p.most))
		runs += n
		if len(p.Clean) == days {
			taught[baseline.IsAsserted(key)]++
			if !baseline.IsAsserted(key) && n < 150 {
				t.Fatalf("%s teaches %d of its 150 runs", key, n)
			}
		}
	}
	t.Logf("%+v, %d runs, %d runs are left out, %v", most, runs, h.dropped, time.Since(began))
	if runs > maxTaughtRuns || runs < maxTaughtRuns*9/10 {
		t.Errorf("%d runs are learned from", runs)
	}
	if taught[false] != known || taught[true] != known {
		t.Errorf("%v agents that ran each day are learned from, of %d each", taught, known)
	}
	if want := uint64(names) + 2*known*150 - runs - uint64(known)*(150-uint64(most.claimed)); h.dropped != want {
		t.Errorf("%d runs are counted as left out, want %d", h.dropped, want)
	}
}

// Claimed agents have a part of the limits for themselves, and what the others leave.
func TestClaimedAgentsLearnNothingBesideOthers(t *testing.T) {
	of := func(vouched, claimed int) shares {
		agents := map[string]*AgentHistory{}
		for i := range vouched + claimed {
			key := fmt.Sprint("team/", i)
			if i >= vouched {
				key = baseline.AgentKey(key, schema.TrustAsserted)
			}
			p := &AgentHistory{Clean: sent(month(10, 10)...)}
			for _, d := range p.Clean {
				d.Calls = 4 * d.Runs
			}
			agents[key] = p
		}
		most, left := sampleLimits{200, 4000, 1 << 40}.ofAgents(agents)
		if len(left) > 0 {
			t.Errorf("%d and %d: %d are left out", vouched, claimed, len(left))
		}
		return most
	}
	for _, v := range []struct {
		vouched, claimed int
		want             shares
	}{{10, 10, shares{200, 200}}, {40, 0, shares{100, 200}}, {0, 40, shares{200, 100}}, {40, 40, shares{75, 25}}, {10, 40, shares{200, 50}},
		{40, 2, shares{90, 200}}} {
		if got := of(v.vouched, v.claimed); got != v.want {
			t.Errorf("%d vouched and %d claimed agents: %+v, want %+v", v.vouched, v.claimed, got, v.want)
		}
	}
}
