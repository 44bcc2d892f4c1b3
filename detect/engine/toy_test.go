package engine

import (
	"fmt"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/detector"
	"flyball/detect/score"
	"flyball/schema"
	"flyball/schema/wire"
)

// toyDetector finds runs that have made five calls, and reports every fifth. It knows
// nothing of the engine, and the engine nothing of it.
type toyDetector struct{}

type toyState struct {
	detector.Progress
	calls uint64
}

func (s *toyState) Code(c *wire.Coder) {
	s.Progress.Code(c)
	c.Uint(&s.calls)
}

func (toyDetector) Describe() detector.Description {
	return detector.Description{Name: "toy", StateVersion: detector.FirstStateVersion,
		NewRunState: func() detector.State { return &toyState{} }}
}

func (toyDetector) Activate(*score.Model) {}

func (toyDetector) Judge(c *detector.Judgment) {
	s, _ := c.State().(*toyState)
	if s == nil {
		s = &toyState{}
		c.Keep(s)
	}
	if s.calls++; s.calls%5 != 0 {
		return
	}
	due := c.DecisionDue(&s.Progress, schema.LevelTrip, "toy", true)
	if s.OpenedAt == 0 {
		s.OpenedAt = c.Start
	}
	s.Level, s.Closed = schema.LevelTrip, false
	f := c.NewFinding("toy", &s.Progress)
	f.Exposure.Calls = s.calls
	if due {
		c.DecideTrip(&s.Progress, f)
	}
	c.Report(f)
}

func (toyDetector) Close(c *detector.Judgment) {
	if s, _ := c.State().(*toyState); s != nil && s.Open() {
		s.Closed = true
		f := c.NewFinding("toy", &s.Progress)
		f.Exposure.Calls = s.calls
		c.Report(f)
	}
}

func withToy(o detector.Options, m *detector.Metrics) *detector.Set {
	s := detector.Deployed(o, m)
	s.Add(toyDetector{})
	return s
}

// A detector that is added judges, decides, closes and goes on after a restart, and its
// findings come out as those of all others. While a version without it runs, its state is
// kept.
func TestDetectorThatIsAddedNeedsNothingOfTheEngine(t *testing.T) {
	s := recording(t)
	s.publish()
	with := func(c *Config) { c.Detectors = withToy }
	for half, n := range []int{7, 4, 4} {
		for range n {
			s.call("toy", "g/0", nil)
		}
		s.call(fmt.Sprint("end-", half), "end/x", func(c *schema.Call) { c.AgentAsserted = "somebody" })
		s.flush()
		if half == 1 {
			s.apply(half) // without it
			continue
		}
		s.apply(half, with)
	}
	late := s.at
	s.at = late.AddDate(0, 0, 1)
	s.call("later", "g/1", nil)
	s.flush()
	s.call("end-3", "end/x", func(c *schema.Call) { c.AgentAsserted = "somebody" })
	s.flush()
	s.apply(3, with)
	var got []string
	commands := 0
	for _, f := range s.allFindings() {
		if f.Family != "toy" {
			continue
		}
		got = append(got, fmt.Sprint(f.Exposure.Calls, " ", f.State, " ", f.Decision != nil))
		if f.Decision != nil {
			commands++
		}
	}
	// Five calls with it, two more, four that it did not see, four more: eleven are counted.
	want := []string{"5 open true", "10 open false", "11 closed false"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Fatalf("%q, want %q", got, want)
	}
	trips := 0
	s.each(wire.CommandsTopic, func(r *kgo.Record) {
		c, err := wire.DecodeCommand(r.Value)
		if err != nil {
			t.Fatal(err)
		}
		if c.Decision != nil && c.Decision.Family == "toy" {
			trips++
		}
	})
	if trips != commands {
		t.Errorf("%d commands of %d decisions", trips, commands)
	}
}
