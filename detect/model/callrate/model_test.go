package callrate

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"flyball/schema/wire"
)

func TestHoursOfTheWeekBeginOnMondayInUTC(t *testing.T) {
	for at, want := range map[string]int{
		"2026-11-23T00:00:00Z": 0, "2026-11-23T00:59:59Z": 0, "2026-11-29T23:59:00Z": 167, "1970-01-01T00:00:00Z": 72,
		"1969-12-31T23:59:59Z": 71, "2100-01-01T05:00:00Z": 4*24 + 5, "2026-11-23T01:00:00+03:00": 6*24 + 22,
	} {
		x, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		q := QuarterAt(x.UnixNano())
		if got := HourOfWeek(q); got != want {
			t.Errorf("%s is hour %d of the week, want %d", at, got, want)
		}
		if start := QuarterStart(q); start > x.UnixNano() || x.UnixNano()-start >= int64(15*time.Minute) {
			t.Errorf("%s lies in the quarter from %s", at, time.Unix(0, start).UTC())
		}
	}
}

// Calls that are hours late, or with clocks that are decades wrong, from several sources at once: each quarter is
// counted correctly, and the memory does not grow.
func TestClocksDecadesOffDoNotStopTheCount(t *testing.T) {
	var c Counter
	now := time.Date(2026, 11, 26, 10, 1, 0, 0, time.UTC).UnixNano()
	old, far := int64(5*time.Hour), time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano()
	var last *Count
	for i := range 1000 {
		at := int64(i) * int64(time.Second) / 2
		last = c.Add(1, now+at, false)
		switch i % 10 {
		case 3:
			c.Add(1, now+at-int64(3*time.Hour), false) // a late call
		case 5:
			c.Add(1, old+at, false) // a clock that counts from the start of the machine
		case 7:
			c.Add(1, far+at, true)
		}
		if c.Add(1, 0, false) != nil || c.Add(1, -at-1, false) != nil {
			t.Fatal("a call without a time is counted")
		}
		if len(c.counts) > maxQuarters {
			t.Fatalf("%d quarters are remembered", len(c.counts))
		}
	}
	if want := uint64(1000); last.N != want {
		t.Errorf("%d calls in the quarter, %d were made", last.N, want)
	}
}

// An actor can claim another agent's name with every call.
func TestInventedAgentsAreForgotten(t *testing.T) {
	var c Counter
	for i := range uint64(1_000_000) {
		c.Add(i, 1795176000e9, false)
	}
	if len(c.counts) != maxQuarters || cap(c.counts) > 2*maxQuarters {
		t.Errorf("%d quarters in room for %d", len(c.counts), cap(c.counts))
	}
}

func TestCounterGoesOnAfterACheckpoint(t *testing.T) {
	var c Counter
	for i := range int64(400) {
		c.Add(uint64(i%3), 1795176000e9+i*7e9, i%5 == 0)
		w := wire.NewWriter(nil, 'x', 1)
		c.Code(w)
		r, err := wire.NewReader(w.Bytes(), 'x', 1)
		if err != nil {
			t.Fatal(err)
		}
		var again Counter
		again.Code(r)
		if r.Err != nil || r.Rest() != 0 || !reflect.DeepEqual(again.counts, c.counts) {
			t.Fatalf("call %d: %+v, read %+v, %v", i, c.counts, again.counts, r.Err)
		}
		c = again
	}
	w := wire.NewWriter(nil, 'x', 1)
	n := maxQuarters + 1
	w.Len(&n, 12)
	w.Array(make([]byte, 200))
	r, _ := wire.NewReader(w.Bytes(), 'x', 1)
	if c.Code(r); r.Err == nil {
		t.Error("more quarters than an actor has are read")
	}
}

// busy makes a series with a constant number of calls in every quarter of some hours of a day.
func busy(agent string, weeks int, calls func(week, hour int) float64) Series {
	s := Series{Agent: agent, Group: "g"}
	for at := range weeks * HoursPerWeek {
		if n := calls(at/HoursPerWeek, at%HoursPerWeek); n > 0 {
			s.Cells = append(s.Cells, HourCounts{Hour: int32(at), ActiveQuarters: 4, Calls: 4 * n, Squares: 4 * n * n, Max: n})
		}
	}
	return s
}

