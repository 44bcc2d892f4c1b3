package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/baseline"
	"flyball/schema/topic"
)

// baselines reads published baselines by version. It is safe for concurrent use.
type baselines struct {
	kafka []kgo.Opt

	mu    sync.Mutex
	known map[string]*baseline.Body
}

const keptBaselines = 4

// errNoBaseline means that the version was never published, or is gone.
var errNoBaseline = errors.New("no such baseline in " + topic.BaselinesTopic)

// get reads the topic up to its end as of now, until the version is found.
func (b *baselines) get(ctx context.Context, version string) (*baseline.Body, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if body := b.known[version]; body != nil {
		return body, nil
	}
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, b.kafka...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic.BaselinesTopic: {0: kgo.NewOffset().AtStart()}}),
		kgo.FetchMaxWait(100*time.Millisecond))...)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic.BaselinesTopic)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", topic.BaselinesTopic, err)
	}
	end, _ := ends.Lookup(topic.BaselinesTopic, 0)
	for next := int64(0); next < end.Offset; {
		fetches := client.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, f := range fetches.Errors() {
			return nil, fmt.Errorf("read %s: %w", topic.BaselinesTopic, f.Err)
		}
		for _, r := range fetches.Records() {
			next = r.Offset + 1
			if string(r.Key) != version || r.Value == nil {
				continue
			}
			body, err := topic.DecodeDocument[baseline.Body](r.Value, topic.BaselineVersion)
			if err != nil {
				return nil, fmt.Errorf("baseline %s: %w", version, err)
			}
			if len(b.known) >= keptBaselines {
				clear(b.known)
			}
			b.known[version] = &body
			return &body, nil
		}
	}
	return nil, fmt.Errorf("%w: %s", errNoBaseline, version)
}

// activate makes the version that the marks name the one to score by. A version
// that is gone leaves the last one in place: a partition goes on.
func (w *worker) activate(ctx context.Context) error {
	version := w.now.versions["baseline"]
	if version == "" || w.judging.model != nil && w.judging.model.Body.Version == version {
		return nil
	}
	body, err := w.baselines.get(ctx, version)
	switch {
	case errors.Is(err, errNoBaseline):
		w.m.missingBaselines.Inc()
		w.cfg.Logger.Error("scoring goes on by the last baseline; run flyball learn --once", "partition", w.part, "version", version, "error", err)
		return nil
	case err != nil:
		return fmt.Errorf("activate a baseline in partition %d: %w", w.part, err)
	}
	w.judging.use(body)
	return nil
}
