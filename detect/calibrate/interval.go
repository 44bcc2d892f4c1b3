package calibrate

import "math"

// Wilson is the score interval of k of n at 95 % (Wilson 1927).
func Wilson(k, n float64) (low, high float64) {
	if n == 0 {
		return 0, 1
	}
	const z = 1.959963984540054
	p, d := k/n, 1+z*z/n
	c := p + z*z/(2*n)
	h := z * math.Sqrt(p*(1-p)/n+z*z/(4*n*n))
	return (c - h) / d, (c + h) / d
}
