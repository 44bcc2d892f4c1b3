package incident

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	"flyball/schema"
)

// Advance moves the log's clock to the time of a record (Unix ns, by the broker) and returns the decisions that are due: silences end,
// hours of routes begin, and trips that were not enforced are called to mind. It comes before Decide for the same record.
func (f *Fold) Advance(now int64) []Decision {
	f.now = max(f.now, now)
	expired := f.silences.expire(f.now)
	minute := f.now / int64(time.Minute)
	if !expired && minute == f.minute {
		return nil
	}
	f.minute = minute
	return append(f.release(), f.remind()...)
}

// holdBack remembers that a page about an incident was withheld for a time.
func (f *Fold) holdBack(g *group) {
	f.held[g] = struct{}{}
}

// release decides about the incidents that a silence or hours of routes hold back. It makes at most as many pages as agents may open
// incidents in a window, the worst first; the others follow a minute later.
func (f *Fold) release() []Decision {
	type due struct {
		g *group
		i *open
		r Routes
	}
	var list []due
	for g := range f.held {
		if i, r := f.worstToNotify(g); i != nil {
			list = append(list, due{g, i, r})
		}
	}
	slices.SortFunc(list, func(a, b due) int { return cmp.Or(compareWorst(a.i, b.i), cmp.Compare(a.g.id, b.g.id)) })
	var out []Decision
	for _, d := range list[:min(len(list), f.bounds().Agents)] {
		delete(f.held, d.g)
		kind := Updated
		if !d.g.pages.any {
			kind = Opened
		}
		c := &change{kind, NoLongerHeld, string(NoLongerHeld) + ":" + strconv.FormatInt(f.now, 10), f.now}
		out = append(out, f.notify(d.g, d.i, c, verdict{Kind: kind, Reason: NoLongerHeld, Page: true, Worse: d.g.ack != nil}, d.r))
	}
	return out
}

// worstToNotify returns the worst open finding of an incident of which this receiver may be notified now; nil: there is none.
func (f *Fold) worstToNotify(g *group) (*open, Routes) {
	for _, i := range g.worst(maxTellable) {
		if f.silences.of(i.finding, f.Registry) != nil {
			continue
		}
		if r, ok := f.routed(i.finding); ok && (g.silenced || !g.anyNotified) {
			return i, r
		}
	}
	return nil, Routes{}
}

// maxTellable bounds the findings of an incident that are looked at.
const maxTellable = 20

// remind decides about incidents at level trip of which no breaker denies calls, because it was only observed or because the trip budget
// was spent. The pauses double, up to a day.
func (f *Fold) remind() []Decision {
	if f.Remind <= 0 {
		return nil
	}
	due := slices.SortedFunc(maps.Keys(f.unstopped), func(a, b *group) int {
		return cmp.Or(cmp.Compare(a.pages.remindAt, b.pages.remindAt), cmp.Compare(a.id, b.id))
	})
	var out []Decision
	for _, g := range due {
		if g.pages.remindAt > f.now || len(out) >= f.bounds().Agents {
			break
		}
		i := g.worst(1)[0]
		r, routed := f.routed(i.finding)
		if !routed || f.silences.of(i.finding, f.Registry) != nil {
			continue
		}
		g.pages.reminded++
		c := &change{Updated, StillNotDenied, string(StillNotDenied) + ":" + strconv.Itoa(g.pages.reminded), f.now}
		out = append(out, f.notify(g, i, c, verdict{Kind: Updated, Reason: StillNotDenied, Page: true}, r))
	}
	return out
}

// maxRemind is the longest pause between two reminders.
const maxRemind = 24 * time.Hour

// remindLater sets when the next reminder of an incident is due, after a page about it.
func (f *Fold) remindLater(g *group) {
	g.pages.remindAt = f.now + int64(min(f.Remind<<min(g.pages.reminded, 10), maxRemind))
	f.watch(g)
}

// watch keeps the incidents of which reminders are due one day.
func (f *Fold) watch(g *group) {
	if f.Remind > 0 && g.pages.any && g.pages.level >= schema.LevelTrip && g.denying == 0 && g.ack == nil && len(g.members) > 0 &&
		!g.scope.class.isQuestions() {
		f.unstopped[g] = struct{}{}
		return
	}
	delete(f.unstopped, g)
}
