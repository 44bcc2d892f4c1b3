package query

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"flyball/schema"
)

// MaxTouchedRows is the number of resources of a report on a touched set, unless another one is asked for.
const MaxTouchedRows = 10_000

// touchedPage is what a report on a touched set lists of its resources, and the question that the next page answers, too.
type touchedPage struct {
	question pagedQuestion
	part     rowPart
}

// rowPart says which of the resources of a touched set are read.
type rowPart struct {
	limit int
	after *rowPlace // nil: from the first one
}

// rowPlace is the last resource of a page, and the window of the first page in nanoseconds, 0 if it has no limit: all pages count the
// calls of the same window. A resource whose calls are stored late may be on two pages.
type rowPlace struct {
	Since, Until                         int64
	Rank                                 int
	Calls                                uint64
	Resource, Method, Route, Effect, Run string
	Behalf                               bool
}

// rowsAfter returns the part of the resources after a cursor, and the window that all pages have.
func rowsAfter(ctx context.Context, question *pagedQuestion, limit int, after string) (rowPart, Window, error) {
	if limit <= 0 {
		limit = MaxTouchedRows
	}
	if after == "" {
		return rowPart{limit: limit}, question.win, nil
	}
	var p rowPlace
	err := question.parse(ctx, after, &p)
	return rowPart{limit, &p}, Window{fromNanos(p.Since), fromNanos(p.Until)}, err
}

// statement returns the end of a statement with the groups of touchedGroups: those of the part, and one more. run is the run of a group
// that is of a single one, having a further condition or empty; behalf says whose calls the statement is about.
func (p *rowPart) statement(run, having string, behalf bool) (tail string, params []any) {
	order := fmt.Sprintf("(indexOf(%s, undo), -toInt64(n), resource, method, route, did, %s)", byDanger, run)
	var h where
	if having != "" {
		h.add(having)
	}
	if a := p.after; a != nil {
		than := ">"
		if behalf && !a.Behalf {
			than = ">=" // of two that are alike, the own one is the first
		}
		var names []string
		for i, v := range []string{a.Resource, a.Method, a.Route, a.Effect, a.Run} {
			names = append(names, fmt.Sprintf("{after%d:String}", i))
			h.params = append(h.params, named(fmt.Sprint("after", i), v))
		}
		h.add(fmt.Sprintf("%s %s (%d, -%d, %s)", order, than, a.Rank+1, a.Calls, strings.Join(names, ", ")))
	}
	if len(h.conditions) > 0 {
		tail = " HAVING " + strings.Join(h.conditions, " AND ")
	}
	return tail + fmt.Sprintf(" ORDER BY %s LIMIT %d", order, p.limit+1), h.params
}

// byDanger is the list of reversibilities in SQL, the most dangerous first.
var byDanger = func() string {
	words := slices.Clone(schema.ReversibilityWords)
	slices.SortFunc(words, func(a, b string) int { return schema.DangerRank(a) - schema.DangerRank(b) })
	return "['" + strings.Join(words, "', '") + "']"
}()

// place returns the place of a resource in the order of all. For a resource as the subject, each row is of one run.
func (r *TouchedResource) place(ofRun bool) *rowPlace {
	p := rowPlace{Rank: schema.DangerRank(r.Reversibility), Calls: r.Calls, Resource: r.Resource, Method: r.Method, Route: r.Route,
		Effect: r.Effect, Behalf: r.behalf}
	if ofRun && len(r.Runs) > 0 {
		p.Run = r.Runs[0]
	}
	return &p
}

func (p *rowPlace) compare(o *rowPlace) int {
	own := func(p *rowPlace) int {
		if p.Behalf {
			return 1
		}
		return 0
	}
	return cmp.Or(cmp.Compare(p.Rank, o.Rank), cmp.Compare(o.Calls, p.Calls), strings.Compare(p.Resource, o.Resource),
		strings.Compare(p.Method, o.Method), strings.Compare(p.Route, o.Route), strings.Compare(p.Effect, o.Effect),
		strings.Compare(p.Run, o.Run), own(p)-own(o))
}

// sortByDanger sorts resources by danger, the most dangerous first. ofRun says that each is of one run.
func sortByDanger(list []TouchedResource, ofRun bool) {
	slices.SortFunc(list, func(a, b TouchedResource) int { return a.place(ofRun).compare(b.place(ofRun)) })
}

// endPage sorts the resources by danger, the most dangerous first, and ends the page after its last one.
func (r *touchedReader) endPage(ctx context.Context) (err error) {
	t, win, limit := r.report, r.win, r.page.part.limit
	ofRun := t.Subject.Kind == "resource"
	sortByDanger(t.Resources, ofRun)
	if r.page.part.after != nil {
		t.Caveats.add("earlier_rows: the resources of the pages before this one are not listed again; the counts are of all")
	}
	if len(t.Resources) <= limit {
		return nil
	}
	t.Resources = t.Resources[:limit]
	p := t.Resources[limit-1].place(ofRun)
	if win.Until.IsZero() {
		if win.Until, err = newestStored(ctx, r.db); err != nil {
			return err
		}
		if win.Until.Before(r.sum.last) {
			win.Until = r.sum.last
		}
	}
	p.Since, p.Until = nanosOf(win.Since), nanosOf(win.Until)
	t.Next = r.page.question.cursor(ctx, p)
	t.Caveats.add("more_rows: %d resources are listed, the most dangerous first, and there are more: --limit, or the same command with "+
		"--after %s", limit, t.Next)
	return nil
}
