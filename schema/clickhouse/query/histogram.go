package query

import (
	"math"
	"slices"
)

// maxBounds is the maximum number of bounds of bins.
const maxBounds = 48

// Bounds returns the bounds of bins for all values of some populations: bin i is from bounds[i] to, and without, bounds[i+1]; the last one
// includes its end. Shares have bins of 5 per cent and scores of 1; the bins of other units begin with 0 and 1 and then double, because
// their values differ by orders of magnitude.
func (u FeatureUnit) Bounds(of []Population) []float64 {
	most := 0.0
	for i := range of {
		for _, v := range of[i].Values {
			most = max(most, v.Value)
		}
	}
	bounds := []float64{0}
	switch u {
	case Shares:
		for i := range 20 {
			bounds = append(bounds, float64(i+1)/20)
		}
	case Scores:
		for len(bounds) < 2 || bounds[len(bounds)-1] <= most && len(bounds) < maxBounds {
			bounds = append(bounds, float64(len(bounds)))
		}
	default:
		first := 1.0
		if u == Bytes {
			first = 1024
		}
		for next := first; len(bounds) < 2 || bounds[len(bounds)-1] <= most && len(bounds) < maxBounds; next *= 2 {
			bounds = append(bounds, next)
		}
	}
	bounds[len(bounds)-1] = max(bounds[len(bounds)-1], most)
	return bounds
}

// Bins counts the values between bounds.
func Bins(values []RunValue, bounds []float64) []uint64 {
	out := make([]uint64, len(bounds)-1)
	for _, v := range values {
		at, exact := slices.BinarySearch(bounds, v.Value)
		if !exact {
			at--
		}
		out[min(max(at, 0), len(out)-1)]++
	}
	return out
}

// Quantile returns the least value that a share of the values do not exceed. ok is false without values.
func Quantile(values []RunValue, share float64) (value float64, ok bool) {
	if len(values) == 0 {
		return 0, false
	}
	sorted := make([]float64, len(values))
	for i := range values {
		sorted[i] = values[i].Value
	}
	slices.Sort(sorted)
	at := int(math.Ceil(share*float64(len(sorted)))) - 1
	return sorted[min(max(at, 0), len(sorted)-1)], true
}
