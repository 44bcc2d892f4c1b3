package callrate

// Quarters of an hour of event time are what calls are counted in: short enough
// that a flood stands out before it is over, long enough that most quarters of a
// busy agent have a call. They lie within one hour of the week.
const (
	quarter      = int64(900e9)
	HoursPerWeek = 168 // of a week
	monday       = 72  // hour of the week at which Unix time begins, a Thursday
	classes      = 48  // hours of the day on weekdays and on weekends
)

// QuarterAt is the number of the quarter of an hour that a time lies in, Unix ns.
func QuarterAt(at int64) int64 { return floor(at, quarter) }

// QuarterStart a quarter, Unix ns.
func QuarterStart(q int64) int64 { return q * quarter }

// HourOfWeek is the hour of the week of a quarter: 0 is Monday 00:00 to 01:00 UTC. A
// tenant's time zone does not matter, as any hour of its week is one of these. Where
// clocks are changed in spring and autumn, people's hours move by one against it: a
// count is compared with the busiest of the hour and those beside it until the weeks
// before have left the window.
func HourOfWeek(quarter int64) int { return weekHour(floor(quarter, 4)) }

// weekHour is that of a number of hours since 1970.
func weekHour(hours int64) int {
	h := int(hours+monday) % HoursPerWeek
	if h < 0 {
		h += HoursPerWeek
	}
	return h
}

// hourClass is the hour of the day, apart on Saturdays and Sundays.
func hourClass(hour int) int {
	if hour >= 5*24 {
		return 24 + hour%24
	}
	return hour % 24
}

func floor(a, b int64) int64 {
	if q := a / b; a%b < 0 {
		return q - 1
	} else {
		return q
	}
}