func dayShift(_, hour int) float64 {
	if h := hour % 24; hour < 120 && h >= 8 && h < 18 {
		return float64(10 + (hour*7+hour/24*3)%9)
	}
	return 0
}

func fleetOf(n, weeks int, calls func(week, hour int) float64) []Series {
	var out []Series
	for i := range n {
		out = append(out, busy(fmt.Sprint("g/", i), weeks, calls))
	}
	return out
}

// One agent floods for three hours of one week: the factors and the limits of the agent and its peers change only
// slightly.
func TestOneIncidentTeachesNothing(t *testing.T) {
	clean, hit := fleetOf(10, 4, dayShift), fleetOf(10, 4, dayShift)
	hit[3] = busy("g/3", 4, func(week, hour int) float64 {
		if week == 2 && hour >= 34 && hour < 37 {
			return 5000
		}
		return dayShift(week, hour)
	})
	a, b := Fit(clean, 4, 0), Fit(hit, 4, 0)
	for h := range HoursPerWeek {
		if x, y := a.Groups["g"].Factors[h], b.Groups["g"].Factors[h]; math.Abs(x-y) > .03*x {
			t.Errorf("hour %d: factor %.3f, and %.3f with the incident", h, x, y)
		}
	}
	for _, agent := range []string{"g/3", "g/4"} {
		x, _ := a.Limit(agent, "g", 35, .001)
		y, _ := b.Limit(agent, "g", 35, .001)
		if float64(y) > 1.3*float64(x) {
			t.Errorf("%s may call %d times in a quarter of an hour, and %d with the incident", agent, x, y)
		}
	}
}

// With little data a factor is close to 1, and the level of an agent close to that of its peers.
func TestActorWithOneQuarter(t *testing.T) {
	list := append(fleetOf(6, 4, dayShift),
		Series{Agent: "once", Group: "alone", Cells: []HourCounts{{Hour: 300, ActiveQuarters: 1, Calls: 2, Squares: 4, Max: 2}}})
	b := Fit(list, 4, 0)
	for h, f := range b.Groups["alone"].Factors {
		if want := b.All.Factors[h]; math.Abs(f-want) > .02*want {
			t.Errorf("hour %d: factor %v of a group with one call, %v of everybody", h, f, want)
		}
	}
	once, stranger := b.Agents["once"], b.Groups["alone"]
	if once.RelVariance < .05 || once.Spread < .8*stranger.Spread {
		t.Errorf("%+v of one quarter, %+v of its peers", once, stranger)
	}
	if n, ok := b.Limit("once", "alone", 34, .001); !ok || n < 2*MinCalls {
		t.Errorf("seen once, it may call %d times: %v", n, ok)
	}
	alone := Fit(list[6:], 4, 0)
	for h, f := range alone.All.Factors {
		if math.Abs(f-1) > .001 {
			t.Errorf("hour %d: factor %v of a single call", h, f)
		}
	}
	if _, ok := alone.Limit("once", "alone", 34, .001); ok {
		t.Error("a limit that rests on no day")
	}
}

// An agent with calls in one week of four: the usual level is not that of the three weeks without calls.
func TestAgentThatIsBusyOneWeekInFourIsNotForgotten(t *testing.T) {
	list := append(fleetOf(6, 4, dayShift), busy("g/monthly", 4, func(week, hour int) float64 {
		if week == 1 {
			return 3 * dayShift(week, hour)
		}
		return 0
	}))
	b := Fit(list, 4, 0)
	if n, ok := b.Limit("g/monthly", "g", 34, .001); !ok || n < 54 {
		t.Errorf("it may call %d times in a quarter of an hour in which it called 54 times", n)
	}
}

func TestLessThanTwoWeeksSayNothing(t *testing.T) {
	if b := Fit(fleetOf(5, 1, dayShift), 1, 0); b != nil {
		t.Errorf("%+v", b)
	}
	if b := Fit(nil, 4, 0); b != nil {
		t.Errorf("%+v", b)
	}
	var none *Model
	if _, ok := none.Limit("a", "g", 0, .001); ok {
		t.Error("a limit by nothing")
	}
}

