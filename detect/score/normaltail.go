package score

import "math"

// minusLogTail returns −ln P(Z > z) of the standard normal distribution for any z, and 0 for NaN. Beyond 30 the
// complementary error function is close to the smallest number; there its asymptotic series (Abramowitz and Stegun
// 7.1.23) is exact to 1e-13. gonum's Normal.Survival subtracts from 1: it has an error of 2e-3 at 8.2 and returns 0
// from 8.4 on.
func minusLogTail(z float64) float64 {
	switch {
	case math.IsNaN(z):
		return 0
	case z < 0:
		// The tail is close to 1, where the logarithm needs log1p.
		return -math.Log1p(-.5 * math.Erfc(-z/math.Sqrt2))
	case z < 30:
		return -math.Log(.5 * math.Erfc(z/math.Sqrt2))
	}
	q := 1 / (z * z)
	series := 1 - q*(1-q*(3-q*(15-105*q)))
	return .5*z*z + math.Log(z) + .5*math.Log(2*math.Pi) - math.Log(series)
}
