package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/detect/feature"
	"flyball/detect/learn"
	"flyball/detect/model/baseline"
	"flyball/schema"
	"flyball/schema/wire"
)

// populations returns a baseline of some peer groups, each of three agents with an API of their own.
func populations(n int) *baseline.Baseline {
	made.Lock()
	defer made.Unlock()
	if made.of == nil {
		made.of = map[int]*baseline.Baseline{}
	}
	if b := made.of[n]; b != nil {
		return b
	}
	random := rand.New(rand.NewPCG(7, uint64(n)))
	var runs []*baseline.TrainingRun
	for g := range n {
		group := fmt.Sprint("shop", g)
		for i := range 150 {
			run := &baseline.TrainingRun{ID: fmt.Sprint(group, i), Agent: fmt.Sprint(group, "/", i%3), Group: group, Start: int64(i)}
			var f feature.RunMemory
			reader(random, func(route string, args uint64, write bool) {
				method, path, _ := cutRoute(route)
				route = method + " /" + group + path
				c := feature.Input{Route: feature.RouteHash(route), API: apiOf(route), Args: args, Result: args, Write: write, Bytes: 100}
				run.Features, run.Routes = append(run.Features, f.Add(&c)), append(run.Routes, route)
			})
			runs = append(runs, run)
		}
	}
	body := learn.Fit("default", runs)
	body.Version = fmt.Sprint("default/", n)
	made.of[n] = body
	return body
}

// apiOf returns the API of a route by its name.
func apiOf(route string) uint64 {
	var in feature.Input
	method, path, _ := strings.Cut(route, " ")
	feature.Extract(&schema.Call{Method: method, RouteKey: path}, &in)
	return in.API
}

var made struct {
	sync.Mutex
	of map[int]*baseline.Baseline
}

func cutRoute(route string) (method, path string, ok bool) {
	for i := range route {
		if route[i] == ' ' {
			return route[:i], route[i+1:], true
		}
	}
	return "", route, false
}

// allFindings returns all versions of findings that were published, and the number of commands that open a breaker.
func (f *floor) allFindings() (out []schema.Finding, trips int) {
	f.t.Helper()
	for _, r := range f.tape.records {
		switch r.Topic {
		case wire.EventsTopic:
			e, err := wire.DecodeEvent(r.Value)
			if err != nil {
				f.t.Fatal(err)
			}
			if e.Finding != nil {
				out = append(out, *e.Finding)
			}
		case wire.CommandsTopic:
			trips++
		}
	}
	return out, trips
}

// by returns a change of a call to an agent, its credential and its run.
func by(agent string, trust schema.Trust, kind schema.CallerKind) func(*schema.Call) {
	return func(c *schema.Call) {
		c.AgentID, c.AgentTrust, c.CallerKind, c.CredentialID = agent, trust, kind, "k-"+agent
		c.RoutingKey, c.RunKey = "g:"+agent, "r-"+agent
	}
}

// to returns a change of a call to a method, a route and an argument.
func to(method, route string, args int) func(*schema.Call) {
	return func(c *schema.Call) {
		c.Method, c.RouteKey, c.Route, c.ArgsDigest, c.ArgsDigestBasis = method, route, route, uint64(args)+1, schema.DigestLogged
		c.ResultDigest, c.ResultDigestBasis = uint64(args)+1, schema.DigestLogged
	}
}

// runaways are the calls of runaways to an API, by their family.
var runaways = map[string]struct {
	calls  int // to the level trip, of a stranger
	change func(api string, i int) []func(*schema.Call)
}{
	schema.FamilyLoop: {9, func(api string, i int) []func(*schema.Call) {
		return []func(*schema.Call){to("GET", "/"+api+"/status", 1)}
	}},
	schema.FamilyRetry: {5, func(api string, i int) []func(*schema.Call) {
		return []func(*schema.Call){to("POST", "/"+api+"/jobs", 1), func(c *schema.Call) {
			c.Effect, c.Status, c.Outcome = schema.EffectCreate, 503, schema.OutcomeServerError
		}}
	}},
	schema.FamilyDestroy: {3, func(api string, i int) []func(*schema.Call) {
		return []func(*schema.Call){to("DELETE", "/"+api+"/things/{}", i), func(c *schema.Call) {
			c.Effect, c.Resources = schema.EffectDelete, []schema.Resource{{Type: "thing", ID: fmt.Sprint(i)}}
		}}
	}},
	schema.FamilySweep: {13, func(api string, i int) []func(*schema.Call) {
		return []func(*schema.Call){to("GET", "/"+api+"/things/{}", i), func(c *schema.Call) {
			c.Resources = []schema.Resource{{Type: "thing", ID: fmt.Sprint(i)}}
		}}
	}},
}

