package engine

import (
	"fmt"
	"testing"
	"time"

	"flyball/detect/detector"
	"flyball/detect/feature"
	"flyball/detect/score"
	"flyball/schema"
	"flyball/schema/wire"
)

// loopOf returns a run that reads for a while and then repeats one call, with call times from a
// clock.
func loopOf(f *floor, n int, clock func(i int) time.Time) *detector.RunState {
	f.t.Helper()
	for i := range n {
		f.call(clock(i), func(c *schema.Call) {
			c.RouteKey, c.ArgsDigest, c.ResultDigest = "/orders/{}", uint64(min(i, 6)), 7
			c.ResultDigestBasis = schema.DigestLogged
		})
	}
	runs := f.state.TakeChanged(nil)
	if len(runs) != 1 {
		f.t.Fatalf("%d runs", len(runs))
	}
	return runs[0].Attached.(*detector.RunState)
}

// Logs arrive hours late, from machines whose clocks are at 1970 or at 2100: a score depends on the
// order of a run's calls, and clocks do not change it.
func TestClocksThatAreWrongChangeNoScore(t *testing.T) {
	body := readers()
	var want *detector.RunState
	for name, clock := range map[string]func(i int) time.Time{
		"right":       func(i int) time.Time { return night.Add(time.Duration(i) * time.Second) },
		"hours late":  func(i int) time.Time { return night.Add(time.Duration(i*7%11-5) * time.Hour / 12) },
		"1970":        func(i int) time.Time { return time.Unix(0, int64(i)) },
		"before 1970": func(i int) time.Time { return time.Unix(-1e9, int64(i)) },
		"2100":        func(i int) time.Time { return time.Date(2100, 1, 1, 0, 0, i, 0, time.UTC) },
		"standing":    func(i int) time.Time { return night },
		"backwards":   func(i int) time.Time { return night.Add(-time.Duration(i) * time.Second) },
		"1970 and 2100": func(i int) time.Time {
			return []time.Time{time.Unix(0, 1), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}[i%2]
		},
	} {
		f := newFloor(t)
		f.detectors.Activate(body)
		got := loopOf(f, 40, clock)
		if want == nil {
			want = got
		}
		if got.Calls() != 40 || got.Score != want.Score || got.Families != want.Families ||
			!(got.Score > body.Calibration.Levels(f.cfg.FalseTrips)[1]) {
			t.Errorf("%s: %d calls score %v, by another clock %v", name, got.Calls(), got.Score, want.Score)
		}
		told := 0
		for _, r := range f.tape.records {
			if r.Topic != wire.EventsTopic {
				continue
			}
			e, err := wire.DecodeEvent(r.Value)
			if err != nil {
				t.Fatal(err)
			}
			if f := e.Finding; f != nil && f.Family == schema.FamilyLoop {
				told++
				if !(f.ExpectedRate >= 0 && f.ExpectedRate <= 1) || f.ExpectedOf == "" || f.DelayCalls > 40 {
					t.Errorf("%s: %+v", name, f)
				}
			}
		}
		if told == 0 {
			t.Errorf("%s: no finding was told", name)
		}
	}
}

// An agent that is seen once, and many of them, cause no alarm, and an invented name does not take
// room for ever.
func TestCrowdOfStrangersAlarmsNobody(t *testing.T) {
	body := readers()
	f := newFloor(t)
	f.detectors.Activate(body)
	for i := range 300 {
		f.call(night.Add(time.Duration(i)*time.Second), func(c *schema.Call) {
			c.AgentID, c.RunKey, c.CredentialID = fmt.Sprint("crowd-", i, "/x"), fmt.Sprint("r-", i), fmt.Sprint("k-", i)
			c.RoutingKey, c.RouteKey, c.Route = fmt.Sprint("g:", i), fmt.Sprint("/never/", i), ""
			c.Method, c.Effect = "DELETE", schema.EffectDelete
		})
	}
	for _, r := range f.tape.records {
		if r.Topic == wire.EventsTopic || r.Topic == wire.CommandsTopic {
			t.Fatalf("%s: %s", r.Topic, r.Value)
		}
	}
	// A loop of an unknown agent is still a loop.
	m, run := score.NewModel(body), score.RunScore{}
	for i := range 40 {
		c := feature.Input{Route: feature.RouteHash("GET /v1/things/0/part"), Bytes: 300, Resources: []uint64{0}}
		run.Add(m, score.Reference{Agent: "stranger/1", Group: "stranger"}, &c, int64(i), schema.ReadOnly)
	}
	if !(run.Score > body.Calibration.Threshold(.001)) {
		t.Errorf("a stranger's loop of 40 calls scores %v", run.Score)
	}
}
