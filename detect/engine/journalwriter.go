package engine

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/curve"
	"flyball/detect/journal"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// maxJournalBytes is the size at which a journal record is written, well below max.message.bytes of
// its topic.
const maxJournalBytes = 4 << 20

// journalWriter writes the rows and snapshots of a partition to flyball.journal.
type journalWriter struct {
	cfg    *Config
	rows   *journal.Writer
	state  *stitch.Partition
	counts *curve.Counts
	out    *outbox
	part   int32
	topic  schema.TopicID // of flyball.calls

	firstRow time.Time // when the oldest row that is not written yet was added
	snapped  time.Time // when snapshots were last written
	changed  []*stitch.Run
}

// began records the time of the first row of a record.
func (w *journalWriter) began() {
	if w.rows.Rows() == 0 {
		w.firstRow = w.cfg.Now()
	}
}

// full reports whether the rows are enough for a record.
func (w *journalWriter) full() bool {
	return w.rows.Rows() >= w.cfg.JournalRows || w.rows.Bytes() >= maxJournalBytes
}

// due reports whether rows have waited for JournalEvery, or for JournalBusyEvery while they arrive faster than JournalRate.
func (w *journalWriter) due(now time.Time) bool {
	rows, age := w.rows.Rows(), now.Sub(w.firstRow)
	if rows == 0 || age < w.cfg.JournalEvery {
		return false
	}
	return age >= w.cfg.JournalBusyEvery || float64(rows) < float64(w.cfg.JournalRate)*age.Seconds()
}

// snapshotsDue reports whether changed runs have waited long enough; busy is when a record
// was last applied.
func (w *journalWriter) snapshotsDue(now, busy time.Time) bool {
	quiet := w.state.Changed() > 0 && now.Sub(busy) >= w.cfg.JournalEvery
	return quiet || now.Sub(w.snapped) >= w.cfg.SnapshotEvery
}

// writeRows writes the rows gathered so far.
func (w *journalWriter) writeRows(ctx context.Context) error {
	if value := w.rows.Cut(w.topic); value != nil {
		w.write(ctx, value)
	}
	return w.out.err()
}

// maxStates is how many snapshots and counts are written as one record: about a megabyte.
const maxStates = 4096

// writeStates writes a snapshot of each run that has changed, and the counts that have changed.
func (w *journalWriter) writeStates(ctx context.Context) {
	w.changed = w.state.TakeChanged(w.changed[:0])
	for _, r := range w.changed {
		s := r.Snapshot()
		if s.Tenant != schema.CanaryTenant {
			w.rows.AddRun(&s)
		}
		r.Emitted = s.Version
		w.writeFullStates(ctx, maxStates)
	}
	clear(w.changed)
	w.writeCounts(ctx)
	w.writeFullStates(ctx, 1)
}

// writeCounts adds the counts that have changed.
func (w *journalWriter) writeCounts(ctx context.Context) {
	w.counts.Write(func(n *schema.MinuteCount) {
		w.rows.AddMinute(n)
		w.writeFullStates(ctx, maxStates)
	}, func(n *schema.StitchingCount) {
		w.rows.AddBinding(n)
		w.writeFullStates(ctx, maxStates)
	})
	w.state.Hours().Write(func(n *schema.HourCount) {
		w.rows.AddHour(n)
		w.writeFullStates(ctx, maxStates)
	})
}

// countsFull reports whether so many counters were given up that they must not wait to be written.
func (w *journalWriter) countsFull() bool {
	return w.counts.Waiting()+w.state.Hours().Waiting() >= maxStates
}

// writeFullStates writes the gathered snapshots and counts if there are so many.
func (w *journalWriter) writeFullStates(ctx context.Context, atLeast int) {
	if w.rows.States() >= atLeast {
		w.write(ctx, w.rows.CutStates(w.topic))
	}
}

func (w *journalWriter) write(ctx context.Context, value []byte) {
	w.out.sendInOrder(ctx, &kgo.Record{Topic: wire.JournalTopic, Partition: w.part, Value: value})
}
