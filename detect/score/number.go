package score

import (
	"math"

	"flyball/schema/wire"
)

// mostNumber is far above whatever a run comes to: bytes of a million calls are 1e25.
const mostNumber = 1e100

// number writes or reads what is a number: one that is none would be every score from
// there on.
func number(c *wire.Coder, v *float64) {
	c.Float(v)
	if !c.Encoding && !(math.Abs(*v) <= mostNumber) {
		c.Refuse("a score that is no number")
		*v = 0
	}
}
