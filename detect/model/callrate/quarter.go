package callrate

// Calls are counted in quarters of an hour of event time: short enough to detect a flood while it lasts, and long enough
// that most quarters of a busy agent have a call. A quarter never spans two hours of the week.
const (
	quarter      = int64(900e9)
	HoursPerWeek = 168
	monday       = 72 // hour of the week at which Unix time begins, a Thursday
	classes      = 48 // hours of the day, on weekdays and on weekends
)

// QuarterAt returns the number of the quarter of an hour that contains a time in Unix ns.
func QuarterAt(at int64) int64 { return floor(at, quarter) }

// QuarterStart returns the start of a quarter, Unix ns.
func QuarterStart(q int64) int64 { return q * quarter }

// HourOfWeek returns the hour of the week of a quarter: 0 is Monday 00:00 to 01:00 UTC. A tenant's time zone is not
// needed, because each hour of its week is one of these. With daylight saving time, working hours move by one hour in
// UTC; therefore a count is compared with the busiest of the hour, the one before and the one after.
func HourOfWeek(quarter int64) int { return weekHour(floor(quarter, 4)) }

// weekHour returns the hour of the week of a number of hours since 1970.
func weekHour(hours int64) int {
	h := int(hours+monday) % HoursPerWeek
	if h < 0 {
		h += HoursPerWeek
	}
	return h
}

// hourClass returns the hour of the day on weekdays, and 24 plus the hour of the day on Saturdays and Sundays.
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
