package query

import (
	"testing"
	"time"
)

func TestCursorLosesItsPlaceOrIsTakenByAnotherList(t *testing.T) {
	p := &place{time.Unix(1_700_000_000, 123456789).UTC(), "01000000-0000-0000-0000-000000000000"}
	got, err := parseCursor("runs", p.cursor("runs"))
	if err != nil || !got.at.Equal(p.at) || got.id != p.id {
		t.Errorf("%+v, %v, want %+v", got, err, p)
	}
	var none *place
	if got, err := parseCursor("runs", none.cursor("runs")); got != nil || err != nil {
		t.Errorf("no cursor: %+v, %v", got, err)
	}
	other := (&place{p.at, "a finding"}).cursor("runs")
	for _, text := range []string{p.cursor("findings"), other, "x", "MSBydW5zIHg"} {
		if got, err := parseCursor("runs", text); err == nil {
			t.Errorf("%q is the place %+v", text, got)
		}
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
