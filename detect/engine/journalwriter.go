package engine

import (
	"context"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

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
	cfg   *Config
	rows  *journal.Writer
	state *stitch.Partition
	out   *outbox
	part  int32
	topic schema.TopicID // of flyball.calls

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

// due reports whether rows have waited for JournalEvery.
func (w *journalWriter) due(now time.Time) bool {
	return w.rows.Rows() > 0 && now.Sub(w.firstRow) >= w.cfg.JournalEvery
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

// maxSnapshots is how many snapshots are written as one record: about a megabyte.
const maxSnapshots = 4096

// writeSnapshots writes a snapshot of each run that has changed.
func (w *journalWriter) writeSnapshots(ctx context.Context) {
	w.changed = w.state.TakeChanged(w.changed[:0])
	for some := range slices.Chunk(w.changed, maxSnapshots) {
		for _, r := range some {
			s := r.Snapshot()
			w.rows.AddRun(&s)
			r.Emitted = s.Version
		}
		w.write(ctx, w.rows.CutRuns(w.topic))
	}
	clear(w.changed)
}

func (w *journalWriter) write(ctx context.Context, value []byte) {
	w.out.sendInOrder(ctx, &kgo.Record{Topic: wire.JournalTopic, Partition: w.part, Value: value})
}
