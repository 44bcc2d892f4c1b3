package main

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
)

// People read every listing on terminals of these widths: a change is visible in the golden files.
func TestListingsOnScreens(t *testing.T) {
	all := listings()
	for _, width := range []int{40, 80, 120, 200} {
		var out strings.Builder
		for _, name := range slices.Sorted(maps.Keys(all)) {
			l := all[name]
			f := newFixture(t, l.yaml)
			f.db, f.api, f.width, f.now = l.db, l.api, width, at("2026-11-20 10:10:00")
			_, text, _ := f.run(l.args...)
			fmt.Fprintf(&out, "=== %s\n%s\n", name, text)
		}
		golden(t, fmt.Sprintf("screens/%d.txt", width), out.String())
	}
}

// A head that was cut (IRREVER…) could not be read, nor asked for: a column without room is left out and named.
func TestHeadIsCutInTheMiddle(t *testing.T) {
	cut := regexp.MustCompile(`(^|  )[A-Z][A-Z0-9 ,()]*…`)
	all := listings()
	for width := 24; width <= 200; width += 8 {
		for name, l := range all {
			f := newFixture(t, l.yaml)
			f.db, f.api, f.width, f.now = l.db, l.api, width, at("2026-11-20 10:10:00")
			_, text, _ := f.run(l.args...)
			for line := range strings.Lines(text) {
				if found := cut.FindString(line); found != "" {
					t.Errorf("%s, %d columns: %q in %q", name, width, found, line)
				}
			}
		}
	}
}

// Every listing has a wide form, with whole values on a terminal too, and a form for spreadsheets.
func TestListingHasNoWideFormOrCSV(t *testing.T) {
	for name, l := range listings() {
		f := newFixture(t, l.yaml)
		f.db, f.api, f.now = l.db, l.api, at("2026-11-20 10:10:00")
		_, pipe, _ := f.run(l.args...)
		f.width = 80
		_, wide, _ := f.run(append(l.args, "-o", "wide")...)
		if wide != pipe {
			t.Errorf("%s: -o wide on a terminal differs from what a pipe gets:\n%s\n%s", name, wide, pipe)
		}
		switch name {
		case "settings", "arming", "arming-none": // objects
			continue
		}
		code, text, errs := f.run(append(l.args, "-o", "csv")...)
		if _, err := csv.NewReader(strings.NewReader(text)).ReadAll(); err != nil || code == exitUsage || code == exitFailed {
			t.Errorf("%s -o csv: exit %d, %v, %s", name, code, err, errs)
		}
	}
}

// An empty list of the last day looked like a deployment without data.
func TestOldDataLooksLikeNone(t *testing.T) {
	now := at("2026-11-20 12:00:00")
	old := now.Add(-20 * 24 * time.Hour)
	for name, c := range map[string]struct {
		args   []string
		newest time.Time
		want   string
	}{
		"old data":           {nil, old, "Nothing in the last 24h; the newest is of 2026-10-31 12:00:00 (UTC): --since 21d lists it.\n"},
		"no data":            {nil, time.Time{}, "nothing at all\n"},
		"left out by more":   {nil, now.Add(-time.Hour), "nothing at all\n"},
		"a period was named": {[]string{"--since", "1h"}, old, "nothing at all\n"},
	} {
		var w window
		l := listing[int]{window: &w, empty: "nothing at all", query: func(r *request) ([]int, error) { return nil, nil },
			newest: func(r *request) (time.Time, error) { return c.newest, nil }}
		for _, form := range []string{formTable, formJSON} {
			var out, errs bytes.Buffer
			o := &options{output: form, terminal: func(s *report.Screen) { s.Now = now }}
			cmd := &cobra.Command{Use: "list", RunE: l.run(o)}
			w.flags(cmd, defaultPeriod)
			cmd.SetOut(&out)
			cmd.SetErr(&errs)
			cmd.SetArgs(append([]string{}, c.args...))
			if err := cmd.ExecuteContext(t.Context()); err != nil {
				t.Fatal(err)
			}
			got := out.String()
			if form == formJSON {
				if strings.TrimSpace(got) != "null" && strings.TrimSpace(got) != "[]" {
					t.Errorf("%s as JSON: %q", name, got)
				}
				if got = errs.String(); got == "" {
					got = "nothing at all\n"
				}
			}
			if got != c.want {
				t.Errorf("%s as %s: %q, not %q", name, form, got, c.want)
			}
		}
	}
}
