package broker

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const (
	// compactAtStartBytes is the size up to which the compacted topics are compacted at each start: that takes half a second.
	compactAtStartBytes = 128 << 20
	// compactAfterBytes is by how much the compacted topics grow at least before they are compacted.
	compactAfterBytes = 128 << 20
	// compactPause is the shortest time between two compactions.
	compactPause = time.Minute
)

// compactionDue returns whether topics that had after bytes at the end of the last compaction, and have now bytes, are compacted: when
// they are three times as long. A compaction reads and writes all that is left, and the broker answers nobody meanwhile (about 2 s for
// 400 MiB), so its cost for each written byte must not grow with the size. The largest topic, flyball.state, is not among them: detect
// keeps it below twice the size of what a restart needs.
func compactionDue(after, now int64) bool { return now-after >= max(compactAfterBytes, 2*after) }

// compactIfDue compacts the topics with cleanup.policy=compact, and deletes what is beyond the retention of others.
func (b *Broker) compactIfDue(now time.Time) {
	if now.Sub(b.compactedAt) < compactPause {
		return
	}
	b.compactedAt = now
	bytes := b.bytesToCompact()
	b.compactedBytes = min(b.compactedBytes, bytes) // kfake's own compaction can have been in between
	if !compactionDue(b.compactedBytes, bytes) {
		b.cluster.ApplyRetention()
		return
	}
	b.compact()
}

// compactAtStart compacts before the first client connects, so that less is read after a restart, if the topics are small or it is due:
// nobody is answered meanwhile, and 5 GB take 7 s and more.
func (b *Broker) compactAtStart() {
	bytes := b.bytesToCompact()
	before, known := readCompacted(b.opt.Dir)
	b.compactedAt, b.compactedBytes = time.Now(), min(before, bytes)
	if !known || bytes <= compactAtStartBytes || compactionDue(b.compactedBytes, bytes) {
		b.compact()
	}
}

func (b *Broker) compact() {
	began := time.Now()
	b.cluster.Compact()
	b.compactedBytes = b.bytesToCompact()
	b.m.compaction.Observe(time.Since(began).Seconds())
	if err := writeCompacted(b.opt.Dir, b.compactedBytes); err != nil {
		b.log.Warn("the size after the compaction is not stored: the next start compacts again", "error", err)
	}
}

// compactedName is the name of the file with the bytes that the compacted topics had after the last compaction.
const compactedName = "compacted-bytes"

// readCompacted returns the stored size; known is false if there is none that can be read.
func readCompacted(dir string) (bytes int64, known bool) {
	text, err := os.ReadFile(filepath.Join(dir, compactedName))
	if err != nil {
		return 0, false
	}
	_, err = fmt.Sscanf(string(text), "%d\n", &bytes)
	return bytes, err == nil && bytes >= 0
}

func writeCompacted(dir string, bytes int64) error {
	return os.WriteFile(filepath.Join(dir, compactedName), fmt.Appendf(nil, "%d\n", bytes), 0o600)
}

// bytesToCompact returns the bytes of the topics that are compacted.
func (b *Broker) bytesToCompact() (bytes int64) {
	for _, topic := range b.opt.Compacted {
		for _, p := range b.cluster.PartitionInfos(topic) {
			bytes += p.NumBytes
		}
	}
	return bytes
}
