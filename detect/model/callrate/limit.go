package callrate

import "math"

// MinCalls is how many calls in a quarter of an hour are looked at: what fewer do is for
// the statistics of runs.
const MinCalls = 30

// minDays of actors a calibration must rest on.
const minDays = 20

// Score of so many calls in a quarter of an hour: how rare they are in natural
// logarithms, where there are calls at all, for each quarter that the actor is seen
// in on a day. What is rarer than e^−score comes on a day of an actor with at most
// that probability, whatever the quarters have to do with each other.
func (u UsualRate) Score(n uint64) float64 {
	if n < MinCalls {
		return 0
	}
	return max(u.Tail(n)-u.Tail(1)-math.Log(max(u.ActiveQuarters, 1)), 0)
}

// Limit is the least number of calls in a quarter of an hour that a share of the
// days of actors may reach; ok is false where too little is known to tell.
func (b *Model) Limit(agent, group string, hour int, share float64) (n uint64, ok bool) {
	if b == nil || b.Calibration.Runs < minDays {
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
