package main

import (
	"math"
	"math/rand/v2"
	"testing"
)

// scipy.stats.linregress(range(12), y), stderr and t.ppf(0.975, 10): the residuals of these figures are
// not correlated (their lag-1 correlation is negative), so all twelve count.
func TestTrendDiffersFromSciPy(t *testing.T) {
	x := []float64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}
	y := []float64{10, 12, 9, 13, 11, 14, 10, 15, 12, 16, 11, 17}
	got := fitTrend(x, y)
	if want := 0.4195804195804196 * 11.0; math.Abs(got.growth-want) > 1e-9 {
		t.Errorf("grows by %v, want %v", got.growth, want)
	}
	if want := 4.387518726989644; math.Abs(got.most-got.growth-want) > 1e-6 || math.Abs(got.growth-got.least-want) > 1e-6 {
		t.Errorf("interval [%v, %v], want ±%v", got.least, got.most, want)
	}
}

func TestTrendIsMisjudged(t *testing.T) {
	at := func(n int, y func(i int) float64) trend {
		x, v := make([]float64, n), make([]float64, n)
		for i := range n {
			x[i], v[i] = float64(10*i), y(i)
		}
		return fitTrend(x, v)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for name, c := range map[string]struct {
		trend trend
		want  judgement
	}{
		"the same all the time":        {at(30, func(int) float64 { return 100 }), flat},
		"zero all the time":            {at(30, func(int) float64 { return 0 }), flat},
		"noise":                        {at(60, func(int) float64 { return 100 + 5*r.NormFloat64() }), flat},
		"noise that hides what grows":  {at(8, func(i int) float64 { return 100 + float64(i) + 40*r.NormFloat64() }), undecided},
		"grows by half":                {at(30, func(i int) float64 { return 100 + 50*float64(i)/29 + 2*r.NormFloat64() }), rises},
		"grows by half without noise":  {at(30, func(i int) float64 { return 100 + 50*float64(i)/29 }), rises},
		"falls":                        {at(30, func(i int) float64 { return 100 - 50*float64(i)/29 + 2*r.NormFloat64() }), flat},
		"a heap between collections":   {at(60, func(i int) float64 { return 100 + float64(i%6) }), flat},
		"half a wave, not a direction": {at(12, func(i int) float64 { return 100 + 40*math.Sin(float64(i)/4) }), undecided},
		"two figures":                  {at(2, func(int) float64 { return 100 }), undecided},
	} {
		if got := c.trend.judge(10); got != c.want {
			t.Errorf("%s: %s, want %s: %v", name, got, c.want, c.trend)
		}
	}
}
