package callrate

import "math"

// MinCalls is the number of calls in a quarter of an hour below which the score is 0. The statistics of runs cover
// smaller numbers.
const MinCalls = 30

// minDays is the minimum number of days of actors in a calibration.
const minDays = 20

// Score returns how rare n calls in a quarter of an hour are, as a natural logarithm: −ln P(N ≥ n | N ≥ 1), minus the
// logarithm of the number of active quarters of a day. The probability that a day of an actor reaches a score is at most
// e^−score, also when its quarters depend on each other (union bound).
func (u UsualRate) Score(n uint64) float64 {
	if n < MinCalls {
		return 0
	}
	return max(u.Tail(n)-u.Tail(1)-math.Log(max(u.ActiveQuarters, 1)), 0)
}

// Limit returns the smallest number of calls in a quarter of an hour whose score is above the threshold for a share of
// the days of actors. ok is false when the calibration has too few days or the limit is too large.
func (b *Model) Limit(agent, group string, hour int, share float64) (n uint64, ok bool) {
	if b == nil || !b.Calibrated() {
		return 0, false
	}
	threshold := b.Calibration.Threshold(share)
	u := b.UsualAt(agent, group, hour)
	const most = 1 << 31
	low, high := uint64(MinCalls-1), uint64(MinCalls)
	for u.Score(high) <= threshold {
		if low, high = high, 2*high; high > most {
			return 0, false
		}
	}
	for high-low > 1 {
		if mid := low + (high-low)/2; u.Score(mid) > threshold {
			high = mid
		} else {
			low = mid
		}
	}
	return high, true
}
