package score

import (
	"math"

	"flyball/schema/wire"
)

// maxNumber is far above whatever a run comes to: bytes of a million calls are 1e25.
const maxNumber = 1e100

// codeNumber writes or reads what is a number: one that is none would be every score from
// there on.
func codeNumber(c *wire.Coder, v *float64) {
	c.Float(v)
	if !c.Encoding && !(math.Abs(*v) <= maxNumber) {
		c.Refuse("a score that is no number")
		*v = 0
	}
}
