package stitch

import (
	"strings"
	"time"

	"flyball/schema"
)

// Watermark computes how far event time has come in one partition of flyball.calls: the lowest of
// its sources' highest event times, minus the allowed lateness. A source whose ingest has caught up
// counts as current. A source that no ingest has reported for sourceGoneAfter, by the clock of the marks, is
// left out, and so is a topic that was deleted and created again with the same name.
type Watermark struct {
	Lateness time.Duration
	Sources  map[schema.Source]SourceTime
	Clock    int64 // latest time at which an ingest wrote marks, Unix ns
}

// SourceTime holds the times of one source, all in Unix ns.
type SourceTime struct {
	EventTime int64 // highest event time seen
	CurrentAt int64 // latest time at which nothing older was waiting
	HeardAt   int64 // Clock when it was last reported
}

func (s SourceTime) time() int64 { return max(s.EventTime, s.CurrentAt) }

// sourceGoneAfter is how long a source that no ingest reports holds the watermark: one whose input was removed from the
// configuration is never reported again. An ingest that ends is replaced within a minute, and one that reads a source reports it
// also while the source's broker is away or its backlog is long.
const sourceGoneAfter = int64(30 * time.Minute)

// Note records the times of a source from a call or a mark. A new source is stored as given: the
// caller clones its strings.
func (w *Watermark) Note(s schema.Source, eventTime, currentAt int64) {
	if strings.HasPrefix(s.Topic, "flyball.") {
		return // Flyball's own writers write what happens now, and may never write again
	}
	if w.Sources == nil {
		w.Sources = make(map[schema.Source]SourceTime)
	}
	have, known := w.Sources[s]
	if !known {
		for old := range w.Sources {
			if old.Topic == s.Topic && old.Partition == s.Partition && old.TopicID != s.TopicID {
				delete(w.Sources, old)
			}
		}
	}
	w.Sources[s] = SourceTime{max(have.EventTime, eventTime), max(have.CurrentAt, currentAt), w.Clock}
}

// outageAfter is the time without any marks that is an outage of all ingests. It does not count as silence of a source: after it,
// one ingest can be heard before another.
const outageAfter = int64(2 * time.Minute)

// Tick records the time, in Unix ns, at which an ingest wrote its marks.
func (w *Watermark) Tick(at int64) {
	if outage := at - w.Clock; w.Clock > 0 && outage > outageAfter {
		for s, t := range w.Sources {
			t.HeardAt += outage
			w.Sources[s] = t
		}
	}
	w.Clock = max(w.Clock, at)
}

// Time returns the watermark in Unix ns; 0 while no source is known, or while no time of one of
// them is known: its calls may be of any time.
func (w *Watermark) Time() int64 {
	lowest, _ := w.readThrough()
	return max(lowest-int64(w.Lateness), 0)
}

// LogClock returns the time up to which all sources have been read, in Unix ns: the watermark
// without Lateness. It is at most logClockBehind behind Clock, and equal to Clock without a source.
func (w *Watermark) LogClock() int64 {
	lowest, any := w.readThrough()
	if !any {
		return w.Clock
	}
	return max(lowest, w.Clock-logClockBehind)
}

// readThrough returns the lowest time of the sources; any is false while no source is known.
func (w *Watermark) readThrough() (lowest int64, any bool) {
	for _, s := range w.Sources {
		if s.HeardAt < w.Clock-sourceGoneAfter {
			continue
		}
		if t := s.time(); !any || t < lowest {
			lowest, any = t, true
		}
	}
	return lowest, any
}
