package decode

import (
	"math"
	"strconv"
	"strings"
	"time"

	"flyball/schema"
)

// parseTime reads the forms of time that logs hold: RFC 3339 with or without a
// zone, CLF, and numbers whose unit their size tells. Text is cut, not rounded.
func parseTime(s string, zone *time.Location) (ns int64, p schema.Precision, ok bool) {
	if s == "" {
		return 0, 0, false
	}
	if c := s[0]; c >= '0' && c <= '9' && !strings.ContainsAny(s, "-/:T") {
		return parseEpoch(s)
	}
	for _, layout := range [...]string{time.RFC3339Nano, "02/Jan/2006:15:04:05 -0700", "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02 15:04:05.999999999Z07:00"} {
		t, err := time.ParseInLocation(layout, s, zone)
		if err != nil {
			continue
		}
		if y := t.Year(); y < 1678 || y > 2261 {
			return 0, 0, false
		}
		return t.UnixNano(), fraction(s), true
	}
	return 0, 0, false
}

// fraction tells the precision from the digits after the seconds.
func fraction(s string) schema.Precision {
	i := strings.LastIndexByte(s, '.')
	if i < 0 {
		return schema.PrecisionSecond
	}
	n := 0
	for i++; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		n++
	}
	return digits(n)
}

func digits(n int) schema.Precision {
	switch {
	case n == 0:
		return schema.PrecisionSecond
	case n <= 3:
		return schema.PrecisionMilli
	case n <= 6:
		return schema.PrecisionMicro
	}
	return schema.PrecisionNano
}

// parseEpoch reads seconds, milliseconds, microseconds or nanoseconds since
// 1970; a decimal fraction is split as text, so that no digit is lost.
func parseEpoch(s string) (int64, schema.Precision, bool) {
	whole, frac, _ := strings.Cut(s, ".")
	n, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || n < 0 {
		return 0, 0, false
	}
	unit := int64(1)
	p := schema.PrecisionNano
	switch {
	case n < 1e11:
		unit, p = 1e9, digits(len(frac))
	case n < 1e14:
		unit, p = 1e6, schema.PrecisionMilli
	case n < 1e17:
		unit, p = 1e3, schema.PrecisionMicro
	}
	if n > math.MaxInt64/unit {
		return 0, 0, false
	}
	return n*unit + scaled(frac, unit), p, true
}

// scaled is a decimal fraction, given as its digits, of a unit.
func scaled(frac string, unit int64) int64 {
	out, step := int64(0), unit
	for i := 0; i < len(frac) && step > 1; i++ {
		if frac[i] < '0' || frac[i] > '9' {
			return out
		}
		step /= 10
		out += int64(frac[i]-'0') * step
	}
	return out
}

// parseAmount reads a decimal number of units (1e9 for seconds) as nanoseconds.
func parseAmount(s string, unit int64) (int64, bool) {
	if s == "" {
		return 0, false
	}
	if strings.ContainsAny(s, "eE") {
		f, err := strconv.ParseFloat(s, 64)
		if err != nil || f < 0 || f*float64(unit) > 9e18 || f != f {
			return 0, false
		}
		return int64(f * float64(unit)), true
	}
	whole, frac, _ := strings.Cut(s, ".")
	n := int64(0)
	if whole != "" {
		var err error
		if n, err = strconv.ParseInt(whole, 10, 64); err != nil || n < 0 || n > math.MaxInt64/unit {
			return 0, false
		}
	}
	return n*unit + scaled(frac, unit), true
}

// parseList sums a list such as nginx writes for several tries: "0.100, 1.100"
// or "0.1 : 0.2", and counts its members; "-" is a try that was not made.
func parseList(s string, unit int64) (sum int64, n int, last string) {
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == ':' || r == ' ' }) {
		if part == "-" {
			continue
		}
		if v, ok := parseAmount(part, unit); ok {
			sum += v
			n++
			last = part
		}
	}
	return sum, n, last
}

// judgeSkew believes a time unless it is more than ten minutes ahead of the
// record's own Kafka timestamp: then that timestamp stands. The past is never
// rewritten.
func judgeSkew(c *schema.Call, kafka int64) {
	c.KafkaTime = kafka
	if kafka > 0 && c.Start > kafka+int64(10*time.Minute) {
		c.Start, c.TSBasis = kafka, schema.BasisKafka
	}
}
