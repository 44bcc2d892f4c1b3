package callrate

import (
	_ "embed"
	"encoding/json"
	"math"
	"testing"
)

// Made by testdata/nbinom.py with SciPy and mpmath: mean, size, n, −ln P(N ≥ n).
//
//go:embed testdata/nbinom.json
var nbinomJSON []byte

func TestTailAgreesWithSciPy(t *testing.T) {
	var rows [][4]float64
	if err := json.Unmarshal(nbinomJSON, &rows); err != nil {
		t.Fatal(err)
	}
	worst, far := 0.0, 0.0
	for _, r := range rows {
		got := NegativeBinomial{Mean: r[0], Size: r[1]}.Tail(uint64(r[2]))
		off := math.Abs(got - r[3])
		if r[3] != 0 {
			off /= r[3]
		}
		if worst, far = max(worst, off), max(far, got); !(off <= 1e-9) {
			t.Errorf("−ln P(N ≥ %v | mean %v, size %v) is %v, SciPy has %v: %g off", r[2], r[0], r[1], got, r[3], off)
		}
	}
	t.Logf("%d values, the furthest %.0f, %.1g off at most", len(rows), far, worst)
}

// The tail is finite for a flood of any size, and grows with each
// call.
func TestTailIsFiniteAndGrowsFarBeyondTheSmallestFloat(t *testing.T) {
	for _, mean := range []float64{1e-300, 1e-12, 1e-3, 1, 40, 1e5, 1e9} {
		for _, size := range []float64{1e-300, 1e-9, .1, 3, 1e4, 1e8} {
			last := 0.0
			for n := uint64(0); n < 1<<40; n += 1 + n/3 {
				v := NegativeBinomial{Mean: mean, Size: size}.Tail(n)
				if math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
					t.Fatalf("mean %g, size %g, n %d: %v", mean, size, n, v)
				}
				if v < last*(1-1e-9) {
					t.Fatalf("mean %g, size %g: %v at n = %d after %v", mean, size, v, n, last)
				}
				last = v
			}
		}
	}
}
