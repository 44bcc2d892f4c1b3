package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/ingest/decode"
	"flyball/schema"
)

// sampleTopic hands over the newest records of a topic, n at most, without
// joining a group: nobody's place in it moves.
func sampleTopic(ctx context.Context, c config.Config, topic string, n int, each func(*decode.Record) error) error {
	opts, err := app.KafkaOpts(c)
	if err != nil {
		return err
	}
	admin, err := kgo.NewClient(opts...)
	if err != nil {
		return err
	}
	defer admin.Close()
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	adm := kadm.NewClient(admin)
	ends, err := adm.ListEndOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("topic %s: %w", topic, err)
	}
	if err := ends.Error(); err != nil {
		return fmt.Errorf("topic %s: %w", topic, err)
	}
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err != nil {
		return fmt.Errorf("topic %s: %w", topic, err)
	}
	from, until := map[int32]kgo.Offset{}, map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		start, _ := starts.Lookup(topic, o.Partition)
		if o.Offset > start.Offset {
			from[o.Partition] = kgo.NewOffset().At(max(start.Offset, o.Offset-int64(n)))
			until[o.Partition] = o.Offset
		}
	})
	if len(until) == 0 {
		return fmt.Errorf("topic %s: no records in it yet", topic)
	}
	client, err := kgo.NewClient(append(opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: from}))...)
	if err != nil {
		return err
	}
	defer client.Close()
	var newest []*kgo.Record
	for len(until) > 0 && ctx.Err() == nil {
		client.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			newest = append(newest, r)
			if r.Offset+1 >= until[r.Partition] {
				delete(until, r.Partition)
			}
		})
	}
	slices.SortFunc(newest, func(a, b *kgo.Record) int { return a.Timestamp.Compare(b.Timestamp) })
	for _, r := range newest[max(0, len(newest)-n):] {
		rec := decode.Record{Topic: topic, Partition: r.Partition, Offset: r.Offset, Timestamp: r.Timestamp.UnixNano(), Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			rec.Headers = append(rec.Headers, decode.Header{Key: h.Key, Value: h.Value})
		}
		if err := each(&rec); err != nil {
			return err
		}
	}
	return nil
}

// guess counts what records were read as.
type guess struct {
	formats map[string]int
	reasons map[decode.Reason]int
}

func (g *guess) add(calls []schema.Call, dead []decode.Rejected) {
	for i := range calls {
		g.formats[calls[i].Format]++
	}
	for _, d := range dead {
		g.reasons[d.Reason]++
	}
}

// say prints the guess, and how to make it stay. Formats of OpenTelemetry are
// pinned by encoding, which a file does not tell.
func (g *guess) say(w io.Writer, topic, as string) {
	names := slices.SortedFunc(maps.Keys(g.formats), func(a, b string) int { return g.formats[b] - g.formats[a] })
	if len(names) == 0 && len(g.reasons) == 0 {
		fmt.Fprintln(w, "no records")
		return
	}
	var parts []string
	for _, n := range names {
		parts = append(parts, fmt.Sprintf("%d as %s", g.formats[n], n))
	}
	for _, r := range slices.Sorted(maps.Keys(g.reasons)) {
		parts = append(parts, fmt.Sprintf("%d not at all (%s)", g.reasons[r], r))
	}
	fmt.Fprintf(w, "read: %s\n", strings.Join(parts, ", "))
	if as != "auto" || len(names) == 0 {
		return
	}
	format, _, _ := strings.Cut(names[0], "/")
	switch {
	case strings.HasPrefix(format, "otlp"):
		format = "otlp_proto (or otlp_json)"
	case len(names) > 1:
		fmt.Fprintf(w, "The records are of several formats: give each a topic of its own, or leave this one at auto.\n")
		return
	}
	if topic == "" {
		topic = "YOUR-TOPIC"
	}
	fmt.Fprintf(w, "To make that stay: kafka.inputs: [{topic: %s, format: %s}]\n", topic, format)
}
