package feature

import (
	"strconv"
	"strings"

	"flyball/schema"
	"flyball/schema/route"
	"flyball/schema/wire"
)

// Usage sums up quantities of a run that not every source logs.
type Usage struct {
	Irreversible uint64  // calls that cannot be undone
	Tokens       uint64  // in and out
	Money        float64 // of the run's first currency, in its units
	Parallel     uint64  // longest series of calls that each began before the previous one had ended

	currency string
	end      int64  // of the previous call, Unix ns; 0: not logged
	row      uint64 // length of the current series of parallel calls
}

// add adds a call.
func (s *Usage) add(c *Input) {
	if c.Irreversible {
		s.Irreversible++
	}
	s.Tokens += c.Tokens
	if c.Money > 0 {
		if s.currency == "" {
			s.currency = c.Currency
		}
		if s.currency == c.Currency {
			s.Money += c.Money
		}
	}
	if s.end > 0 && c.Start > 0 && c.Start < s.end {
		s.row++
		s.Parallel = max(s.Parallel, s.row)
	} else {
		s.row = 0
	}
	if s.end = c.End; c.End <= c.Start {
		s.end = 0
	}
}

func (s *Usage) code(c *wire.Coder) {
	c.Uint(&s.Irreversible)
	c.Uint(&s.Tokens)
	c.Float(&s.Money)
	if !c.Encoding && !(s.Money >= 0 && s.Money <= 1e100) {
		c.Refuse("an amount of money that is none")
		s.Money = 0
	}
	c.Uint(&s.Parallel)
	c.Text(&s.currency)
	if !c.Encoding {
		s.currency = strings.Clone(s.currency)
	}
	c.Int(&s.end)
	c.Uint(&s.row)
}

// extractUsage fills in the fields of into that Usage counts.
func extractUsage(c *schema.Call, into *Input) {
	into.Irreversible = c.Reversibility == schema.Irreversible
	into.Tokens = uint64(c.TokensIn) + uint64(c.TokensOut)
	into.Start, into.End = c.Start, 0
	if c.DurationNs > 0 {
		into.End = c.Start + c.DurationNs
	}
	into.Money, into.Currency = 0, ""
	for i := range c.Attrs {
		switch a := &c.Attrs[i]; a.Key {
		case route.AttrAmount:
			into.Money = ParseAmount(a.Value)
		case route.AttrCurrency:
			into.Currency = a.Value
		}
	}
}

// maxAmount limits a logged amount, because the logged text is not checked.
const maxAmount = 1e12

// ParseAmount parses a logged amount. It returns 0 when the text is not a positive number.
func ParseAmount(s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !(v > 0) {
		return 0
	}
	return min(v, maxAmount)
}
