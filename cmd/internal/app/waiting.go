package app

import "time"

// waiting remembers when the end of a partition was where, so that the age of the oldest unhandled
// record is known without reading it.
type waiting struct{ seen []endAt }

// endAt says that a partition had an end at a time.
type endAt struct {
	end int64
	at  time.Time
}

// maxSeen bounds the memory of one partition; beyond it, every second entry is dropped.
const maxSeen = 256

// observe notes the end of the partition, and forgets ends that the reader has passed.
func (w *waiting) observe(now time.Time, next, end int64) {
	passed := 0
	for passed < len(w.seen) && w.seen[passed].end <= next {
		passed++
	}
	w.seen = w.seen[passed:]
	if n := len(w.seen); end > next && (n == 0 || w.seen[n-1].end < end) {
		w.seen = append(w.seen, endAt{end, now})
	}
	if len(w.seen) <= maxSeen {
		return
	}
	kept := w.seen[:0]
	for i, s := range w.seen {
		if i%2 == 0 {
			kept = append(kept, s)
		}
	}
	w.seen = kept
}

// age returns how long the first record that the reader has not passed has been there at least.
func (w *waiting) age(now time.Time) time.Duration {
	if len(w.seen) == 0 {
		return 0
	}
	return max(now.Sub(w.seen[0].at), 0)
}
