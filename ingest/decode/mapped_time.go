package decode

import (
	"math"
	"strings"
	"time"

	"flyball/ingest/fields"
	"flyball/ingest/mapping"
	"flyball/schema"
)

// setEndTime sets the duration from the end of a call whose start is known.
func setEndTime(d *draft, v fields.Value, _ *mapping.With) bool {
	ns, _, ok := parseTime(v.Text(), d.zone)
	if !ok || !d.timed || d.end || ns < d.call.Start || ns-d.call.Start > maxDuration {
		return false
	}
	d.call.DurationNs = ns - d.call.Start
	return true
}

func setDuration(d *draft, v fields.Value, with *mapping.With) bool {
	if d.call.DurationNs < 0 {
		d.call.DurationNs = parseDuration(v.Text(), with)
	}
	return d.call.DurationNs >= 0
}

func setUpstreamDuration(d *draft, v fields.Value, with *mapping.With) bool {
	ns := parseDuration(v.Text(), with)
	if ns >= 0 {
		d.call.UpstreamNs = ns
	}
	return ns >= 0
}

// setStart sets the time of the call, in the unit and with the basis that the mapping names.
func (d *draft) setStart(s string, with *mapping.With) bool {
	var ns int64
	var p schema.Precision
	ok := false
	if with.Epoch != 0 {
		ns, p, ok = epochIn(s, with.Epoch)
	}
	if !ok {
		ns, p, ok = parseTime(s, d.zone)
	}
	if !ok {
		return false
	}
	d.call.Start, d.call.TSPrecision, d.timed, d.end = ns, p, true, with.Basis == "end"
	if with.Basis == "log" {
		d.call.TSBasis = schema.BasisLog
	}
	return true
}

// epochIn parses a number of units since 1970; unit is in nanoseconds.
func epochIn(s string, unit int64) (int64, schema.Precision, bool) {
	whole, frac, ok := decimal(s)
	if !ok || whole > (math.MaxInt64-unit)/unit || whole*unit > maxTime || whole*unit < minEpoch {
		return 0, 0, false
	}
	more := map[int64]int{1e9: 0, 1e6: 3, 1e3: 6, 1: 9}[unit]
	return whole*unit + scaled(frac, unit), digits(more + len(frac)), true
}

// parseDuration parses a duration. It returns -1 if the duration is invalid, negative or longer than a year. A unit in the text has
// precedence over the unit of the mapping.
func parseDuration(s string, with *mapping.With) int64 {
	ns := int64(-1)
	if strings.IndexByte(s, ' ') > 0 && s[len(s)-1] > '9' { // "0.036 s"
		s = strings.ReplaceAll(s, " ", "")
	}
	switch {
	case s == "" || s[0] == '-':
	case s[len(s)-1] > '9': // 3ms, 9.4µs, 0.038s
		if v, err := time.ParseDuration(s); err == nil {
			ns = int64(v)
		}
	case with.Unit == 0:
	case with.Sum:
		if sum, n, _ := parseList(s, with.Unit); n > 0 {
			ns = sum
		}
	default:
		if v, ok := parseAmount(strings.TrimPrefix(s, "+"), with.Unit); ok {
			ns = v
		}
	}
	if ns > maxDuration {
		return -1
	}
	return ns
}
