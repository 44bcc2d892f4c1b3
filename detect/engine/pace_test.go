package engine

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/detect/model/callrate"
	"flyball/detect/policy"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// tape is a producer that keeps its records.
type tape struct {
	records []*kgo.Record
	ends    map[string]int64 // by topic, of what was sent by ProduceSync
}

func (p *tape) Produce(_ context.Context, r *kgo.Record, done func(*kgo.Record, error)) {
	p.records = append(p.records, r)
	done(r, nil)
}

func (p *tape) ProduceSync(_ context.Context, r ...*kgo.Record) kgo.ProduceResults {
	for _, rec := range r {
		if p.ends == nil {
			p.ends = map[string]int64{}
		}
		rec.Offset = p.ends[rec.Topic]
		p.ends[rec.Topic]++
		kept := *rec
		kept.Value = slices.Clone(rec.Value) // the caller may use its bytes again
		p.records = append(p.records, &kept)
	}
	return nil
}

// floor is a worker without a log: calls are judged immediately.
type floor struct {
	*worker
	t      testing.TB
	tape   *tape
	body   *baseline.Baseline
	offset int64
}

// night is a Thursday, 02:00.
var night = time.Date(2026, 11, 26, 2, 0, 0, 0, time.UTC)

// paceOfDayWorkers returns the call rates of ten agents that make ten to eighteen calls per quarter
// of an hour by day.
func paceOfDayWorkers() *callrate.Model {
	var list []callrate.Series
	for i := range 10 {
		s := callrate.Series{Agent: fmt.Sprint("g/", i), Group: "g"}
		for at := range 4 * callrate.HoursPerWeek {
			if h := at % 24; h >= 8 && h < 18 {
				n := float64(10 + (at*7+i)%9)
				s.Cells = append(s.Cells, callrate.HourCounts{Hour: int32(at), ActiveQuarters: 4, Calls: 4 * n, Squares: 4 * n * n, Max: n})
			}
		}
		list = append(list, s)
	}
	return callrate.Fit(list, 4, 0)
}

func newFloor(t testing.TB, change ...func(*Config)) *floor {
	cfg := DefaultConfig()
	cfg.Logger, cfg.Registerer, cfg.Now = slog.New(slog.NewTextHandler(io.Discard,
		nil)), prometheus.NewRegistry(), func() time.Time { return night }
	cfg.Rules.Arming.All = true
	for _, f := range change {
		f(&cfg)
	}
	body := baseline.New("default")
	body.Finish()
	body.Version, body.Calibration, body.CallRates = "default/1", calibrate.FitScores(nil, nil), paceOfDayWorkers()
	out := &tape{}
	f := &floor{worker: newWorker(&cfg, newMetrics(cfg.Registerer), 0, schema.TopicID{}, out, nil, new(atomic.Int64)), t: t, tape: out,
		body: body}
	f.detectors.Activate(body)
	return f
}

// partition returns an empty partition that can read the state of the floor's detectors.
func (f *floor) partition() *stitch.Partition {
	p := stitch.NewPartition(0, f.cfg.Limits)
	p.SetRunAttachment(f.detectors.NewRunState)
	p.SetActorAttachment(f.detectors.NewActorState)
	return p
}

// call judges a call and returns its run.
func (f *floor) call(at time.Time, change ...func(*schema.Call)) *stitch.Run {
	f.t.Helper()
	c := schema.Call{Source: schema.Source{Topic: "gw"}, Pos: schema.Position{Offset: f.offset}, Tenant: "default", RoutingKey: "g:g/3",
		CredentialID: "k",
		AgentID:      "g/3", AgentTrust: schema.TrustVerified, CallerKind: schema.CallerAgent, RunKey: "r1", Start: at.UnixNano(),
		DurationNs: 1e6,
		Method:     "GET", RouteKey: "/orders/{}", Route: "/orders/{id}", ArgsDigest: uint64(f.offset)}
	for _, g := range change {
		g(&c)
	}
	r := f.state.Apply(&c, f.offset)
	if err := f.judge(context.Background(), r, &c, schema.CallRef{Offset: f.offset}); err != nil {
		f.t.Fatal(err)
	}
	f.offset++
	return r
}

// flood applies n calls at an interval.
func (f *floor) flood(from time.Time, n int, every time.Duration, change ...func(*schema.Call)) {
	f.t.Helper()
	for i := range n {
		f.call(from.Add(time.Duration(i)*every), change...)
	}
}

