package engine

import (
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"flyball/detect/detector"
	"flyball/detect/model/baseline"
	"flyball/detect/stitch"
	"flyball/schema"
)

// openRunsOfAgent is the number of open runs of one agent. By hand: FLYBALL_TEST_OPEN_RUNS=100000.
func openRunsOfAgent() int {
	n, err := strconv.Atoi(os.Getenv("FLYBALL_TEST_OPEN_RUNS"))
	if err != nil {
		return 10_000
	}
	return n
}

// crowd is a partition in which one agent has open runs, each with a call a moment ago: none of them is idle.
func crowd(runs, most int, body *baseline.Baseline) *many {
	m := newMany(1, body)
	l := stitch.DefaultLimits()
	l.OpenRunsPerActor, l.OpenRuns = most, most
	m.Partition = stitch.NewPartition(0, l)
	m.SetRunAttachment(m.set.NewRunState)
	m.SetActorAttachment(m.set.NewActorState)
	for run := range runs {
		m.calls(run, 0, 1)
	}
	return m
}

// firstTrip makes a run repeat one call, with a call of another run after each if others are given, and returns at which of its calls it
// trips as a loop; 0: at none of sixty.
func (m *many) firstTrip(run int, others ...int) (call int) {
	for n := range 60 {
		m.change = func(_ int, c *schema.Call) {
			c.RouteKey, c.Path, c.ArgsDigest, c.ResultDigest = "/orders/{}", "/orders/7", 7, 7
			c.Resources = []schema.Resource{{Type: "order", ID: "7"}}
		}
		tripped := false
		m.judged = func(r detector.Result) {
			for _, f := range r.Findings {
				tripped = tripped || f.Family == schema.FamilyLoop && f.Level == schema.LevelTrip
			}
		}
		m.calls(run, n, n+1)
		m.change, m.judged = nil, nil
		if tripped {
			return n + 1
		}
		if len(others) > 0 {
			m.calls(others[n%len(others)], n+1, n+2)
		}
	}
	return 0
}

// An agent has as many open runs as it likes: a runaway among them is seen at the same call as alone, a checkpoint writes the run that
// changed, and a run takes as much memory as in a small partition.
func TestAgentWithManyOpenRunsHidesARunaway(t *testing.T) {
	body, runs := readers(), openRunsOfAgent()
	alone := crowd(0, 1<<30, body).firstTrip(1)
	var m *many
	began := time.Now()
	bytes, _ := heapOf(func() any { m = crowd(runs, 1<<30, body); return m })
	opened := time.Since(began)
	if m.OpenRuns() != runs {
		t.Fatalf("%d open runs", m.OpenRuns())
	}
	if each := bytes / runs; each > 6<<10 {
		t.Errorf("%d bytes for each open run", each)
	}
	m.store()
	began = time.Now()
	at := m.firstTrip(runs / 2)
	tripped := time.Since(began)
	if at == 0 || at > alone {
		t.Errorf("a trip at call %d, alone at call %d", at, alone)
	}
	began = time.Now()
	if n := m.store(); n > 32<<10 {
		t.Errorf("a checkpoint of one changed run has %d bytes", n)
	}
	t.Logf("%d open runs in %v, %d bytes each; a trip at call %d (alone %d) in %v, a checkpoint of it in %v", runs, opened, bytes/runs, at,
		alone, tripped, time.Since(began))
}

// Above its limit of open runs an agent's further runs share one, whose memory does not grow with them. A runaway in it is seen no later
// than alone, also between calls of others. The price: as one run, usual runs above the limit are a flood.
func TestRunawayBeyondTheLimitOfOpenRunsIsSeenLater(t *testing.T) {
	const most = 2000
	body, runs := readers(), openRunsOfAgent()
	alone := crowd(0, 1<<30, body).firstTrip(1)
	m := crowd(runs, most, body)
	if n := m.OpenRuns(); n != most+1 {
		t.Fatalf("%d open runs of at most %d and the one that all others share", n, most)
	}
	filled := liveHeap()
	for run := range runs {
		m.calls(runs+run, 0, 1)
	}
	if grown := liveHeap() - filled; grown > 256<<10 {
		t.Errorf("%d KB more are kept after %d runs above the limit", grown>>10, runs)
	}
	next := 2 * runs
	shared := m.firstTrip(next)
	between := crowd(runs, most, body).firstTrip(next, next+1, next+2, next+3)
	t.Logf("a trip at call %d above the limit, at %d between calls of others, alone at %d", shared, between, alone)
	if shared == 0 || shared > alone {
		t.Errorf("a trip at call %d above the limit, alone at call %d", shared, alone)
	}
	if between == 0 || between > alone {
		t.Errorf("a trip at call %d between calls of others, alone at call %d", between, alone)
	}
	runtime.KeepAlive(m)
}
