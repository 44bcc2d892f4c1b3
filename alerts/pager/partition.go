package pager

import (
	"context"
	"fmt"
	"maps"
	"sync"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/alerts/incident"
	"flyball/schema/wire"
)

// partition is a partition of flyball.alerts while it is assigned to this member.
type partition struct {
	number int32
	from   int64           // pages of records before this offset were acknowledged earlier, or are too old
	fresh  bool            // no offset was committed yet
	held   context.Context // ends when the partition is revoked
	drop   context.CancelFunc

	mu   sync.Mutex // locked while a record is handled: a revocation waits for it
	fold *incident.Fold
}

// enter locks the partition to handle a record. It returns false, without the lock, if the partition was revoked.
func (p *partition) enter() bool {
	p.mu.Lock()
	if p.held.Err() != nil {
		p.mu.Unlock()
		return false
	}
	return true
}

func (p *partition) leave() { p.mu.Unlock() }

// assigned returns the partitions that are assigned now.
func (p *Pager) assigned() map[int32]*partition {
	p.mu.Lock()
	defer p.mu.Unlock()
	return maps.Clone(p.partitions)
}

// topicOffsets maps topic and partition to an offset.
type topicOffsets = map[string]map[int32]kgo.Offset

// assign makes the client read each new partition from its start, because later pages depend on the incidents before them. Records before
// the committed offset are folded, and their pages are not sent.
func (p *Pager) assign(ctx context.Context, client, group *kgo.Client, offsets topicOffsets) (topicOffsets, error) {
	admin := kadm.NewClient(client)
	ends, err := admin.ListEndOffsets(ctx, wire.AlertsTopic)
	if err != nil {
		return nil, fmt.Errorf("alert %s: look up the end of %s: %w", p.o.Name, wire.AlertsTopic, err)
	}
	recent, err := admin.ListOffsetsAfterMilli(ctx, p.o.Now().Add(-p.o.Since).UnixMilli(), wire.AlertsTopic)
	if err != nil {
		return nil, fmt.Errorf("alert %s: look up where to begin in %s: %w", p.o.Name, wire.AlertsTopic, err)
	}
	resumed := topicOffsets{wire.AlertsTopic: maps.Clone(offsets[wire.AlertsTopic])}
	if err := p.o.Kafka.ResumeAfterLosses(ctx, client, group, "alert", p.o.Now(), resumed); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for number := range offsets[wire.AlertsTopic] {
		o := resumed[wire.AlertsTopic][number]
		committed := o.EpochOffset().Offset
		part := &partition{number: number, from: deliverFrom(number, committed, ends, recent), fresh: committed < 0,
			fold: p.o.NewFold()}
		part.held, part.drop = context.WithCancel(context.Background())
		if before := p.partitions[number]; before != nil {
			before.drop()
		}
		p.partitions[number] = part
		offsets[wire.AlertsTopic][number] = kgo.NewOffset().AtStart()
	}
	return offsets, nil
}

// revoke ends the handling of revoked partitions. It waits until the current record is done: its page is then committed or was not
// delivered.
func (p *Pager) revoke(_ context.Context, _ *kgo.Client, lost map[string][]int32) {
	var gone []*partition
	p.mu.Lock()
	for _, number := range lost[wire.AlertsTopic] {
		if part := p.partitions[number]; part != nil {
			gone = append(gone, part)
			delete(p.partitions, number)
		}
	}
	p.mu.Unlock()
	for _, part := range gone {
		part.drop()
		part.mu.Lock() // waits for the handler, which does not enter again
		p.o.Metrics.lag.DeleteLabelValues(p.o.Name, partitionLabel(part.number))
		part.mu.Unlock()
	}
}

// deliverFrom returns the offset from which the pages of a partition are delivered.
func deliverFrom(part int32, committed int64, ends, recent kadm.ListedOffsets) int64 {
	end, known := ends.Lookup(wire.AlertsTopic, part)
	switch {
	case committed >= 0 && known && end.Err == nil && committed > end.Offset:
		return 0 // the topic was deleted and created again
	case committed >= 0:
		return committed
	}
	// A receiver without a committed offset starts with recent events. If there are none, recent has the end of the partition as it was
	// after ends was listed: events between the two are recent.
	l, ok := recent.Lookup(wire.AlertsTopic, part)
	switch {
	case !ok || l.Err != nil:
		return 0
	case known && end.Err == nil:
		return max(min(l.Offset, end.Offset), 0)
	}
	return max(l.Offset, 0)
}
