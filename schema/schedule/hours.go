// Package schedule checks whether a time is within configured hours of the week, in a named
// time zone.
//
// It does not read a clock: the caller gives the time, which the detector takes from a call.
package schedule

import (
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // time zones by name, also on machines without a time zone database
)

// Hours is the configuration of hours of the week.
type Hours struct {
	Days     []string `yaml:"days,omitempty" json:"days,omitempty"` // mon … sun; empty is every day
	From     string   `yaml:"from" json:"from"`                     // 07:00
	To       string   `yaml:"to" json:"to"`                         // 19:00, exclusive; a time before From is on the next day
	Timezone string   `yaml:"timezone" json:"timezone"`
}

// Compiled holds validated hours.
type Compiled struct {
	days     int
	from, to int // minutes of the day
	zone     *time.Location
}

var weekdays = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}

// Compile validates hours. It calls bad for each error, with a message that begins with key
// and contains the value and the rule. After an error the result must not be used.
func Compile(key string, h Hours, bad func(format string, args ...any)) *Compiled {
	out := &Compiled{}
	for i, d := range h.Days {
		n := slices.Index(weekdays, d)
		if n < 0 {
			bad("%s.days[%d]: %q; one of %s", key, i, d, strings.Join(weekdays, ", "))
			continue
		}
		out.days |= 1 << n
	}
	if len(h.Days) == 0 {
		out.days = 0x7f
	}
	clock := func(name, s string) int {
		t, err := time.Parse("15:04", s)
		if err != nil {
			bad("%s.%s: %q; as in 07:00", key, name, s)
		}
		return t.Hour()*60 + t.Minute()
	}
	out.from, out.to = clock("from", h.From), clock("to", h.To)
	if out.from == out.to {
		bad("%s.from, %s.to: both %q; leave hours out for the whole day", key, key, h.From)
	}
	zone, err := time.LoadLocation(h.Timezone)
	if err != nil || h.Timezone == "" {
		bad("%s.timezone: %q; a name as Europe/Berlin or UTC", key, h.Timezone)
		zone = time.UTC
	}
	out.zone = zone
	return out
}

// Contains reports whether a time (Unix ns) is within the hours.
func (h *Compiled) Contains(at int64) bool {
	t := time.Unix(0, at).In(h.zone)
	minute, today := t.Hour()*60+t.Minute(), int(t.Weekday())
	if h.from < h.to {
		return h.days>>today&1 == 1 && minute >= h.from && minute < h.to
	}
	if minute >= h.from {
		return h.days>>today&1 == 1
	}
	return minute < h.to && h.days>>((today+6)%7)&1 == 1 // hours that began on the previous day
}
