package calibrate

import "math"

// Wilson returns the 95 % score interval of the share k/n (Wilson 1927). It returns 0 and 1 when n is 0 or the arguments
// are not counts.
func Wilson(k, n float64) (low, high float64) {
	if !(k >= 0 && k <= n && n > 0 && n <= math.MaxFloat64) {
		return 0, 1
	}
	const z = 1.959963984540054
	p, d := k/n, 1+z*z/n
	c := p + z*z/(2*n)
	h := z * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return max((c-h)/d, 0), min((c+h)/d, 1)
}
