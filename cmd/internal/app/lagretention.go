package app

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// retentionEvery is the time between two readings of the topics' retention, which changes rarely.
const retentionEvery = 5 * time.Minute

// readRetention reads for how long the topics of the readers keep records, when it is due. Topics without an end are left out. Where the
// broker does not let this process read settings, nothing is known.
func (l *lagReader) readRetention(ctx context.Context) {
	l.mu.Lock()
	client, due := l.client, l.now().Sub(l.retentionAt) >= retentionEvery
	l.mu.Unlock()
	if client == nil || !due {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, lagTimeout)
	defer cancel()
	found, err := retentionOf(ctx, kadm.NewClient(client), topicsOf(*l.readers.Load()))
	if err != nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retention, l.retentionAt = found, l.now()
}

// topicsOf returns the topics that readers read.
func topicsOf(readers []reader) (out []string) {
	for _, r := range readers {
		for _, topic := range r.Topics {
			if !slices.Contains(out, topic) {
				out = append(out, topic)
			}
		}
	}
	return out
}

// retentionOf returns for how long topics keep records by their time; those without an end, or that cannot be read, are absent.
func retentionOf(ctx context.Context, admin *kadm.Client, topics []string) (map[string]time.Duration, error) {
	configs, err := admin.DescribeTopicConfigs(ctx, topics...)
	if err != nil {
		return nil, err
	}
	out := map[string]time.Duration{}
	for _, topic := range configs {
		for _, c := range topic.Configs {
			if c.Key != "retention.ms" || topic.Err != nil {
				continue
			}
			if ms, err := strconv.ParseInt(c.MaybeValue(), 10, 64); err == nil && ms > 0 && ms < int64(1<<62/time.Millisecond) {
				out[topic.Name] = time.Duration(ms) * time.Millisecond
			}
		}
	}
	return out, nil
}
