package decode

import (
	"strings"
	"time"

	"flyball/schema"
)

// plausible returns a time that was parsed from s, if it is in the range of Unix ns and not a placeholder.
func plausible(t time.Time, s string) (int64, schema.Precision, bool) {
	if y := t.Year(); y < 1900 || y > 2261 || isUnset(t.UnixNano()) {
		return 0, 0, false
	}
	return t.UnixNano(), fraction(s), true
}

// isUnset reports whether a time is what a source writes for one that is not set: the beginning of 1970, in any zone, or of 1900.
func isUnset(ns int64) bool {
	const day = int64(24 * time.Hour)
	const year1900 = -2208988800 * int64(time.Second)
	return ns > -day && ns < day || ns > year1900-day && ns < year1900+day
}

// months are names of months in other languages, as Apache and Java write them in a log of another locale, by their first letters.
var months = map[string]string{
	"okt": "Oct", "dez": "Dec", "mai": "May", "mär": "Mar", "mrz": "Mar", "märz": "Mar", "maerz": "Mar", "juni": "Jun", "juli": "Jul",
	"sept": "Sep", "jän": "Jan",
	"janv": "Jan", "févr": "Feb", "fév": "Feb", "fevr": "Feb", "fev": "Feb", "mars": "Mar", "avr": "Apr", "juin": "Jun", "juil": "Jul",
	"août": "Aug", "aout": "Aug",
	"aoû": "Aug", "déc": "Dec",
	"ene": "Jan", "abr": "Apr", "ago": "Aug", "dic": "Dec", "set": "Sep", "out": "Oct", "gen": "Jan", "mag": "May", "giu": "Jun",
	"lug": "Jul", "ott": "Oct",
	"mrt": "Mar", "mei": "May", "maj": "May", "paź": "Oct", "gru": "Dec",
	"янв": "Jan", "фев": "Feb", "мар": "Mar", "апр": "Apr", "май": "May", "мая": "May", "июн": "Jun", "июл": "Jul", "авг": "Aug",
	"сен": "Sep", "окт": "Oct", "ноя": "Nov", "дек": "Dec",
}

// englishMonth returns s with the name of its month in English, if it has the form 10/Okt/2000 and another language; otherwise s.
func englishMonth(s string) string {
	day, rest, ok := strings.Cut(s, "/")
	name, after, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 || len(day) > 2 {
		return s
	}
	month, known := months[strings.ToLower(strings.TrimRight(name, "."))]
	if !known {
		return s
	}
	return day + "/" + month + "/" + after
}
