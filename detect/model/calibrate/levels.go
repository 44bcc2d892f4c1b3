package calibrate

import "flyball/schema"

// Levels holds the scores above which a run reaches the levels notice, alert and trip.
type Levels [3]float64

// Levels returns the thresholds of a fit. tripShare is the share of clean runs that may trip.
func (f *Fit) Levels(tripShare float64) Levels {
	return Levels{f.Threshold(NoticeShare), f.Threshold(AlertShare), f.Threshold(tripShare)}
}

// For returns the level of a score.
func (l *Levels) For(score float64) schema.Level {
	level := schema.LevelNone
	for i, t := range l {
		if score > t {
			level = schema.Level(i + 1)
		}
	}
	return level
}
