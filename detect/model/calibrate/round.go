package calibrate

import "math"

// RoundDigits rounds to four significant digits. It returns 0 for a number that is not finite.
func RoundDigits(x float64) float64 {
	if x == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return 0
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(x))))
	return math.Round(x*scale) / scale
}
