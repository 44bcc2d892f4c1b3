package backtest

import (
	"fmt"
	"math"
	"strings"

	"flyball/detect/enforce/manifest"
	"flyball/detect/learn"
	"flyball/schema"
)

// Harm sums up the calls that would have been stopped. Failed calls count too, but not with their amounts. It is an
// upper bound: calls in flight pass, and a stopped caller may use another way.
type Harm struct {
	Calls        uint64            `json:"calls"`
	Irreversible uint64            `json:"irreversible"`
	Resources    int               `json:"resources"` // number of distinct known resources
	BytesOut     uint64            `json:"bytes_out"`
	Amounts      map[string]string `json:"amounts,omitempty"` // by currency; "" when no currency was logged

	seen  map[uint64]struct{}
	moved map[string]int64 // by currency, in thousandths
}

func (h *Harm) add(c *learn.StoredCall) {
	h.Calls++
	if c.Reversibility == schema.Irreversible {
		h.Irreversible++
	}
	h.BytesOut += c.Bytes
	for _, r := range c.Resources {
		if h.seen == nil {
			h.seen = map[uint64]struct{}{}
		}
		h.seen[r] = struct{}{}
	}
	h.Resources = len(h.seen)
	if amount, currency, ok := manifest.AmountInThousandths(&c.Stored); ok && !c.Failed {
		if h.moved == nil {
			h.moved, h.Amounts = map[string]int64{}, map[string]string{}
		}
		h.moved[currency] = plus(h.moved[currency], amount)
		h.Amounts[currency] = decimal(h.moved[currency])
	}
}

// plus adds two numbers and returns the maximum on overflow.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// decimal formats thousandths as a decimal number, such as 12.5 or 3.
func decimal(thousandths int64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%d.%03d", thousandths/1000, thousandths%1000), "0"), ".")
}