// Impossible counts: a NaN would spread into every score.
func TestNoCountMakesANumberThatIsNone(t *testing.T) {
	wild := []Series{
		{
			Agent: "huge",
			Group: "x",
			Cells: []HourCounts{
				{Hour: 0, ActiveQuarters: 4, Calls: 4e12, Squares: 4e24, Max: 1e12},
				{Hour: 671, ActiveQuarters: 1, Calls: 1, Squares: 1, Max: 1},
			},
		},
		{Agent: "equal", Group: "x", Cells: busy("", 4, func(int, int) float64 { return 7 }).Cells},
		{Agent: "one", Group: "y", Cells: []HourCounts{{Hour: 671, ActiveQuarters: 1, Calls: 1, Squares: 1, Max: 1}}},
		{Agent: "none", Group: "z"},
	}
	b := Fit(wild, 4, 100)
	text, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err) // JSON cannot encode NaN and infinities
	}
	var again Model
	if err := json.Unmarshal(text, &again); err != nil {
		t.Fatal(err)
	}
	for h := range HoursPerWeek {
		for _, s := range append(wild, Series{Agent: "stranger", Group: "nobody"}) {
			u, v := b.UsualAt(s.Agent, s.Group, h), again.UsualAt(s.Agent, s.Group, h)
			if !(u.Mean > 0) || !(u.Size > 0) || math.IsInf(u.Mean, 0) || math.IsInf(u.Size, 0) || u.Size/u.Mean > 1/(minSpread-1) {
				t.Errorf("%s in hour %d: %+v", s.Agent, h, u)
			}
			if u != v {
				t.Fatalf("%s in hour %d: %+v, read back %+v", s.Agent, h, u, v)
			}
			if score := u.Score(math.MaxUint32); math.IsNaN(score) || math.IsInf(score, 0) {
				t.Errorf("%s in hour %d: score %v", s.Agent, h, score)
			}
		}
	}
}

// A limit is the smallest count above the threshold, and a smaller share does not give a lower limit.
func TestLimitIsWhereTheScoreCrosses(t *testing.T) {
	b := Fit(fleetOf(10, 4, func(week, hour int) float64 { return dayShift(week, hour) * float64(1+(week*hour)%3) }), 4, 0)
	for _, h := range []int{3, 34, 150} {
		last := uint64(0)
		for _, share := range []float64{.01, .001, .0001} {
			n, ok := b.Limit("g/1", "g", h, share)
			u, threshold := b.UsualAt("g/1", "g", h), b.Calibration.Threshold(share)
			if !ok || u.Score(n) <= threshold || n > MinCalls && u.Score(n-1) > threshold || n < last {
				t.Errorf("hour %d at %g: %d, score %v before %v, threshold %v", h, share, n, u.Score(n-1), u.Score(n), threshold)
			}
			last = n
		}
	}
}

// Every point keeps the model in memory: 168 factors for each peer group, four numbers
// for each agent.
func TestBodyIsSmall(t *testing.T) {
	size := func(agents, groups int) int {
		var list []Series
		for i := range agents {
			s := busy(fmt.Sprint("group-", i%groups, "/agent-", i), 4, dayShift)
			s.Group = fmt.Sprint("group-", i%groups)
			list = append(list, s)
		}
		text, err := json.Marshal(Fit(list, 4, 0))
		if err != nil {
			t.Fatal(err)
		}
		return len(text)
	}
	agent, group := (size(60, 3)-size(30, 3))/30, (size(60, 30)-size(60, 3))/27
	t.Logf("%d bytes an agent, %d a group", agent, group)
	if agent > 200 || group > 2<<10 {
		t.Errorf("%d bytes an agent, %d a group", agent, group)
	}
}

func BenchmarkCount(b *testing.B) {
	body := Fit(fleetOf(10, 4, dayShift), 4, 0)
	var c Counter
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		k := c.Add(7, 1795176000e9+i*3e8, false) // 3,000 calls in a quarter
		if k.N >= MinCalls {
			k.Limit(body, "g/3", "g", .001)
		}
	}
}
