package learn

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Each pair of an actor and a run must be in exactly one slice.
func TestRunIsInNoSliceOrInTwo(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for name, cells := range map[string]func(i int) uint64{
		"no calls":       func(int) uint64 { return 0 },
		"even":           func(int) uint64 { return 10 },
		"one actor":      func(i int) uint64 { return map[int]uint64{77: 1_000_000}[i] },
		"first and last": func(i int) uint64 { return map[int]uint64{0: 5000, sliceCells - 1: 5000}[i] },
		"skewed":         func(i int) uint64 { return uint64(1_000_000 / (1 + i*i)) },
	} {
		t.Run(name, func(t *testing.T) {
			all := make([]sliceCell, sliceCells)
			for i := range all {
				all[i].calls = cells(i)
			}
			parts := mergeCells(all, 1000)
			for range 2000 {
				actor, run := uint64(r.Uint32()), fmt.Sprintf("%016x", r.Uint64())
				if r.IntN(2) == 0 {
					actor = 77 * sliceWidth
				}
				n := 0
				for i := range parts {
					s := &parts[i]
					in := actor >= s.from && actor < s.to
					in = in && (s.part == 0 || run >= half(s, s.part)) && (s.part == s.parts-1 || run < half(s, s.part+1))
					if in {
						n++
					}
				}
				if n != 1 {
					t.Fatalf("actor %d, run %s: in %d of %d slices", actor, run, n, len(parts))
				}
			}
			if len(parts) > 2*sliceCells {
				t.Errorf("%d slices", len(parts))
			}
		})
	}
}

// half returns either half of the run id at which a part begins: they are equal.
func half(s *Slice, part int) string {
	id := strings.ReplaceAll(s.bound(part), "-", "")
	if id[:16] != id[16:] {
		panic(id)
	}
	return id[:16]
}

func TestBoundsOfPartsAreNotAscending(t *testing.T) {
	for _, parts := range []int{2, 3, 7, 64, sliceCells} {
		s := Slice{to: 1 << 32, parts: parts}
		for part := 2; part < parts; part++ {
			if half(&s, part-1) >= half(&s, part) {
				t.Fatalf("%d parts: %s, %s", parts, s.bound(part-1), s.bound(part))
			}
		}
	}
	whole := Slice{to: 1 << 32, parts: 1}
	if got := whole.calls("c."); got != "true" {
		t.Errorf("a slice of everything is limited: %s", got)
	}
}

// The sample that is read for a number of runs must be enough to select the same runs as from all samples.
func TestSampleThatIsReadMissesASelectedRun(t *testing.T) {
	for _, perDay := range [][]int{month(3, 10_000), month(20, 10_000), month(1000, 1000), month(1, 7), {300}, {1, 1, 80, 1}, {4, 0, 0, 500},
		{5}} {
		for _, most := range []int{1, 7, 60, 200} {
			whole, some := sent(perDay...), sent(perDay...)
			want, dayFull, enough := sampleDays(whole, most)
			read := 0
			wanted := map[uint64]bool{}
			for _, d := range some {
				for _, r := range d.Sample {
					d.hashes = append(d.hashes, sliceHash{hash: r.Hash})
				}
				slices.SortFunc(d.hashes, func(a, b sliceHash) int { return cmp.Compare(a.hash, b.hash) })
			}
			wantSamples(some, most, func(w sliceHash) { wanted[w.hash] = true })
			for _, d := range some {
				d.Sample = slices.DeleteFunc(d.Sample, func(r StoredRun) bool { return !wanted[r.Hash] })
				read += len(d.Sample)
			}
			got, alsoDayFull, alsoEnough := sampleDays(some, most)
			if !reflect.DeepEqual(got, want) || alsoDayFull != dayFull || alsoEnough != enough {
				t.Errorf("%d of %v: other runs, or left out %d and %d, want %d and %d", most, perDay, alsoDayFull, alsoEnough, dayFull, enough)
			}
			if read >= most+MaxRunsPerDay {
				t.Errorf("%d of %v: read %d", most, perDay, read)
			}
		}
	}
}

