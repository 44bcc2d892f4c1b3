package callrate

import (
	"math"

	"gonum.org/v1/gonum/mathext"
)

// NegativeBinomial is the negative binomial distribution of the calls of a quarter of an hour:
// Poisson with a gamma-distributed rate of the mean Mean and the shape Size.
type NegativeBinomial struct{ Mean, Size float64 }

// Tail returns −ln P(N ≥ n). It is finite for every n and grows with n. It equals SciPy's
// −nbinom.logsf(n−1, Size, Size/(Size+Mean)), but does not underflow.
//
// P(N ≥ n) is the regularized incomplete beta function I_x(n, Size) at
// x = Mean/(Mean+Size) (Abramowitz and Stegun 26.5.26).
func (r NegativeBinomial) Tail(n uint64) float64 {
	if n == 0 {
		return 0
	}
	// rest is 1−x, computed separately because x can round to 1.
	a, b := float64(n), r.Size
	x, rest := r.Mean/(r.Mean+r.Size), r.Size/(r.Mean+r.Size)
	switch {
	case x < (a+1)/(a+b+2):
		return -logBetaBelowMean(a, b, x, rest)
	case b > 1:
		// The tail is large: compute it as 1 minus the complement.
		return -math.Log1p(-math.Exp(logBetaBelowMean(b, a, rest, x)))
	}
	return -math.Log(-math.Expm1(logBetaSmallB(a, b, rest)))
}

// logBetaBelowMean returns ln I_x(a, b) for x below the mean of the beta distribution. rest is 1−x.
func logBetaBelowMean(a, b, x, rest float64) float64 {
	const regular, clear, exact = 1e-200, 1e-3, 1e5 // within these limits RegIncBeta is exact to 1e-9
	if a+b < exact && rest > clear {
		if p := mathext.RegIncBeta(a, b, x); p > regular {
			return math.Log(p)
		}
	}
	front := logRatio(a, b) - math.Log(a)
	if b < 1 {
		front += math.Log(b) - logGamma1p(b)
	} else {
		lg, _ := math.Lgamma(b)
		front -= lg
	}
	return a*math.Log(x) + b*math.Log(rest) + front + math.Log(fraction(a, b, x))
}

// logBetaSmallB returns ln I_y(b, a) for b ≤ 1 and a·y ≤ 2, by its power series in y (DLMF
// 8.17.7 and 15.2.1). It stays precise for a small b, where the result is close to 0.
func logBetaSmallB(a, b, y float64) float64 {
	sum, term := 0.0, 1.0
	for n := 1.0; n < 200; n++ {
		term *= (n - a) / n * y
		sum += term / (b + n)
		if math.Abs(term) < 1e-18 {
			break
		}
	}
	return b*math.Log(y) + logRatio(a, b) - logGamma1p(b) + math.Log1p(b*sum)
}

// fraction returns I_x(a, b) · a·B(a, b)·x^−a·(1−x)^−b by its continued fraction
// (DLMF 8.17.22, modified Lentz method).
func fraction(a, b, x float64) float64 {
	const tiny, enough, most = 1e-300, 1e-15, 100_000
	c, d := 1.0, 1/(1-(a+b)*x/(a+1))
	f := d
	for m := 1.0; m < most; m++ {
		even := m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m))
		odd := -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))
		was := f
		for _, k := range [...]float64{even, odd} {
			if d = 1 + k*d; math.Abs(d) < tiny {
				d = tiny
			}
			if c = 1 + k/c; math.Abs(c) < tiny {
				c = tiny
			}
			d = 1 / d
			f *= d * c
		}
		if math.Abs(f-was) <= enough*math.Abs(f) {
			break
		}
	}
	return f
}

// logRatio returns ln Γ(a+b) − ln Γ(a) without cancellation for a large a. It uses the
// difference of two Stirling series (DLMF 5.11.1) for a ≥ 16.
func logRatio(a, b float64) float64 {
	sum := 0.0
	for ; a < 16; a++ {
		sum -= math.Log1p(b / a)
	}
	series := func(z float64) float64 {
		q := 1 / (z * z)
		return (1./12 - q*(1./360-q*(1./1260-q*(1./1680-q/1188)))) / z
	}
	return sum + (a-.5)*math.Log1p(b/a) + b*(math.Log(a+b)-1) + series(a+b) - series(a)
}

// logGamma1p returns ln Γ(1+b). It is exact for a small b, where 1+b is rounded (DLMF 5.7.3).
func logGamma1p(b float64) float64 {
	if b > 1e-3 {
		lg, _ := math.Lgamma(1 + b)
		return lg
	}
	const gamma, zeta2, zeta3, zeta4 = .5772156649015329, 1.6449340668482264, 1.2020569031595942, 1.0823232337111382
	return b * (-gamma + b*(zeta2/2-b*(zeta3/3-b*zeta4/4)))
}