// runAway makes calls of a runaway, and returns the numbers of calls until the levels alert and trip of the family.
func (f *floor) runAway(family, api string, n int, who func(*schema.Call)) (alert, trip int, last schema.Finding) {
	f.t.Helper()
	for i := range n {
		f.call(night.Add(time.Duration(f.offset)*time.Second), append(runaways[family].change(api, i), who)...)
		list, _ := f.allFindings()
		for _, v := range list {
			if v.Family != family {
				continue
			}
			last = v
			if v.Level >= schema.LevelAlert && alert == 0 {
				alert = i + 1
			}
			if v.Level >= schema.LevelTrip && trip == 0 {
				trip = i + 1
			}
		}
	}
	return alert, trip, last
}

var strangeCallers = map[string]func(*schema.Call){
	"verified":     by("bank/1", schema.TrustVerified, schema.CallerAgent),
	"claimed":      by("bank/1", schema.TrustAsserted, schema.CallerAgent),
	"unnamed":      by("", schema.TrustNone, schema.CallerUnknown),
	"human":        by("ann", schema.TrustVerified, schema.CallerHuman),
	"claims known": by("shop0", schema.TrustAsserted, schema.CallerHuman),
}

// With four populations or more, a stranger's runaway trips at a fixed number of calls. With fewer it never trips, and the
// number of calls is that to an alert; but callers for whom nobody vouches trip, because they could choose another name.
func TestStrangerTripsWhereNothingIsKnownOfStrangers(t *testing.T) {
	for _, n := range []int{1, 3, 5} {
		body := populations(n)
		calibrated := body.Thresholds().Uncalibrated(schema.NewPopulation) == ""
		if calibrated != (n >= 4) {
			t.Fatalf("%d populations: %q", n, body.Thresholds().Uncalibrated(schema.NewPopulation))
		}
		for who, caller := range strangeCallers {
			for family, of := range runaways {
				f := newFloor(t)
				f.detectors.Activate(body)
				alert, trip, last := f.runAway(family, "bank", 40, caller)
				wantAlert, wantTrip := of.calls, 0
				trips := calibrated || slices.Contains([]string{"claimed", "unnamed", "claims known"}, who)
				if trips {
					wantAlert, wantTrip = 0, of.calls
				}
				if trip != wantTrip || wantAlert > 0 && alert != wantAlert || alert == 0 {
					t.Errorf("%d populations, %s, %s: alert at call %d, trip at %d, want %d and %d", n, who, family, alert, trip, wantAlert, wantTrip)
				}
				if last.Acquaintance != schema.NewPopulation {
					t.Errorf("%d populations, %s, %s: the finding is of a %v", n, who, family, last.Acquaintance)
				}
				list, commands := f.allFindings()
				for _, v := range list {
					if !trips && v.Level == schema.LevelTrip {
						t.Errorf("%d populations, %s: a finding of %s trips", n, who, v.Family)
					}
				}
				if !trips && commands > 0 {
					t.Errorf("%d populations, %s, %s: %d commands", n, who, family, commands)
				}
			}
		}
	}
}

