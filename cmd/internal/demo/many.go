package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"flyball/detect/model/calibrate"
)

// RunMany plays n seeds, o.Seed and those after it, prints a line for each and a summary. It returns an error if a play could
// not be carried out, a runaway was not stopped, or the share of other runs that were denied does not agree with the setting.
func RunMany(ctx context.Context, o Options, n int) error {
	if n < 1 {
		return fmt.Errorf("--seeds %d: at least 1", n)
	}
	t := tally{setting: falseTripsPer1000 / 1000}
	for i := range n {
		var said bytes.Buffer
		play := o
		play.Out, play.Seed, play.Keep, play.oneOfMany = &said, o.Seed+uint64(i), false, true
		p, err := play.run(ctx)
		if err != nil {
			_, _ = io.Copy(o.Out, &said)
			t.print(o.Out)
			return errors.Join(fmt.Errorf("seed %d: %w", play.Seed, err), t.problem())
		}
		t.plays = append(t.plays, p)
		o.printf("%s", p.line())
	}
	t.print(o.Out)
	return t.problem()
}

// tally is what many plays showed.
type tally struct {
	setting float64 // the share of clean runs that may trip
	plays   []outcome
}

// clean counts the clean runs that were played and those that were denied: of all plays, and of different recorded runs.
func (t *tally) clean() (runs, denied, differentRuns, differentDenied int) {
	ids, deniedIDs := map[string]bool{}, map[string]bool{}
	for i := range t.plays {
		p := &t.plays[i]
		runs, denied = runs+len(p.runs), denied+len(p.wrongDenials)
		for j := range p.runs {
			ids[p.runs[j].id] = true
		}
		for j := range p.wrongDenials {
			deniedIDs[p.wrongDenials[j].run.id] = true
		}
	}
	return runs, denied, len(ids), len(deniedIDs)
}

// delays are the calls from onset to denial of the runaways that were denied, in ascending order.
func (t *tally) delays() (out []int) {
	for i := range t.plays {
		if after := t.plays[i].after; after > 0 {
			out = append(out, after)
		}
	}
	slices.Sort(out)
	return out
}

// problem is each fault of a play, and a share of denied clean runs whose interval is wholly above the setting.
func (t *tally) problem() error {
	var all []error
	for i := range t.plays {
		all = append(all, t.plays[i].fault())
	}
	runs, denied, _, _ := t.clean()
	if low, high := calibrate.Wilson(float64(denied), float64(runs)); runs > 0 && low > t.setting {
		all = append(all, fmt.Errorf("%d of %d clean runs were denied, 95 %% interval %s to %s in 10,000: above the setting, %s",
			denied, runs, in10000(low), in10000(high), in10000(t.setting)))
	}
	return errors.Join(all...)
}

// in10000 is a share in 10,000, with four significant digits.
func in10000(share float64) string { return fmt.Sprintf("%g", calibrate.RoundDigits(share*1e4)) }

func (t *tally) print(out io.Writer) {
	if len(t.plays) == 0 {
		return
	}
	say := func(format string, args ...any) { fmt.Fprintf(out, format+"\n", args...) }
	first, last := t.plays[0].seed, t.plays[len(t.plays)-1].seed
	delays := t.delays()
	say("\n%d plays, seeds %d to %d", len(t.plays), first, last)
	say("runaways denied: %d of %d%s", len(delays), len(t.plays), spread(delays))
	runs, denied, different, differentDenied := t.clean()
	low, high := calibrate.Wilson(float64(denied), float64(runs))
	say("clean runs denied: %d of %d, %s in 10,000 (95 %% interval %s to %s); the setting is %s in 10,000",
		denied, runs, in10000(float64(denied)/float64(runs)), in10000(low), in10000(high), in10000(t.setting))
	low, high = calibrate.Wilson(float64(differentDenied), float64(different))
	say("a recorded run is in many plays: of %d different clean runs %d were denied in any (95 %% interval %s to %s in 10,000)",
		different, differentDenied, in10000(low), in10000(high))
	left := t.plays[0].leftOut
	n := 0
	for _, reason := range slices.Sorted(maps.Keys(left)) {
		n += left[reason]
	}
	say("left out of every play because they ran away when they were recorded: %d runs", n)
	for _, reason := range slices.Sorted(maps.Keys(left)) {
		say("  %3d with %s", left[reason], reason)
	}
	for _, l := range t.explain() {
		say("%s", l)
	}
}

// spread describes delays in ascending order.
func spread(delays []int) string {
	n := len(delays)
	if n == 0 {
		return ""
	}
	median := float64(delays[(n-1)/2]+delays[n/2]) / 2
	counts := map[int]int{}
	for _, d := range delays {
		counts[d]++
	}
	var each []string
	for _, d := range slices.Sorted(maps.Keys(counts)) {
		each = append(each, fmt.Sprintf("%d: %d", d, counts[d]))
	}
	return fmt.Sprintf(", after %d to %d calls (median %g); plays by calls: %s", delays[0], delays[n-1], median, strings.Join(each, ", "))
}

// explain explains each recorded run that was denied, once, by the first play that denied it.
func (t *tally) explain() (out []string) {
	type denials struct {
		first *wrongDenial
		seeds []uint64
		plays int // that had the run
	}
	byRun := map[string]*denials{}
	var order []string
	for i := range t.plays {
		for j := range t.plays[i].wrongDenials {
			b := &t.plays[i].wrongDenials[j]
			if byRun[b.run.id] == nil {
				byRun[b.run.id], order = &denials{first: b}, append(order, b.run.id)
			}
			byRun[b.run.id].seeds = append(byRun[b.run.id].seeds, t.plays[i].seed)
		}
	}
	for i := range t.plays {
		for j := range t.plays[i].runs {
			if d := byRun[t.plays[i].runs[j].id]; d != nil {
				d.plays++
			}
		}
	}
	for _, id := range order {
		d := byRun[id]
		out = append(out, fmt.Sprintf("denied in %d of the %d plays that had it, seeds %s:",
			len(d.seeds), d.plays, strings.Trim(strings.ReplaceAll(fmt.Sprint(d.seeds), " ", ", "), "[]")))
		out = append(out, d.first.explain()...)
	}
	return out
}
