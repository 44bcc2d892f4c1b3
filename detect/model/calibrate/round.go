package calibrate

import "math"

// RoundDigits keeps four significant digits, as many as a person can use. What is no
// finite number is 0.
func RoundDigits(x float64) float64 {
	if x == 0 || math.IsInf(x, 0) || math.IsNaN(x) {
		return 0
	}
	scale := math.Pow(10, 3-math.Floor(math.Log10(math.Abs(x))))
	return math.Round(x*scale) / scale
}
