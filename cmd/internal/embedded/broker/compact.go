package broker

import "time"

const (
	// compactAfterBytes is by how much the compacted topics grow at least before they are compacted.
	compactAfterBytes = 128 << 20
	// compactPause is the shortest time between two compactions.
	compactPause = time.Minute
)

// compactionDue returns whether topics that had after bytes at the end of the last compaction, and have now bytes, are compacted: when
// they are three times as long. A compaction reads and writes all that is left, and the broker answers nobody meanwhile (about 2 s for
// 400 MiB), so its cost for each written byte must not grow with the size. The largest of the topics, flyball.state, is kept below
// twice its size by those who write it, without a compaction.
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
	began := time.Now()
	b.cluster.Compact()
	b.compactedBytes = b.bytesToCompact()
	b.m.compaction.Observe(time.Since(began).Seconds())
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