// findings returns the findings of pace in the order in which they were published.
func (f *floor) findings() (out []schema.Finding) {
	f.t.Helper()
	for _, r := range f.tape.records {
		if r.Topic != wire.EventsTopic {
			continue
		}
		e, err := wire.DecodeEvent(r.Value)
		if err != nil {
			f.t.Fatal(err)
		}
		if e.Finding.Family == schema.FamilyPace {
			out = append(out, *e.Finding)
		}
	}
	return out
}

func (f *floor) commands() (n int) {
	for _, r := range f.tape.records {
		if r.Topic == wire.CommandsTopic {
			n++
		}
	}
	return n
}

func runKey(k string) func(*schema.Call) { return func(c *schema.Call) { c.RunKey = k } }

func TestFloodAtNightAlertsAndNeverTrips(t *testing.T) {
	f := newFloor(t)
	f.flood(night, 700, time.Second)
	limit, _ := f.body.CallRates.Limit("g/3", "g", callrate.HourOfWeek(callrate.QuarterAt(night.UnixNano())), f.cfg.FalseTrips)
	noon, _ := f.body.CallRates.Limit("g/3", "g", callrate.HourOfWeek(callrate.QuarterAt(night.UnixNano()))+10, f.cfg.FalseTrips)
	if limit >= noon || limit > 200 {
		t.Errorf("%d calls are too many at night, %d at noon", limit, noon)
	}
	all := f.findings()
	if len(all) == 0 || len(all) > 6 {
		t.Fatalf("%d versions of what 700 calls in a quarter of an hour are", len(all))
	}
	first, last := all[0], all[len(all)-1]
	if first.Exposure.Calls != limit || first.OnsetAt != night.UnixNano() ||
		first.Score <= f.body.CallRates.Calibration.Threshold(f.cfg.FalseTrips) {
		t.Errorf("told first at call %d of the quarter, the limit is %d: %+v", first.Exposure.Calls, limit, first)
	}
	if last.ID != first.ID || last.Version <= first.Version || last.Exposure.Calls < 2*limit || last.Exposure.Calls > 700 {
		t.Errorf("first %+v\nlast  %+v", first, last)
	}
	for _, x := range all {
		if x.Level != schema.LevelAlert || x.Decision != nil || len(x.Evidence) != 1 || !strings.Contains(x.Summary, "from 02:00 UTC, usually") {
			t.Errorf("%+v", x)
		}
	}
	if n := f.commands(); n > 0 {
		t.Errorf("%d commands of what only alerts", n)
	}
}

func TestUsualCallsByDayAreNoFlood(t *testing.T) {
	f := newFloor(t)
	for q := range 32 {
		f.flood(night.Add(7*time.Hour+time.Duration(q)*15*time.Minute), 16, 50*time.Second)
	}
	if all := f.findings(); len(all) > 0 {
		t.Errorf("%+v", all)
	}
}

// A runaway that is split into runs of five calls is attributed to one actor.
func TestFloodOfShortRunsIsAFewAlarms(t *testing.T) {
	f := newFloor(t)
	ids := map[string]bool{}
	for i := range 5400 { // an hour and a half
		f.call(night.Add(time.Duration(i)*time.Second), runKey(fmt.Sprint("r", i/5)))
	}
	for _, x := range f.findings() {
		ids[x.ID] = true
	}
	if len(ids) == 0 || len(ids) > 5 {
		t.Errorf("%d findings of one flood", len(ids))
	}
}

// A rule that holds alerts also holds alerts of pace.
func TestRuleThatGradesAlertsHoldsPace(t *testing.T) {
	f := newFloor(t, func(c *Config) {
		c.Rules.Graded = []policy.Rule{{Name: "slow down", Family: schema.FamilyPace, Action: schema.ActionThrottle}}
	})
	f.flood(night, 300, time.Second)
	all := f.findings()
	if len(all) == 0 || all[0].Decision == nil || all[0].Decision.Action != schema.ActionThrottle || f.commands() != len(all) {
		t.Errorf("%d commands for %+v", f.commands(), all)
	}
}

func TestSampledSourceHasNoPace(t *testing.T) {
	f := newFloor(t)
	f.flood(night, 2000, 400*time.Millisecond, func(c *schema.Call) { c.SampleWeight = 10 })
	if all := f.findings(); len(all) > 0 {
		t.Errorf("%+v", all)
	}
}

