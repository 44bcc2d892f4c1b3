package query

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// For any rows that are marked as duplicates, and any rows of the check: each resource that a
// row names is in the report.
func TestNoRowIsLeftOutWhoseResourcesNoKeptRowNames(t *testing.T) {
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		rows := make([]ReportRow, 1+r.IntN(40))
		for i := range rows {
			row := &rows[i]
			row.Run, row.Method, row.Path = fmt.Sprint(r.IntN(2)), []string{"GET", "DELETE"}[r.IntN(2)], fmt.Sprint("/v1/a/", r.IntN(4))
			for range r.IntN(3) {
				row.Resources = append(row.Resources, fmt.Sprint("a:", r.IntN(6)))
			}
			row.Asked = r.IntN(3) == 0
			row.Counted = r.IntN(2) == 0
		}
		kept, _ := KeptResources(rows)
		for i := range rows {
			named := rows[i].Resources
			if len(named) == 0 {
				named = []string{""}
			}
			for _, v := range named {
				if !shown(rows, kept, &rows[i], v) {
					t.Fatalf("seed %d: row %d (%+v) is left out and nothing shows %q", seed, i, rows[i], v)
				}
			}
		}
	}
}

func shown(rows []ReportRow, kept [][]string, row *ReportRow, resource string) bool {
	for i := range rows {
		if rows[i].Run == row.Run && rows[i].Method == row.Method && rows[i].Path == row.Path && slices.Contains(kept[i], resource) {
			return true
		}
	}
	return false
}

// A call that was checked and then logged counts once; a further row of the check without a
// logged row is another call.
func TestAskedRowsCountOnceWithTheirLog(t *testing.T) {
	row := func(asked bool) ReportRow {
		return ReportRow{Run: "r", Method: "DELETE", Path: "/a/1", Resources: []string{"a:1"}, Asked: asked, Counted: !asked}
	}
	counted := row(true)
	counted.Counted = true
	late := row(false)
	late.Counted = false
	for name, v := range map[string]struct {
		rows []ReportRow
		kept int
	}{
		"asked and logged":        {[]ReportRow{row(true), row(false)}, 1},
		"asked only":              {[]ReportRow{row(true)}, 1},
		"asked twice, logged one": {[]ReportRow{row(true), row(false), row(true)}, 2},
		"asked, logged late":      {[]ReportRow{counted, late}, 1},
		"asked only, and another": {[]ReportRow{counted, row(true), row(false)}, 2},
	} {
		n := 0
		_, counts := KeptResources(v.rows)
		for _, counted := range counts {
			if counted {
				n++
			}
		}
		if n != v.kept {
			t.Errorf("%s: %d rows count, want %d", name, n, v.kept)
		}
	}
}
