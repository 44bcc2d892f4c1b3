package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"flyball/schema/clickhouse/query"
)

// ID is a cell with an id, or with a kind and an id. A screen with a width shows the beginning of it that no other id in the
// column has, which commands take in place of the id. " +2" may follow the id: two others are not shown.
type ID string

// more is what separates an id from the number of the others.
const more = " +"

// Word is a cell with a word that is explained elsewhere: it is never cut.
type Word string

// Prose is a cell with a reason or a description: what a screen has no room for goes on below its beginning.
type Prose string

// Alarm is a cell that stands out: in colour, and by a mark.
type Alarm string

// Level returns the cell of a level, of which trip stands out.
func Level(level string) any {
	if level == "trip" {
		return Alarm(level)
	}
	return Dash(level)
}

// Undo returns the cell of a reversibility, of which irreversible stands out.
func Undo(reversibility string) any {
	if reversibility == "irreversible" {
		return Alarm(reversibility)
	}
	return Dash(reversibility)
}

// Count returns the cell of a number that should be 0, which stands out if it is not.
func Count(n uint64) any {
	if n == 0 {
		return n
	}
	return Alarm(strconv.FormatUint(n, 10))
}

// Moment is a cell with a time. A screen with a width shows how long ago it was.
type Moment struct {
	At     time.Time
	Layout string // of the whole value; empty: as Text
	Text   string // whole value in UTC; of a time that is not known, what is shown
	Screen string // layout that a screen shows instead of how long ago it was
}

// Clock returns the cell of a time with milliseconds.
func Clock(t query.Time) any { return Moment{At: t.Time, Layout: clockLayout, Text: clock(t)} }

// Minute returns the cell of a time without seconds.
func Minute(t query.Time) any {
	return Moment{At: t.Time, Layout: clockLayout[:16], Text: clock(t)[:16]}
}

// When returns the cell of a time with seconds.
func When(t time.Time) any {
	return Moment{At: t, Layout: time.DateTime, Text: t.UTC().Format(time.DateTime)}
}

// Stamped returns the cell of an RFC 3339 time with seconds. Another text is shown as by Dash.
func Stamped(text string) any {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return Dash(text)
	}
	return When(t)
}

// Stamp returns the cell of an RFC 3339 time as the control API has it. Another text is shown as by Dash.
func Stamp(text string) any {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return Dash(text)
	}
	return Moment{At: t, Layout: time.RFC3339Nano, Text: text}
}

// Instant returns the cell of a time among others that are told apart by milliseconds: a screen shows the time of day, with the date if
// the others are of several days.
func Instant(t query.Time, severalDays bool) any {
	layout := "15:04:05.000"
	if severalDays {
		layout = "01-02 " + layout
	}
	return Moment{At: t.Time, Layout: clockLayout, Text: clock(t), Screen: layout}
}

// shown returns what a screen shows of it.
func (m Moment) shown(s *Screen) string {
	switch {
	case s.Width == 0:
		return m.in(s.Zone)
	case m.At.IsZero():
		return strings.TrimSpace(m.Text)
	case m.Screen == "":
		return Age(m.At, s.Now)
	case s.Zone == nil:
		return m.At.UTC().Format(m.Screen)
	}
	return m.At.In(s.Zone).Format(m.Screen)
}

// in returns the whole value in a time zone; nil: UTC.
func (m Moment) in(zone *time.Location) string {
	if zone == nil || zone == time.UTC || m.At.IsZero() || m.Layout == "" {
		return m.Text
	}
	return m.At.In(zone).Format(m.Layout)
}

// The limits of ages.
const (
	day        = 24 * time.Hour
	maxMinutes = 2 * time.Hour
	maxHours   = 3 * day
	maxDays    = 100 * day
)

// Age returns how long before now a time was, or how long after: 12s ago, 3m ago, 5h ago, 12d ago, in 4m. A time further away is a date.
func Age(t, now time.Time) string {
	d := now.Sub(t)
	form := "%s ago"
	if d < 0 {
		d, form = -d, "in %s"
	}
	var text string
	switch {
	case d < 2*time.Minute:
		text = fmt.Sprintf("%ds", int(d/time.Second))
	case d < maxMinutes:
		text = fmt.Sprintf("%dm", int(d/time.Minute))
	case d < maxHours:
		text = fmt.Sprintf("%dh", int(d/time.Hour))
	case d < maxDays:
		text = fmt.Sprintf("%dd", int(d/day))
	default:
		return t.UTC().Format(time.DateOnly)
	}
	return fmt.Sprintf(form, text)
}

// shownID is the minimum number of characters of a short id, beside a prefix such as f_.
const shownID = 8

// shortIDs returns, for the ids of a column, the beginning of each that no other one has.
func shortIDs(ids []string) map[string]string {
	out := make(map[string]string, len(ids))
	for _, id := range ids {
		n := shownID
		n += strings.IndexByte(id, ' ') + 1 // the kind of a scope
		if i := strings.IndexByte(id, '_'); i >= 0 && i < 4 {
			n += i + 1
		}
		for _, other := range ids {
			if other != id {
				n = max(n, common(id, other)+1)
			}
		}
		if n >= len(id) {
			out[id] = id
			continue
		}
		out[id] = strings.TrimSuffix(id[:n], "-")
	}
	return out
}

// common returns the length of the common beginning of two texts, in bytes.
func common(a, b string) int {
	n := 0
	for n < min(len(a), len(b)) && a[n] == b[n] {
		n++
	}
	return n
}