// A call that two observers log, that the check logs, or that Flyball denied is not a further call.
func TestOneCallIsCountedOnce(t *testing.T) {
	f := newFloor(t)
	for i := range 25 {
		id := fmt.Sprint("q", i)
		for _, by := range []schema.ObserverKind{schema.ObserverGateway, schema.ObserverSidecar, schema.ObserverGate} {
			f.call(night.Add(time.Duration(i)*time.Second), func(c *schema.Call) { c.RequestID, c.ObserverKind, c.ArgsDigest = id, by, uint64(i) })
		}
		f.call(night.Add(time.Duration(i)*time.Second), func(c *schema.Call) { c.Outcome, c.DeniedBy = schema.OutcomeDenied, "flyball" })
	}
	if limit, _ := f.body.CallRates.Limit("g/3", "g", callrate.HourOfWeek(callrate.QuarterAt(night.UnixNano())),
		f.cfg.FalseTrips); limit > 50 {
		t.Fatalf("%d calls are too many: the test shows nothing", limit)
	}
	all := f.findings()
	if len(all) > 0 {
		t.Errorf("25 calls are %d", all[0].Exposure.Calls)
	}
}

// Late calls count in their own quarter of an hour, and clocks that are wrong by decades count in
// no other.
func TestWildClocksNeitherHideNorMakeAFlood(t *testing.T) {
	quiet, flood := newFloor(t), newFloor(t)
	for _, f := range []*floor{quiet, flood} {
		for i := range 700 {
			at := night.Add(time.Duration(i) * time.Second)
			if f == flood {
				f.call(at)
			}
			switch i % 70 {
			case 1:
				f.call(at.Add(-5 * time.Hour))
			case 2:
				f.call(time.Unix(int64(i), 0))
			case 3:
				f.call(time.Date(2100, 1, 1, 0, 0, i, 0, time.UTC))
			case 4:
				f.call(time.Unix(0, 0))
			}
		}
	}
	if all := quiet.findings(); len(all) > 0 {
		t.Errorf("ten late calls: %+v", all)
	}
	if all := flood.findings(); len(all) == 0 || all[len(all)-1].Exposure.Calls < 300 {
		t.Errorf("a flood among late calls: %+v", all)
	}
}

// A checkpoint at any call does not change the findings.
func TestPaceGoesOnAfterACheckpoint(t *testing.T) {
	f, again := newFloor(t), newFloor(t)
	for i := range 1500 {
		at, key := night.Add(time.Duration(i)*time.Second), runKey(fmt.Sprint("r", i/400))
		f.call(at, key)
		again.call(at, key)
		if i%97 > 0 {
			continue
		}
		next := again.partition()
		for _, a := range again.state.Dirty() {
			restored, _, err := next.Restore(stitch.EncodeActor(nil, a, 1))
			if err != nil {
				t.Fatal(err)
			}
			restored.SavedThrough = -1
			next.Adopt(restored)
		}
		again.state = next
		again.call(at, key) // marks the actor
		f.call(at, key)
	}
	want, got := f.findings(), again.findings()
	if len(want) < 3 || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%d versions, and %d with checkpoints", len(want), len(got))
	}
}

func TestPaceFindingClosesWithItsRun(t *testing.T) {
	f := newFloor(t)
	f.flood(night, 300, time.Second)
	f.state.Advance(night.Add(3*time.Hour).UnixNano(), f.offset)
	if err := f.closeRuns(context.Background(), f.offset); err != nil {
		t.Fatal(err)
	}
	all := f.findings()
	last := all[len(all)-1]
	if last.State != schema.FindingClosed || last.Reason == "" || last.ID != all[0].ID {
		t.Errorf("%+v", last)
	}
	n := len(all)
	f.flood(night.Add(5*time.Hour), 300, time.Second)
	if all = f.findings(); len(all) == n || all[n].State != schema.FindingOpen {
		t.Errorf("a second flood is not told: %d versions", len(all))
	}
}

func TestBaselineWithoutPaceSaysNothing(t *testing.T) {
	f := newFloor(t)
	body := *f.body
	body.CallRates = nil
	f.detectors.Activate(&body)
	f.flood(night, 700, time.Second)
	if all := f.findings(); len(all) > 0 {
		t.Errorf("%+v", all)
	}
	// The count has continued: a new baseline is used immediately.
	f.detectors.Activate(f.body)
	f.call(night.Add(701 * time.Second))
	if all := f.findings(); len(all) != 1 || all[0].Exposure.Calls != 701 {
		t.Errorf("%+v", all)
	}
}

