package route

import (
	"fmt"
	"strings"
	"time"
)

// Hours are times of the week in a time zone.
type Hours struct {
	zone     *time.Location
	days     [7]bool
	from, to int // minutes of the day; to is at most 24:00, and not after from if the hours end on the next day
}

var dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// ParseHours reads hours. Days are names and ranges, as mon-fri; empty: every day. From and to are times of the day, as 09:00; empty: the
// whole day. If to is not after from, the hours end on the next day. An empty zone is UTC. The error begins with the key that is wrong.
func ParseHours(zone string, days []string, from, to string) (*Hours, error) {
	h := &Hours{to: 24 * 60}
	var err error
	if h.zone, err = time.LoadLocation(zone); err != nil {
		return nil, fmt.Errorf("zone: %q is no time zone of the IANA database, as Europe/Berlin", zone)
	}
	if len(days) == 0 {
		days = []string{"sun-sat"}
	}
	for _, d := range days {
		first, last, isRange := strings.Cut(strings.ToLower(d), "-")
		if !isRange {
			last = first
		}
		a, b := dayOf(first), dayOf(last)
		if a < 0 || b < 0 {
			return nil, fmt.Errorf("days: %q is neither a day as mon nor a range as mon-fri", d)
		}
		for i := a; ; i = (i + 1) % 7 {
			h.days[i] = true
			if i == b {
				break
			}
		}
	}
	if (from == "") != (to == "") {
		return nil, fmt.Errorf("from: set both from and to, or none")
	}
	if from == "" {
		return h, nil
	}
	if h.from, err = minutes(from); err != nil || h.from == 24*60 {
		return nil, fmt.Errorf("from: %q is no time of the day as 09:00", from)
	}
	if h.to, err = minutes(to); err != nil {
		return nil, fmt.Errorf("to: %q is no time of the day as 17:00", to)
	}
	return h, nil
}

func dayOf(name string) int {
	for i, d := range dayNames {
		if d == name {
			return i
		}
	}
	return -1
}

// minutes returns a time of the day in minutes.
func minutes(s string) (int, error) {
	if s == "24:00" {
		return 24 * 60, nil
	}
	t, err := time.Parse("15:04", s)
	return t.Hour()*60 + t.Minute(), err
}

// Contain reports whether a time (Unix ns) is in the hours. Hours that end on the next day belong to the day on which they begin.
func (h *Hours) Contain(at int64) bool {
	t := time.Unix(0, at).In(h.zone)
	m, day := t.Hour()*60+t.Minute(), int(t.Weekday())
	if h.from < h.to {
		return h.days[day] && m >= h.from && m < h.to
	}
	return h.days[day] && m >= h.from || h.days[(day+6)%7] && m < h.to
}
