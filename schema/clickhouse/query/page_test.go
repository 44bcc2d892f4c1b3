package query

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

func TestCursorLosesItsPlaceOrIsTakenByAnotherList(t *testing.T) {
	p := &place{time.Unix(1_700_000_000, 123456789).UTC(), "01000000-0000-0000-0000-000000000000"}
	of := func(list string) *pagedQuestion { return &pagedQuestion{list: list} }
	got, err := of("runs").after(t.Context(), of("runs").next(t.Context(), p))
	if err != nil || !got.at.Equal(p.at) || got.id != p.id {
		t.Errorf("%+v, %v, want %+v", got, err, p)
	}
	if got, err := of("runs").after(t.Context(), of("runs").next(t.Context(), nil)); got != nil || err != nil {
		t.Errorf("no cursor: %+v, %v", got, err)
	}
	other := of("runs").next(t.Context(), &place{p.at, "a finding"})
	for _, text := range []string{of("findings").next(t.Context(), p), other, "x", "MSBydW5zIHg", of("runs").next(t.Context(), p)[:60]} {
		if got, err := of("runs").after(t.Context(), text); err == nil || !strings.Contains(err.Error(), "ask for the first page again") {
			t.Errorf("%q is the place %+v, %v", text, got, err)
		}
	}
}

// A cursor is of one question: the same list with the same values, in the same window. A window that ends now moves on between two pages.
func TestCursorOfAnotherQuestionIsAccepted(t *testing.T) {
	now := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	day := Window{Since: now.AddDate(0, 0, -1)}
	moved := func(w Window, by time.Duration) Window { return Window{shifted(w.Since, by), shifted(w.Until, by)} }
	of := func(win Window, what ...string) *pagedQuestion {
		return &pagedQuestion{list: "find", what: what, win: win}
	}
	at := func(later time.Duration) context.Context { return AskedAt(t.Context(), now.Add(later)) }
	text := of(day, "term", "a", "kind", "host").cursor(at(0), timedPlace{At: 1, ID: "x"})
	for _, v := range []struct {
		q     *pagedQuestion
		later time.Duration
		want  string // in the error; empty: none
	}{
		{of(day, "term", "a", "kind", "host"), 0, ""},
		{of(day, "term", "a", "kind", "host"), 48 * time.Hour, ""},
		{of(moved(day, time.Hour), "term", "a", "kind", "host"), time.Hour, ""},
		{of(moved(day, 18*time.Hour), "term", "a", "kind", "host"), time.Hour,
			"another period (since 2026-11-19T00:00:00.000000000Z, until any)"},
		{of(moved(day, time.Minute), "term", "a", "kind", "host"), time.Hour, "another period"},
		{of(moved(day, -time.Hour), "term", "a", "kind", "host"), time.Hour, "another period"},
		{of(Window{day.Since, now}, "term", "a", "kind", "host"), 0, "another period"},
		{of(Window{}, "term", "a", "kind", "host"), 0, "another period"},
		{of(day, "term", "b", "kind", "host"), 0, "another question: it must be of the same term, kind as"},
		{of(day, "term", "a", "kind", "tool"), 0, "another question"},
		{of(day, "term", "akind", "", "host"), 0, "another question"},
		{&pagedQuestion{list: "routes", win: day}, 0, `a cursor of "find": it must be one of routes`},
	} {
		var p timedPlace
		err := v.q.parse(at(v.later), text, &p)
		if v.want == "" && (err != nil || p != timedPlace{At: 1, ID: "x"} || v.q.win != day) {
			t.Errorf("%+v after %v: %+v, %v", v.q, v.later, p, err)
		}
		if v.want != "" && (err == nil || !strings.Contains(err.Error(), v.want)) {
			t.Errorf("%+v after %v: %v, want %q", v.q, v.later, err, v.want)
		}
	}
	// The third page is of the window of the first one, asked for when that was.
	second := of(moved(day, time.Hour), "term", "a", "kind", "host")
	if err := second.parse(at(time.Hour), text, &timedPlace{}); err != nil {
		t.Fatal(err)
	}
	third := of(moved(day, 2*time.Hour), "term", "a", "kind", "host")
	err := third.parse(at(2*time.Hour), second.cursor(at(time.Hour), timedPlace{}), &timedPlace{})
	if err != nil || third.win != day {
		t.Errorf("the third page: %+v, %v", third.win, err)
	}
	old := base64.RawURLEncoding.EncodeToString([]byte(`1 find {"host":{"at":1,"id":"x"}}`))
	err = of(day).parse(t.Context(), old, &timedPlace{})
	if err == nil || !strings.Contains(err.Error(), `a cursor of version "1": it must be of version 2`) {
		t.Errorf("a cursor of the version before: %v", err)
	}
}

func TestStartOfAnIdIsNotARange(t *testing.T) {
	for text, want := range map[string]string{"01ab23cd": "01ab23cd000000000000000000000000",
		"01ab23cd-ef": "01ab23cdef0000000000000000000000",
		"01ab23cde":   "", "nightly-7": "", "01": "", "01AB23CD": ""} {
		low, high, ok := idRange(text)
		if low != want || ok != (want != "") || ok && high <= low {
			t.Errorf("%q: %q to %q, %v", text, low, high, ok)
		}
	}
}

// A question for the newest looks at the newest days first, and at everything if these have not enough.
func TestOldAnswerIsNotFound(t *testing.T) {
	newest := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	looked := func(newest, since time.Time) (from []time.Time) {
		_ = backwards(newest, since, func(at time.Time) (bool, error) {
			from = append(from, at)
			return false, nil
		})
		return from
	}
	if got := looked(newest, time.Time{}); len(got) != len(steps)+1 || !got[len(steps)].IsZero() {
		t.Errorf("without a start: %v", got)
	}
	since := newest.Add(-48 * time.Hour)
	if got := looked(newest, since); len(got) != 2 || !got[1].Equal(since) {
		t.Errorf("of two days: %v", got)
	}
	if got := looked(time.Time{}, since); len(got) != 1 || !got[0].Equal(since) {
		t.Errorf("without a newest: %v", got)
	}
}