func TestAllAgentsTogetherExceedTheLimit(t *testing.T) {
	agents := map[string]*AgentHistory{}
	for i := range 400 {
		p := &AgentHistory{Clean: sent(month(1+i%30, 5)...)}
		for _, d := range p.Clean {
			d.Calls = 4 * d.Runs
		}
		agents[fmt.Sprint("a", i)] = p
	}
	taught := func(most int) (runs int) {
		for _, p := range agents {
			picked, _, _ := sampleDays(p.Clean, most)
			runs += len(picked)
		}
		return runs
	}
	for _, l := range []sampleLimits{{200, 1 << 40, 1 << 40}, {200, 20_000, 1 << 40}, {200, 1 << 40, 40_000}, {200, 100, 1 << 40},
		{perAgent: 200}} {
		most, left := l.ofAgents(agents)
		share := most.vouched
		if len(left) > 0 {
			t.Errorf("%+v: agents with names that somebody vouches for are left out", l)
		}
		switch runs := taught(share); {
		case l.runs == 0 || l.runs == 1<<40 && l.calls == 1<<40:
			if share != 200 {
				t.Errorf("%+v: %d runs of an agent, no limit is reached", l, share)
			}
		case l.runs == 100:
			if share != 1 { // of each agent at least one
				t.Errorf("%+v: %d runs of an agent", l, share)
			}
		default:
			if uint64(runs) > l.runs || uint64(4*runs) > l.calls {
				t.Errorf("%+v: %d runs of an agent are %d", l, share, runs)
			}
			if more := taught(share + 1); uint64(more) <= l.runs && uint64(4*more) <= l.calls {
				t.Errorf("%+v: %d runs of an agent, one more would be within the limits", l, share)
			}
		}
	}
}

func TestStatementReadsTooManyCalls(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 5))
	var runs []SelectedRun
	for i := range 30_000 {
		n := uint64(1 + r.IntN(20))
		if i%1000 == 0 {
			n = 2 * callsPerStatement
		}
		runs = append(runs, SelectedRun{StoredRun: StoredRun{ID: fmt.Sprint(i), Calls: n}})
	}
	i := 0
	for chunk := range chunksOf(runs) {
		calls := uint64(0)
		for j := range chunk {
			if chunk[j].ID != runs[i].ID {
				t.Fatal("runs are left out or in another order")
			}
			i++
			calls += chunk[j].Calls
		}
		if len(chunk) > runsPerStatement || calls > callsPerStatement && len(chunk) > 1 {
			t.Errorf("%d runs with %d calls", len(chunk), calls)
		}
	}
	if i != len(runs) {
		t.Errorf("%d of %d runs", i, len(runs))
	}
}

// Calls of a quarter of an hour that two slices count must be added before they are squared.
func TestCallsOfOneQuarterAreCountedAsTwoQuarters(t *testing.T) {
	a := []quarterCount{{1, 2}, {4, 1}, {9, 5}}
	b := []quarterCount{{0, 1}, {4, 3}, {10, 1}}
	want := []quarterCount{{0, 1}, {1, 2}, {4, 4}, {9, 5}, {10, 1}}
	if got := addQuarters(slices.Clone(a), b); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if got := addQuarters(nil, b); !slices.Equal(got, b) {
		t.Errorf("%v, want %v", got, b)
	}
	r := &rateCounts{open: map[actorName][]quarterCount{{actor: "k:1", agent: "g/a", trust: "verified", kind: "agent"}: want}}
	r.end()
	series, err := r.series()
	if err != nil || len(series) != 1 || len(series[0].Cells) != 3 {
		t.Fatalf("%+v: %v", series, err)
	}
	if c := series[0].Cells[1]; c.Hour != 1 || c.ActiveQuarters != 1 || c.Calls != 4 || c.Squares != 16 || c.Max != 4 {
		t.Errorf("%+v", c)
	}
}
