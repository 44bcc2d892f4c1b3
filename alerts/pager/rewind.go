package pager

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/wire"
)

// rewind makes every partition be read from its start: the incidents of what
// was told before are the state of what is told next. Pages of records before
// the committed offset are folded and not sent.
func (p *Pager) rewind(ctx context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	client, err := kgo.NewClient(p.o.Kafka...)
	if err != nil {
		return nil, fmt.Errorf("alert %s: Kafka client: %w", p.o.Name, err)
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	ends, err := admin.ListEndOffsets(ctx, wire.EventsTopic)
	if err != nil {
		return nil, fmt.Errorf("alert %s: look up the end of %s: %w", p.o.Name, wire.EventsTopic, err)
	}
	recent, err := admin.ListOffsetsAfterMilli(ctx, p.o.Now().Add(-p.o.Since).UnixMilli(), wire.EventsTopic)
	if err != nil {
		return nil, fmt.Errorf("alert %s: look up where to begin in %s: %w", p.o.Name, wire.EventsTopic, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for part, o := range offsets[wire.EventsTopic] {
		p.from[part] = tellFrom(part, o.EpochOffset().Offset, ends, recent)
		delete(p.folds, part)
		offsets[wire.EventsTopic][part] = kgo.NewOffset().AtStart()
	}
	return offsets, nil
}

// tellFrom is the offset from which a partition's pages are sent.
func tellFrom(part int32, committed int64, ends, recent kadm.ListedOffsets) int64 {
	end, known := ends.Lookup(wire.EventsTopic, part)
	switch {
	case committed >= 0 && known && end.Err == nil && committed > end.Offset:
		return 0 // the topic was made again
	case committed >= 0:
		return committed
	}
	// A receiver that was never told anything begins with what is recent.
	if l, ok := recent.Lookup(wire.EventsTopic, part); ok && l.Err == nil {
		return max(l.Offset, 0)
	}
	return 0
}
