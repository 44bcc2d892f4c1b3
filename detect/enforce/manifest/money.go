package manifest

import (
	"flyball/schema"
	"flyball/schema/route"
)

// AmountInThousandths returns the amount of a call in thousandths of its currency's unit, rounded
// up; ok is false if the amount is absent or not a decimal number.
func AmountInThousandths(c *schema.Call) (amount int64, currency string, ok bool) {
	text, currency := AmountAsWritten(c)
	amount, ok = parseThousandths(text)
	return amount, currency, ok
}

// AmountAsWritten returns the amount of a call and its currency as they were logged.
func AmountAsWritten(c *schema.Call) (amount, currency string) {
	for i := range c.Attrs {
		switch c.Attrs[i].Key {
		case route.AttrAmount:
			amount = c.Attrs[i].Value
		case route.AttrCurrency:
			currency = c.Attrs[i].Value
		}
	}
	return amount, currency
}

// parseThousandths reads a decimal without sign or exponent. It rounds up, so that an amount above
// a limit never counts as the limit.
func parseThousandths(s string) (int64, bool) {
	var units, thousandths int64
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
			thousandths = thousandths*10 + int64(ch-'0')
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
		thousandths *= 10
	}
	if more {
		thousandths++
	}
	return units*1000 + thousandths, true
}

func thousandths(v float64) int64 { return int64(v*1000 + .5) }