// A known agent on APIs that are known is judged as by a baseline of an earlier release, which is one without by_class.
func TestKnownAgentIsJudgedAsBefore(t *testing.T) {
	body := populations(5)
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil {
		t.Fatal(err)
	}
	if len(fields["by_class"]) == 0 {
		t.Fatal("the baseline has no by_class")
	}
	t.Logf("%d bytes, of by_class %d", len(text), len(fields["by_class"]))
	delete(fields, "by_class")
	if text, err = json.Marshal(fields); err != nil {
		t.Fatal(err)
	}
	var earlier baseline.Baseline
	if err := json.Unmarshal(text, &earlier); err != nil {
		t.Fatal(err)
	}
	earlier.Version = body.Version
	if err := earlier.Check(); err != nil || earlier.ByClass != nil {
		t.Fatal(err)
	}
	now, before := body.Thresholds().Levels(schema.KnownAgent, "shop0", .001), earlier.Thresholds().Levels(schema.KnownAgent, "shop0", .001)
	same := now == before
	if !same { // the class may be raised: what is compared is the rest
		t.Logf("levels %v, of an earlier release %v", now, before)
	}
	for family := range runaways {
		var lists [2][]schema.Finding
		for i, b := range []*baseline.Baseline{body, &earlier} {
			f := newFloor(t)
			f.detectors.Activate(b)
			_, trip, last := f.runAway(family, "shop0", 40, by("shop0/1", schema.TrustVerified, schema.CallerAgent))
			if trip == 0 || last.Acquaintance != schema.KnownAgent {
				t.Errorf("%s of a known agent: trips at %d, of a %v", family, trip, last.Acquaintance)
			}
			lists[i], _ = f.allFindings()
		}
		if !same {
			continue
		}
		a, b := fmt.Sprintf("%+v", withoutDecisions(lists[0])), fmt.Sprintf("%+v", withoutDecisions(lists[1]))
		if a != b {
			t.Errorf("%s: %s\nby a baseline of an earlier release: %s", family, a, b)
		}
	}
	for who, caller := range strangeCallers { // with the earlier release, strangers trip too
		f := newFloor(t)
		f.detectors.Activate(&earlier)
		if _, trip, _ := f.runAway(schema.FamilyLoop, "bank", 40, caller); trip == 0 {
			t.Errorf("%s: a loop does not trip by a baseline of an earlier release", who)
		}
	}
}

func withoutDecisions(list []schema.Finding) (out []schema.Finding) {
	for _, v := range list {
		v.Decision = nil
		out = append(out, v)
	}
	return out
}

// A known agent whose calls go to a known and to an unknown API in turn has the thresholds and the class of a known agent at
// both. Its finding keeps the highest level, and it is not decided on again.
func TestFindingFallsAtACallToAnUnknownAPI(t *testing.T) {
	f := newFloor(t)
	f.detectors.Activate(populations(3))
	who := by("shop0/1", schema.TrustVerified, schema.CallerAgent)
	for i := range 400 {
		api := []string{"shop0", "other"}[i%2]
		f.call(night.Add(time.Duration(i)*time.Millisecond), append(runaways[schema.FamilyDestroy].change(api, i), who)...)
	}
	list, _ := f.allFindings()
	levels, decisions := map[string]schema.Level{}, 0
	unknown := 0
	for _, v := range list {
		if v.Level < levels[v.Family] {
			t.Errorf("a finding of %s falls from %v to %v", v.Family, levels[v.Family], v.Level)
		}
		levels[v.Family] = v.Level
		if v.Family == schema.FamilyDestroy && v.Decision != nil && v.Level == schema.LevelTrip {
			decisions++
		}
		if v.Acquaintance != schema.KnownAgent {
			unknown++
		}
	}
	if levels[schema.FamilyDestroy] != schema.LevelTrip || decisions != 1 || unknown > 0 {
		t.Errorf("%v, %d decisions of deletions that trip, %d findings of strangers", levels, decisions, unknown)
	}
}

// Whatever strangers do over their runs is an alert at most: how often new populations do it is not calibrated.
func TestStrangerTripsOverItsRuns(t *testing.T) {
	for _, n := range []int{3, 5} {
		f := newFloor(t)
		f.detectors.Activate(populations(n))
		for agent := range 4 {
			for i := range 240 { // an alarm and a second one within a day, by pieces of three calls
				who := by(fmt.Sprint("bank/", agent), schema.TrustVerified, schema.CallerAgent)
				piece := func(c *schema.Call) {
					c.RunKey, c.RunKeySource = fmt.Sprint("piece-", agent, "-", i/2), "x-agent-run-id"
				}
				f.call(night.Add(time.Duration(f.offset)*time.Second), append(runaways[schema.FamilyDestroy].change("bank", i), who, piece)...)
			}
		}
		splits, commands := f.splits()
		for _, v := range splits {
			if v.Level > schema.LevelAlert {
				t.Errorf("%d populations: a stranger's finding over runs has the level %v", n, v.Level)
			}
		}
		if n < 4 && len(splits) > 0 || n >= 4 && len(splits) == 0 || len(commands) > 0 {
			t.Errorf("%d populations: %d findings over runs, %d commands", n, len(splits), len(commands))
		}
		t.Logf("%d populations: %d findings over runs", n, len(splits))
	}
}

