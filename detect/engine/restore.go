package engine

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/model/sharedcredential"
	"flyball/detect/stitch"
	"flyball/schema/wire"
)

// stored is an actor's newest entry and the generation of its key.
type stored struct {
	actor      *stitch.Actor
	generation string
}

func without(list []string, s string) []string {
	return slices.DeleteFunc(list, func(x string) bool { return x == s })
}

// restore claims a partition and reads back what its owners stored. It returns
// a worker that stands where the stored record says.
//
// The claim is a record of its own in flyball.state: its offset is the new
// owner's generation, and reading up to it is reading everything that any
// predecessor stored before.
func (e *Engine) restore(ctx context.Context, part int32) (*worker, error) {
	began := e.cfg.Now()
	claim := &kgo.Record{Topic: wire.StateTopic, Partition: part, Key: []byte("claim"), Value: []byte(e.member)}
	if err := e.out.ProduceSync(ctx, claim).FirstErr(); err != nil {
		return nil, fmt.Errorf("claim partition %d in %s: %w", part, wire.StateTopic, err)
	}
	w := &worker{
		cfg: &e.cfg, part: part, topic: e.callsID, out: e.out, m: e.m,
		state: stitch.NewPartition(part, e.cfg.Limits), base: newProgress(e.cfg.Limits), journal: newJournal(part),
		in: make(chan []*kgo.Record, 4), snapped: began,
	}
	w.state.SetRunAttachment(func() stitch.Attachment { return &judged{} })
	w.state.SetActorAttachment(func() stitch.Attachment { return &actorJudged{} })
	w.judging.rules, w.judging.tripShare = e.cfg.Rules, e.cfg.FalseTrips
	w.judging.unscoped = e.cfg.Unscoped
	w.judging.people.model, w.judging.people.share = sharedcredential.EmbeddedModel(), e.cfg.FalseSuspicions
	w.judging.use(nil)
	w.baselines, w.active = e.baselines, &e.active
	w.checkpoint.generation = uint64(claim.Offset)
	w.checkpoint.stale = map[string][]string{}
	w.checkpoint.committed = -1

	actors := map[string]stored{}
	partitions := map[string]bool{}
	offset := int64(0)
	reader, err := kgo.NewClient(append(append([]kgo.Opt{}, e.cfg.Kafka...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{wire.StateTopic: {part: kgo.NewOffset().AtStart()}}),
		kgo.FetchMaxWait(100*time.Millisecond))...)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	for read := false; !read; {
		fetches := reader.PollFetches(ctx)
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("restore partition %d: %w", part, err)
		}
		for _, f := range fetches.Errors() {
			return nil, fmt.Errorf("read %s/%d: %w", wire.StateTopic, part, f.Err)
		}
		var failed error
		fetches.EachRecord(func(r *kgo.Record) {
			if failed != nil || read {
				return
			}
			read = r.Offset >= claim.Offset
			switch kind, generation, actor := splitKey(r.Key); {
			case kind == "a" && r.Value == nil:
				// An owner cleared it: a later owner's entry stands for it, or nothing does.
				if actors[actor].generation == generation {
					delete(actors, actor)
				}
				w.checkpoint.stale[actor] = without(w.checkpoint.stale[actor], generation)
			case kind == "a":
				a, _, err := w.state.Restore(r.Value)
				if err != nil {
					failed = fmt.Errorf("%s/%d at offset %d: %w", wire.StateTopic, part, r.Offset, err)
					return
				}
				w.checkpoint.stale[actor] = append(without(w.checkpoint.stale[actor], generation), generation)
				if have := actors[actor]; have.actor == nil || a.Included >= have.actor.Included {
					actors[actor] = stored{a, generation}
				}
			case kind == "p" && r.Value == nil:
				delete(partitions, generation)
			case kind == "p":
				p, at, _, err := decodeProgress(r.Value, e.cfg.Limits)
				if err != nil {
					failed = fmt.Errorf("%s/%d at offset %d: %w", wire.StateTopic, part, r.Offset, err)
					return
				}
				partitions[generation] = true
				if at >= offset {
					w.base, offset = p, at
				}
			}
		})
		if failed != nil {
			return nil, failed
		}
	}
	w.base.water.Lateness = e.cfg.Limits.Lateness
	w.now = w.base.clone()
	w.next = offset
	w.checkpoint.committed = offset
	w.state.SetWatermark(w.base.watermark)
	for key, s := range actors {
		w.state.Adopt(s.actor)
		if s.actor.Empty() {
			w.checkpoint.ghosts = append(w.checkpoint.ghosts, ghost{key, s.actor.Included})
		}
	}
	for generation := range partitions {
		w.checkpoint.old = append(w.checkpoint.old, generation)
	}
	if err := w.activate(ctx); err != nil {
		return nil, err
	}
	took := e.cfg.Now().Sub(began)
	e.m.restore.Observe(took.Seconds())
	e.cfg.Logger.Info("partition restored", "partition", part, "offset", offset, "actors", len(actors), "open_runs", w.state.OpenRuns(), "took", took.Round(time.Millisecond))
	return w, nil
}
