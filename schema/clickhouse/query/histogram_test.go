package query

import (
	"math/rand/v2"
	"slices"
	"testing"
)

func valuesOf(of ...float64) (out []RunValue) {
	for _, v := range of {
		out = append(out, RunValue{Value: v})
	}
	return out
}

func TestRunIsInNoBinOrInAnother(t *testing.T) {
	for name, tc := range map[string]struct {
		unit   FeatureUnit
		values []RunValue
		bounds []float64
		bins   []uint64
	}{
		"counts":          {Counts, valuesOf(0, 0, 1, 2, 3, 4), []float64{0, 1, 2, 4, 8}, []uint64{2, 1, 2, 1}},
		"nothing":         {Counts, nil, []float64{0, 1}, []uint64{0}},
		"only zeroes":     {Seconds, valuesOf(0, 0), []float64{0, 1}, []uint64{2}},
		"less than one":   {Seconds, valuesOf(0.5, 1.5), []float64{0, 1, 2}, []uint64{1, 1}},
		"bytes":           {Bytes, valuesOf(10, 1024, 5000), []float64{0, 1024, 2048, 4096, 8192}, []uint64{1, 1, 0, 1}},
		"scores":          {Scores, valuesOf(0.5, 2.5, 3), []float64{0, 1, 2, 3, 4}, []uint64{1, 0, 1, 1}},
		"below the first": {Counts, valuesOf(-1), []float64{0, 1}, []uint64{1}},
	} {
		bounds := tc.unit.Bounds([]Population{{Values: tc.values}})
		if bins := Bins(tc.values, bounds); !slices.Equal(bounds, tc.bounds) || !slices.Equal(bins, tc.bins) {
			t.Errorf("%s: %v %v, want %v %v", name, bounds, bins, tc.bounds, tc.bins)
		}
	}
	shares := Shares.Bounds(nil)
	if bins := Bins(valuesOf(0, 1, 0.05), shares); len(shares) != 21 || bins[0] != 1 || bins[1] != 1 || bins[19] != 1 {
		t.Errorf("%v %v", shares, bins)
	}
}

func TestHistogramLosesRunsOrGrowsWithoutEnd(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, unit := range []FeatureUnit{Counts, Shares, Bytes, Seconds, Scores} {
		for range 200 {
			var of []RunValue
			for range random.IntN(50) {
				of = append(of, RunValue{Value: random.ExpFloat64() * 1e18 * random.Float64()})
			}
			bounds, sum := unit.Bounds([]Population{{Values: of}}), uint64(0)
			for _, n := range Bins(of, bounds) {
				sum += n
			}
			if int(sum) != len(of) || len(bounds) > maxBounds || !slices.IsSorted(bounds) {
				t.Fatalf("unit %d: %d of %d runs in %d bins: %v", unit, sum, len(of), len(bounds)-1, bounds)
			}
		}
	}
}

func TestQuantileIsNoValueOfARun(t *testing.T) {
	for _, tc := range []struct {
		share, want float64
		of          []RunValue
	}{{0.5, 2, valuesOf(3, 1, 2)}, {0.9, 3, valuesOf(3, 1, 2)}, {0.5, 1, valuesOf(2, 1)}, {0.99, 7, valuesOf(7)}, {0, 1, valuesOf(2, 1)}} {
		if got, ok := Quantile(tc.of, tc.share); got != tc.want || !ok {
			t.Errorf("%v of %v: %v %t, want %v", tc.share, tc.of, got, ok, tc.want)
		}
	}
	if _, ok := Quantile(nil, 0.5); ok {
		t.Error("nothing has a median")
	}
}