// A caller that claims a name which nobody knows does not hide a runaway by cutting it into runs: it is alerted on.
func TestClaimedNameHidesARunawayThatIsCutIntoRuns(t *testing.T) {
	f := newFloor(t)
	f.detectors.Activate(populations(3))
	for i := range 240 {
		piece := func(c *schema.Call) { c.RunKey, c.RunKeySource = fmt.Sprint("piece-", i/2), "x-agent-run-id" }
		f.call(night.Add(time.Duration(f.offset)*time.Second), append(runaways[schema.FamilyDestroy].change("bank", i),
			by("bank/1", schema.TrustAsserted, schema.CallerAgent), piece)...)
	}
	splits, commands := f.splits()
	if len(splits) == 0 || len(commands) > 0 {
		t.Errorf("%d findings over runs, %d commands", len(splits), len(commands))
	}
}

// controllers returns the calls of runs of service accounts of a cluster, one run after another: most poll a lease or a
// queue again and again, some list the objects of a kind one by one, some delete what is left over, and some call what
// fails.
func controllers(runs int) (calls [][]func(*schema.Call)) {
	random := rand.New(rand.NewPCG(11, 12))
	kinds := []string{"leases", "pods", "services", "configmaps", "endpoints", "secrets"}
	for i := range runs {
		account := fmt.Sprint("cluster/system:serviceaccount:ns:", i%22)
		who := func(c *schema.Call) {
			by(account, schema.TrustVerified, schema.CallerAgent)(c)
			c.RunKey, c.RunKeySource = fmt.Sprint("run-", i), "x-agent-run-id"
		}
		add := func(changes ...func(*schema.Call)) { calls = append(calls, append(changes, who)) }
		kind := kinds[random.IntN(len(kinds))]
		for range 20 + random.IntN(120) { // polls of one object
			add(to("GET", "/k8s/apis/"+kind+"/{}", i%22))
			if random.IntN(6) == 0 {
				add(to("PUT", "/k8s/apis/leases/{}", i%22))
			}
		}
		if i%3 == 0 {
			for n := range 15 + random.IntN(60) {
				add(to("GET", "/k8s/apis/pods/{}", n), func(c *schema.Call) { c.Resources = []schema.Resource{{Type: "pod", ID: fmt.Sprint(n)}} })
			}
		}
		if i%8 == 0 {
			for n := range 3 + random.IntN(10) {
				add(to("DELETE", "/k8s/apis/pods/{}", n), func(c *schema.Call) {
					c.Effect, c.Resources = schema.EffectDelete, []schema.Resource{{Type: "pod", ID: fmt.Sprint(n)}}
				})
			}
		}
		if i%5 == 0 {
			for range 4 + random.IntN(12) {
				add(to("GET", "/k8s/apis/secrets/{}", 7), func(c *schema.Call) { c.Status, c.Outcome = 403, schema.OutcomeDenied })
			}
		}
	}
	return calls
}

// A new API of 65 runs met a baseline of three agents: 106 incidents within seconds.
func TestNewAPIMeetsABaselineOfThreeAgents(t *testing.T) {
	for _, earlier := range []bool{false, true} {
		body := *populations(1)
		if len(body.Status) > 0 || len(body.Lengths.Agents) != 3 {
			t.Fatalf("%d agents", len(body.Lengths.Agents))
		}
		if earlier {
			body.ByClass = nil
		}
		f := newFloor(t) // armed
		f.detectors.Activate(&body)
		calls := controllers(65)
		for _, changes := range calls {
			f.call(night.Add(time.Duration(f.offset)*time.Second), changes...)
		}
		list, commands := f.allFindings()
		levels := map[string]schema.Level{}
		for _, v := range list {
			levels[v.ID] = max(levels[v.ID], v.Level)
			if !earlier && v.Acquaintance != schema.NewPopulation {
				t.Errorf("%s of %s is a finding of a %v", v.Family, v.AgentID, v.Acquaintance)
			}
		}
		atTrip := 0
		for _, l := range levels {
			if l == schema.LevelTrip {
				atTrip++
			}
		}
		t.Logf("earlier release %v: %d calls, %d findings, %d of level trip, %d commands", earlier, len(calls), len(levels), atTrip, commands)
		if !earlier && (commands > 1 || atTrip > 5) {
			t.Errorf("%d commands, %d findings of level trip", commands, atTrip)
		}
		if earlier && atTrip < 65 {
			t.Errorf("by a baseline of an earlier release only %d findings have the level trip: the runs are not the ones that failed", atTrip)
		}
	}
}

