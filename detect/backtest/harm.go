package backtest

import (
	"fmt"
	"math"
	"strings"

	"flyball/detect/enforce/manifest"
	"flyball/detect/learn"
	"flyball/schema"
)

// Harm is what calls did that would not have passed: as they were attempted, but for
// the amounts, which count where the call did not fail. It is an upper bound: calls in
// flight pass, and a stopped caller may come back another way.
type Harm struct {
	Calls        uint64            `json:"calls"`
	Irreversible uint64            `json:"irreversible"`
	Resources    int               `json:"resources"` // distinct ones, of those that are known
	BytesOut     uint64            `json:"bytes_out"`
	Amounts      map[string]string `json:"amounts,omitempty"` // by currency; "" where none was logged

	seen  map[uint64]struct{}
	moved map[string]int64 // thousandths
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

// plus stays at the largest number instead of passing it.
func plus(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// decimal prints thousandths: 12.5, 3.
func decimal(thousandths int64) string {
	return strings.TrimSuffix(strings.TrimRight(fmt.Sprintf("%d.%03d", thousandths/1000, thousandths%1000), "0"), ".")
}
