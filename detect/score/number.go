package score

import (
	"math"

	"flyball/schema/wire"
)

// maxNumber is far above the values of any run: the bytes of a million calls are at most 1e25.
const maxNumber = 1e100

// codeNumber encodes or decodes a number. Decoding rejects NaN and numbers above maxNumber, because they would make all
// later scores meaningless.
func codeNumber(c *wire.Coder, v *float64) {
	c.Float(v)
	if !c.Encoding && !(math.Abs(*v) <= maxNumber) {
		c.Refuse("a score that is no number")
		*v = 0
	}
}
