package manifest

import (
	"flyball/schema"
	"flyball/schema/route"
)

// money of a call in thousandths of its currency's unit.
func money(c *schema.Call) (amount int64, currency string, ok bool) {
	for i := range c.Attrs {
		switch c.Attrs[i].Key {
		case route.AttrAmount:
			amount, ok = parseMilli(c.Attrs[i].Value)
		case route.AttrCurrency:
			currency = c.Attrs[i].Value
		}
	}
	return amount, currency, ok
}

// AmountInThousandths is the amount of a call in thousandths of its currency's unit, rounded up.
func AmountInThousandths(c *schema.Call) (amount int64, currency string, ok bool) { return money(c) }

// AmountAsWritten is the amount of a call as it was written, and its currency.
func AmountAsWritten(c *schema.Call) (amount, currency string) {
	for _, a := range c.Attrs {
		switch a.Key {
		case route.AttrAmount:
			amount = a.Value
		case route.AttrCurrency:
			currency = a.Value
		}
	}
	return amount, currency
}

// parseMilli reads a decimal without sign or exponent into thousandths, rounded
// up: a limit is never passed by a fraction.
func parseMilli(s string) (int64, bool) {
	var units, milli int64
	point, digits, more := -1, 0, false
	for i := 0; i < len(s); i++ {
		switch ch := s[i]; {
		case ch == '.' && point < 0:
			point = 0
		case ch < '0' || ch > '9':
			return 0, false
		case point < 0:
			if units = units*10 + int64(ch-'0'); units > 1e14 {
				return 0, false
			}
			digits++
		case point < 3:
			milli = milli*10 + int64(ch-'0')
			point++
			digits++
		default:
			more = more || ch != '0'
		}
	}
	if digits == 0 {
		return 0, false
	}
	for ; point >= 0 && point < 3; point++ {
		milli *= 10
	}
	if more {
		milli++
	}
	return units*1000 + milli, true
}

func milli(v float64) int64 { return int64(v*1000 + .5) }
