package score

import "math"

// minusLogTail is −ln P(Z > z) of the standard normal, for any z; of no number it
// is 0. Beyond 30 the complementary error function comes near the smallest number
// there is, and its asymptotic series (Abramowitz and Stegun 7.1.23) is exact to
// 1e-13. gonum's Normal.Survival subtracts from 1: it is 2e-3 off at 8.2 and has
// nothing left from 8.4 on.
func minusLogTail(z float64) float64 {
	switch {
	case math.IsNaN(z):
		return 0
	case z < 0:
		// The tail is nearly everything: the logarithm of 1−ε needs log1p.
		return -math.Log1p(-.5 * math.Erfc(-z/math.Sqrt2))
	case z < 30:
		return -math.Log(.5 * math.Erfc(z/math.Sqrt2))
	}
	q := 1 / (z * z)
	series := 1 - q*(1-q*(3-q*(15-105*q)))
	return .5*z*z + math.Log(z) + .5*math.Log(2*math.Pi) - math.Log(series)
}
