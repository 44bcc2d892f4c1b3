package clickhouse

import (
	"context"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
)

// Progress returns, for each partition of flyball.calls, the offset up to which the store has
// inserted calls.
func (c *Conn) Progress(ctx context.Context) ([]Progress, error) {
	rows, err := ask(ctx, c, "SELECT toString(calls_topic_id), calls_partition, max(next_offset), toUnixTimestamp64Nano(max(max_start)) FROM "+
		rendering{Target: Target{Database: c.o.Database}}.Name("progress")+" GROUP BY calls_topic_id, calls_partition")
	if err != nil {
		return nil, fmt.Errorf("read the store's progress: %w", err)
	}
	out := make([]Progress, len(rows))
	for i, r := range rows {
		p := &out[i]
		if len(r) != 4 {
			return nil, fmt.Errorf("read the store's progress: %q", r)
		}
		if _, err := hex.Decode(p.CallsTopicID[:], []byte(strings.ReplaceAll(r[0], "-", ""))); err != nil {
			return nil, fmt.Errorf("read the store's progress: topic id %q: %w", r[0], err)
		}
		part, err1 := strconv.ParseInt(r[1], 10, 32)
		next, err2 := strconv.ParseInt(r[2], 10, 64)
		start, err3 := strconv.ParseInt(r[3], 10, 64)
		if err1 != nil || err2 != nil || err3 != nil {
			return nil, fmt.Errorf("read the store's progress: %q", r)
		}
		p.CallsPartition, p.To, p.MaxStart = int32(part), next-1, start
	}
	return out, nil
}
