package query

import (
	"context"
	"fmt"
	"math"

	"golang.org/x/sync/errgroup"
)

// touchedReader reads the report on what a subject touched.
type touchedReader struct {
	db     DB
	win    Window
	report *Touched // that it fills
	page   touchedPage
	take   func(*TouchedResource) error // gets the resources in place of the report; nil: nobody
	reach  *Reach                       // is read in place of the resources; nil: is not asked for

	own  *where      // the condition for the calls that the subject made itself
	look *firstLook  // at these calls
	sum  effectTotal // of these calls
}

// newTouchedReader returns a reader with an empty report. run is the subject, if that is a run.
func newTouchedReader(db DB, s Subject, run *Run, win Window) *touchedReader {
	t := newTouched(s, win)
	t.Run = run
	return &touchedReader{db: db, win: win, report: t}
}

// TouchedBy reads the touched set of a subject, with the MaxTouchedRows most dangerous resources. For a run, Value is a run id.
func TouchedBy(ctx context.Context, db DB, s Subject, run *Run, win Window) (*Touched, error) {
	return TouchedPage(ctx, db, s, run, win, MaxTouchedRows, "")
}

// TouchedPage reads the touched set of a subject, with at most limit resources: those after the cursor of the page before, whose
// window it has. A cursor of another subject or window is an error.
func TouchedPage(ctx context.Context, db DB, s Subject, run *Run, win Window, limit int, after string) (*Touched, error) {
	question := pagedQuestion{list: "touched", what: []string{"kind", s.Kind, "subject", s.Value}, win: win}
	if run != nil {
		question.what[3] = run.RunID
	}
	part, win, err := rowsAfter(ctx, &question, limit, after)
	if err != nil {
		return nil, err
	}
	r := newTouchedReader(db, s, run, win)
	r.page = touchedPage{question, part}
	return r.read(ctx)
}

// EachTouched passes all resources of the touched set of a run to take, first those of its own calls and then those of the calls on its
// behalf, each the most dangerous first. It returns the report without resources.
func EachTouched(ctx context.Context, db DB, run *Run, take func(*TouchedResource) error) (*Touched, error) {
	r := newTouchedReader(db, Subject{Kind: "run", Value: run.RunID}, run, Window{})
	r.page.part.limit = math.MaxInt32
	r.take = take
	return r.read(ctx)
}

// read fills the report and returns it.
func (r *touchedReader) read(ctx context.Context) (*Touched, error) {
	t := r.report
	if t.Run != nil {
		t.FromHold = copiesOf(r.db, t.Run.RunID)
	}
	for _, part := range []func(context.Context) error{r.lookAtOwn, r.readOwn, r.readRest, r.readReach, r.endPage, r.describeRuns,
		r.explainNothing} {
		if err := part(ctx); err != nil {
			return nil, err
		}
	}
	t.Caveats = append(t.Caveats, heldCaveats(r.db)...)
	t.Complete = len(t.Caveats) == 0
	return t, nil
}

// lookAtOwn finds the calls that the subject made itself, and looks at them.
func (r *touchedReader) lookAtOwn(ctx context.Context) error {
	t := r.report
	own, left, err := callsOfSubject(ctx, r.db, t.Subject, t.Run, r.win)
	if err != nil {
		return err
	}
	r.own, t.Caveats = own, append(t.Caveats, left...)
	r.look, err = lookAt(ctx, own.bind(r.db), own)
	return err
}

// callsOfSubject returns the condition for the calls that a subject made itself in a time window. left says which of them it does not
// select.
func callsOfSubject(ctx context.Context, db DB, s Subject, run *Run, win Window) (own *where, left Caveats, err error) {
	switch s.Kind {
	case "run":
		own = &where{}
		own.ofRun(run)
	case "agent", "credential", "principal":
		own, err = callsOfName(ctx, db, s, win)
	case "resource":
		own, left, err = callsOfResource(ctx, db, s.Value, win)
	default:
		err = fmt.Errorf("subject %q is none of run, agent, credential, principal, resource", s.Kind)
	}
	if err != nil {
		return nil, nil, err
	}
	own.between("start_time", "start_time", win.Since, win.Until)
	return own, left, nil
}

// readOwn reads the calls that the subject made itself.
func (r *touchedReader) readOwn(ctx context.Context) (err error) {
	more := ""
	if r.reach != nil {
		more = placeColumns
	}
	db, rows := r.own.bind(r.db), keptRows(r.own, r.look, more)
	if r.reach != nil {
		r.reach.own = rows
	} else if err = r.readOwnResources(ctx, db, rows); err != nil {
		return err
	}
	totals := r.look.totals
	if !r.look.alone() {
		if totals, err = readTotals(ctx, db, rows); err != nil {
			return err
		}
	}
	for i := range totals {
		r.report.count(totals[i].effect, totals[i].undo, totals[i].calls)
	}
	if r.sum = sumOf(totals); len(totals) > 0 {
		r.report.include(r.sum.first, r.sum.last)
	}
	return nil
}

// readRest reads what is not of the subject's calls, and what can make the report incomplete: two parts that need nothing of each other.
func (r *touchedReader) readRest(ctx context.Context) error {
	t := r.report
	c := completenessOf(r.db, t, r.win)
	var parts errgroup.Group
	parts.Go(func() error { return r.readBeside(ctx) })
	parts.Go(func() error { return c.read(ctx, r.own, r.look, r.sum.doubts) })
	err := parts.Wait()
	t.Caveats = append(t.Caveats, c.caveats...)
	t.Coverage, t.StoredSince = c.coverage, c.storedSince
	return err
}

// readBeside reads what others did in the traces of the subject, and for a resource who was denied everything.
func (r *touchedReader) readBeside(ctx context.Context) error {
	t := r.report
	if t.Subject.Kind == "run" {
		return r.readBehalf(ctx)
	}
	if t.Subject.Kind == "resource" {
		denied, left, err := deniedRuns(ctx, r.db, t.Subject.Value, r.win)
		t.DeniedOnly, t.Caveats = denied, append(t.Caveats, left...)
		if err := t.Caveats.unlessExceeded("which runs were denied every attempt", err); err != nil {
			return err
		}
	}
	left, err := otherRunsInTraces(ctx, r.db, r.own, r.look, &r.sum)
	t.Caveats = append(t.Caveats, left...)
	return t.Caveats.unlessExceeded("whether other runs share traces with these calls", err)
}

// readReach reads services and resources, if they are asked for.
func (r *touchedReader) readReach(ctx context.Context) error {
	if r.reach == nil || r.report.Calls == 0 {
		return nil
	}
	return r.reach.read(ctx, r.db)
}

// describeRuns describes the runs of the rows.
func (r *touchedReader) describeRuns(ctx context.Context) (err error) {
	t := r.report
	t.Runs, err = runsOfResources(ctx, r.db, t.Resources, t.Run)
	return t.Caveats.unlessExceeded("what the runs are", err)
}

// explainNothing says why a report has no calls.
func (r *touchedReader) explainNothing(ctx context.Context) (err error) {
	t := r.report
	if t.Calls > 0 {
		return nil
	}
	why := ""
	if why, t.Near, err = whyNothing(ctx, r.db, t.Subject, t.Run, len(t.DeniedOnly) > 0); err == nil {
		t.Caveats.add("%s", why)
	}
	return err
}
