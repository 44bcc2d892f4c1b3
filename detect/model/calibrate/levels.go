package calibrate

import "flyball/schema"

// Levels are the scores above which a run is annotated, alerted on and tripped.
type Levels [3]float64

// Levels of a fit; tripShare is the share of clean runs that may trip.
func (f *Fit) Levels(tripShare float64) Levels {
	return Levels{f.Threshold(noticeShare), f.Threshold(AlertShare), f.Threshold(tripShare)}
}

// For is the level that a score has reached.
func (l *Levels) For(score float64) schema.Level {
	level := schema.LevelNone
	for i, t := range l {
		if score > t {
			level = schema.Level(i + 1)
		}
	}
	return level
}