// A finding that closes after a restart, or after a last call to another API, says again who made the run, how rare it was
// and by which calls.
func TestClosedFindingLosesItsClassAndEvidence(t *testing.T) {
	for _, agent := range []string{"shop0/1", "bank/1"} {
		for _, restart := range []bool{false, true} {
			for _, elsewhere := range []bool{false, true} {
				f := newFloor(t)
				f.detectors.Activate(populations(5))
				who := by(agent, schema.TrustVerified, schema.CallerAgent)
				_, trip, open := f.runAway(schema.FamilyLoop, "shop0", 20, who)
				if trip == 0 || len(open.Evidence) == 0 || open.ExpectedRuns == 0 {
					t.Fatalf("trips at %d: %+v", trip, open)
				}
				if elsewhere {
					f.call(night.Add(time.Duration(f.offset)*time.Second), to("GET", "/healthz", 1), who)
				}
				if restart {
					f.restart()
				}
				f.state.Advance(night.Add(5*time.Hour).UnixNano(), f.offset)
				if err := f.closeRuns(context.Background(), f.offset); err != nil {
					t.Fatal(err)
				}
				var last schema.Finding
				list, _ := f.allFindings()
				for _, v := range list {
					if v.ID == open.ID {
						last = v
					}
				}
				if last.State != schema.FindingClosed {
					t.Fatalf("the finding is not closed: %+v", last)
				}
				if last.Acquaintance != open.Acquaintance || last.Level != open.Level || last.ExpectedOf != open.ExpectedOf ||
					last.ExpectedRate != open.ExpectedRate || last.ExpectedRuns != open.ExpectedRuns {
					t.Errorf("%s, restart %v, elsewhere %v: closed as of a %v, %v, %g of %s of %d runs; was open as of a %v, %v, %g of %s of %d", agent,
						restart, elsewhere, last.Acquaintance, last.Level, last.ExpectedRate, last.ExpectedOf, last.ExpectedRuns,
						open.Acquaintance, open.Level, open.ExpectedRate, open.ExpectedOf, open.ExpectedRuns)
				}
				if len(last.Evidence) == 0 || last.Evidence[0].Feature != open.Evidence[0].Feature || last.Evidence[0].Score < open.Evidence[0].Score {
					t.Errorf("%s, restart %v, elsewhere %v: evidence %+v, was %+v", agent, restart, elsewhere, last.Evidence, open.Evidence)
				}
			}
		}
	}
}

// The level of a run is the highest that it has reached: a call elsewhere, or a baseline with other thresholds, does not
// take it back.
func TestLevelOfARunFalls(t *testing.T) {
	for _, n := range []int{3, 5} {
		f := newFloor(t)
		f.detectors.Activate(populations(n))
		who := by("shop0/1", schema.TrustVerified, schema.CallerAgent)
		level := schema.LevelNone
		step := func(changes ...func(*schema.Call)) {
			r := f.call(night.Add(time.Duration(f.offset)*time.Second), append(changes, who)...)
			if r.Level < level {
				t.Fatalf("%d populations, call %d: the level falls from %v to %v", n, f.offset, level, r.Level)
			}
			level = r.Level
		}
		for i := range 12 {
			step(runaways[schema.FamilyLoop].change("shop0", i)...)
		}
		if level != schema.LevelTrip {
			t.Fatalf("the loop has the level %v", level)
		}
		step(to("GET", "/healthz", 1))
		f.detectors.Activate(populations(1)) // does not know the agent's peers by as many runs
		step(to("GET", "/healthz", 1))
		none := *populations(1)
		none.Lengths.Agents = nil
		f.detectors.Activate(&none)
		step(to("GET", "/healthz", 1))
	}
}

// The rate of a stranger's finding is that of groups that were left out, and unknown where there are too few.
func TestStrangersRateIsThatOfKnownAgents(t *testing.T) {
	for n, basis := range map[int]string{3: baseline.WhyNothingLearned, 5: baseline.BasisPopulations} {
		f := newFloor(t)
		f.detectors.Activate(populations(n))
		_, _, last := f.runAway(schema.FamilyDestroy, "bank", 12, by("bank/1", schema.TrustVerified, schema.CallerAgent))
		if last.ExpectedOf != basis || (last.ExpectedRate > 0) != (n == 5) || last.ExpectedRate > 0 && last.ExpectedRate < 1/751. {
			t.Errorf("%d populations: %g of %q of %d runs", n, last.ExpectedRate, last.ExpectedOf, last.ExpectedRuns)
		}
	}
}