// A caller of which nothing was learned, nor of its peers, is compared with nobody: not with the rates of other groups.
func TestPaceOfAStrangerIsANumberOfOthers(t *testing.T) {
	as := func(agent string, trust schema.Trust, kind schema.CallerKind) func(*schema.Call) {
		return func(c *schema.Call) {
			c.AgentID, c.AgentTrust, c.CallerKind, c.RoutingKey = agent, trust, kind, "g:"+agent
		}
	}
	for name, tc := range map[string]struct {
		who    func(*schema.Call)
		learn  func(*baseline.Baseline)
		said   bool
		reason string
	}{
		"a known agent":               {as("g/3", schema.TrustVerified, schema.CallerAgent), nil, true, ""},
		"a new agent of known peers":  {as("g/new", schema.TrustVerified, schema.CallerAgent), nil, true, ""},
		"a claimed name of that kind": {as("g/new", schema.TrustAsserted, schema.CallerAgent), nil, true, ""},
		"a new group":                 {as("shop/1", schema.TrustVerified, schema.CallerAgent), nil, false, callrate.WhyNothingLearned},
		"a person":                    {as("", schema.TrustNone, schema.CallerHuman), nil, false, callrate.WhyNothingLearned},
		"a baseline without call rates": {as("g/3", schema.TrustVerified, schema.CallerAgent),
			func(b *baseline.Baseline) { b.CallRates = nil }, false, callrate.WhyNothingLearned},
		"rates without a calibration": {as("g/3", schema.TrustVerified, schema.CallerAgent),
			func(b *baseline.Baseline) { b.CallRates.Calibration.Runs = 3 }, false, callrate.WhyNotCalibrated},
		"no baseline": {as("g/3", schema.TrustVerified, schema.CallerAgent),
			func(b *baseline.Baseline) { *b = baseline.Baseline{} }, false, callrate.WhyNothingLearned},
	} {
		f := newFloor(t)
		if tc.learn != nil {
			tc.learn(f.body)
			if f.body.Version == "" {
				f.detectors.Activate(nil)
			} else {
				f.detectors.Activate(f.body)
			}
		}
		f.flood(night, 700, time.Second, tc.who)
		all := f.findings()
		if (len(all) > 0) != tc.said {
			t.Errorf("%s: %d findings: %+v", name, len(all), all)
		}
		for _, x := range all {
			if x.Acquaintance < schema.NewAgent || x.Evidence[0].UsualOf == "everybody" || x.ExpectedOf != "" {
				t.Errorf("%s: %+v", name, x)
			}
		}
		counted := abstained(t, f.cfg.Registerer, "flyball_pace_abstained_total")
		if tc.reason == "" && len(counted) > 0 || tc.reason != "" && (len(counted) != 1 || counted[tc.reason] != 1) {
			t.Errorf("%s: abstained %v", name, counted)
		}
	}
}

// abstained returns a counter by its reason.
func abstained(t *testing.T, r prometheus.Registerer, counter string) map[string]float64 {
	t.Helper()
	all, err := r.(*prometheus.Registry).Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for _, family := range all {
		if family.GetName() != counter {
			continue
		}
		for _, m := range family.GetMetric() {
			out[m.GetLabel()[0].GetValue()] = m.GetCounter().GetValue()
		}
	}
	return out
}

// A finding that outlives its baseline has no number of another one.
func TestPaceFindingThatOutlivesItsBaselineHasANumber(t *testing.T) {
	f := newFloor(t)
	f.flood(night, 300, time.Second)
	body := *f.body
	body.CallRates = nil
	f.detectors.Activate(&body)
	f.state.Advance(night.Add(3*time.Hour).UnixNano(), f.offset)
	if err := f.closeRuns(context.Background(), f.offset); err != nil {
		t.Fatal(err)
	}
	all := f.findings()
	last := all[len(all)-1]
	if last.State != schema.FindingClosed || last.ExpectedOf != callrate.WhyNothingLearned || last.ExpectedRate != 0 ||
		!last.Evidence[0].Usual.IsZero() || last.Evidence[0].UsualOf != callrate.WhyNothingLearned ||
		!strings.Contains(last.Summary, "is not known, nothing learned") || last.Acquaintance != schema.NothingLearned {
		t.Errorf("%+v", last)
	}
}
