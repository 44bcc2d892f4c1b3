package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/wire"
)

// Noted is what a reader stored about a partition when it last read it.
type Noted struct {
	Topic     string
	Partition int32
	TopicID   schema.TopicID // zero: not stored
	// Next is the offset in Kafka after the last record that was read; negative: none was read.
	Next int64
	// LeaderEpoch is the leader epoch of the record before Next; -1: not stored.
	LeaderEpoch int32
	// End is the highest end of the log that was seen; 0: not stored.
	End int64
}

// LogState is the present state of a partition, compared with a Noted.
type LogState struct {
	TopicID     schema.TopicID
	LeaderEpoch int32 // of the records that are written now
	Start, End  int64
	// Same is the end of the records with epochs up to Noted.LeaderEpoch: up to here the log is the
	// one that was read. Without such an epoch it is End.
	Same int64
}

// Compare returns the offset in Kafka from which a reader continues, and the loss that the log had
// since the reader stored n; nil: none. The fields of the loss that depend on the reader are not set.
func Compare(n Noted, now LogState) (from int64, loss *schema.LogLoss) {
	lost := func(kind schema.LossKind, from, to, read int64) *schema.LogLoss {
		return &schema.LogLoss{Topic: n.Topic, Partition: n.Partition, Kind: kind, From: from, To: to, Records: max(to-from, 0),
			Read: min(max(read, 0), max(to-from, 0))}
	}
	switch {
	case n.Next < 0:
		return now.Start, nil
	case n.TopicID != (schema.TopicID{}) && now.TopicID != n.TopicID:
		// How many records the deleted topic had, and whether they were read, is only known up to Next.
		l := lost(schema.LossRecreated, 0, max(n.Next, n.End), 0)
		l.Records, l.Read = 0, 0
		return now.Start, l
	case now.Same < n.Next:
		kind := schema.LossRefilled
		if now.Same == now.End {
			kind = schema.LossCut
		}
		return max(now.Same, now.Start), lost(kind, now.Same, max(n.Next, n.End), n.Next-now.Same)
	case now.End < n.End:
		return n.Next, lost(schema.LossCut, now.End, n.End, n.Next-now.End)
	case n.Next < now.Start:
		return now.Start, lost(schema.LossExpired, n.Next, now.Start, 0)
	}
	return n.Next, nil
}

// LogStates returns the present states of the partitions in notes, in their order. It is called when
// a reader starts to read partitions.
func LogStates(ctx context.Context, client *kgo.Client, notes []Noted) ([]LogState, error) {
	adm := kadm.NewClient(client)
	var topics []string
	epochs := kadm.OffsetForLeaderEpochRequest{}
	for _, n := range notes {
		topics = append(topics, n.Topic)
		if n.LeaderEpoch >= 0 {
			epochs.Add(n.Topic, n.Partition, n.LeaderEpoch)
		}
	}
	details, err := adm.ListTopics(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("look up topics: %w", err)
	}
	// The ends are looked up after the epochs: what is written between both does not look lost.
	same := kadm.OffsetsForLeaderEpochs{}
	if len(epochs) > 0 {
		if same, err = adm.OffsetForLeaderEpoch(ctx, epochs); err != nil {
			return nil, fmt.Errorf("look up ends of leader epochs: %w", err)
		}
	}
	starts, err := adm.ListStartOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("look up starts of topics: %w", err)
	}
	ends, err := adm.ListEndOffsets(ctx, topics...)
	if err != nil {
		return nil, fmt.Errorf("look up ends of topics: %w", err)
	}
	out := make([]LogState, len(notes))
	for i, n := range notes {
		start, end := starts[n.Topic][n.Partition], ends[n.Topic][n.Partition]
		detail := details[n.Topic]
		if err := errors.Join(detail.Err, start.Err, end.Err, same[n.Topic][n.Partition].Err); err != nil {
			return nil, fmt.Errorf("look up %s/%d: %w", n.Topic, n.Partition, err)
		}
		out[i] = LogState{TopicID: schema.TopicID(detail.ID), LeaderEpoch: detail.Partitions[n.Partition].LeaderEpoch,
			Start: start.Offset, End: end.Offset, Same: end.Offset}
		if s, asked := same[n.Topic][n.Partition]; asked && s.EndOffset >= 0 && s.EndOffset < end.Offset {
			out[i].Same = s.EndOffset
		}
	}
	return out, nil
}

// Epochs converts leader epochs into epochs of positions (see schema.PositionOffset) by adding a
// shift, which is stored if it is not 0.
type Epochs struct{ Shift int32 }

// Position returns the offset in positions of a record.
func (e Epochs) Position(leaderEpoch int32, offset int64) int64 {
	return schema.PositionOffset(int64(leaderEpoch)+int64(e.Shift), offset)
}

// Of returns the position of a record.
func (e Epochs) Of(r *kgo.Record) int64 { return e.Position(r.LeaderEpoch, r.Offset) }

// EpochsAfter returns the epochs with which a reader continues. used is the highest epoch of
// positions so far. known is false if the reader's last version did not use leader epochs: positions
// stay in the epoch used until the leader epoch changes. After a loss, records that
// are written from now on get a higher epoch than used, also if the leader epoch did not rise
// (a topic that was created again).
func EpochsAfter(before Epochs, known bool, used int64, now LogState, loss *schema.LogLoss) Epochs {
	e := before
	if !known {
		e.Shift = int32(max(used, 0)) - now.LeaderEpoch
	}
	switch {
	case loss == nil || loss.Kind == schema.LossExpired:
	case loss.Kind == schema.LossRecreated:
		e.Shift = int32(used) + 1 // all records of the topic are new, also those of lower leader epochs
	case int64(now.LeaderEpoch)+int64(e.Shift) <= used:
		e.Shift = int32(used) + 1 - now.LeaderEpoch
	}
	if loss != nil {
		loss.Epoch = schema.PositionEpoch(e.Position(now.LeaderEpoch, 0))
	}
	return e
}

// ResumeAfterLosses compares newly assigned partitions with the committed offsets of their group, which
// a group consumer passes to kgo.AdjustFetchOffsetsFn, changes the offsets from which partitions with
// losses are read, and reports the losses. It is for readers to whom a repeated record does no harm:
// where the log differs is only certain if its leader epoch rose, otherwise they read it from its
// start. The changed offsets are committed by group, the client of the consumer: without that, a partition that gets no
// further record would keep a committed offset that its log does not have.
func (c Config) ResumeAfterLosses(ctx context.Context, client, group *kgo.Client, component string, now time.Time,
	offsets map[string]map[int32]kgo.Offset) error {
	var notes []Noted
	for topic, parts := range offsets {
		for part, o := range parts {
			if at := o.EpochOffset(); at.Offset >= 0 {
				notes = append(notes, Noted{Topic: topic, Partition: part, Next: at.Offset, LeaderEpoch: at.Epoch})
			}
		}
	}
	if len(notes) == 0 {
		return nil
	}
	states, err := LogStates(ctx, client, notes)
	if err != nil {
		return fmt.Errorf("%s: %w", component, err)
	}
	var losses []*schema.LogLoss
	resumed := map[string]map[int32]kgo.EpochOffset{}
	for i, n := range notes {
		from, loss := resumePoint(n, states[i])
		if loss == nil {
			continue
		}
		losses = append(losses, loss)
		offsets[n.Topic][n.Partition] = kgo.NewOffset().At(from)
		if resumed[n.Topic] == nil {
			resumed[n.Topic] = map[int32]kgo.EpochOffset{}
		}
		resumed[n.Topic][n.Partition] = kgo.EpochOffset{Epoch: states[i].LeaderEpoch, Offset: from}
	}
	if len(losses) == 0 {
		return nil
	}
	// Losses are reported first: after the commit, nobody notices them again.
	c.ReportLosses(ctx, component, now, losses)
	if err := c.Commit(ctx, component, group, resumed); err != nil {
		c.Log.Warn("resumed offsets "+component, "offsets after a loss of records not committed; lag is shown wrong until the next record",
			"component", component, "error", err)
	}
	return nil
}

// resumePoint is Compare for readers to whom a repeated record does no harm.
func resumePoint(n Noted, now LogState) (from int64, loss *schema.LogLoss) {
	from, loss = Compare(n, now)
	if loss != nil && loss.Kind != schema.LossExpired && (n.LeaderEpoch < 0 || now.LeaderEpoch <= n.LeaderEpoch) {
		from = now.Start
	}
	if loss != nil {
		loss.Epoch = int64(max(now.LeaderEpoch, 0))
	}
	return from, loss
}

// lossesClient is the name of the client that writes losses.
const lossesClient = "losses"

// reportTimeout is how long ReportLosses waits for flyball.events.
const reportTimeout = 10 * time.Second

// ReportLosses logs and counts losses, and writes them to flyball.events, from where they come into
// the view log_losses. Reporting the same loss again does no harm. A loss that cannot be written is
// logged: the reader does not wait for it.
func (c Config) ReportLosses(ctx context.Context, component string, now time.Time, losses []*schema.LogLoss) {
	if len(losses) == 0 {
		return
	}
	var records []*kgo.Record
	for _, l := range losses {
		l.Component, l.NoticedAt = component, now.UnixNano()
		c.Metrics.Loss(l)
		c.Log.Warn(fmt.Sprintf("loss %s/%d %s", l.Topic, l.Partition, l.Kind), "records of a topic are lost",
			"what", lossTexts[l.Kind], "component", component, "topic", l.Topic, "partition", l.Partition, "kind", l.Kind,
			"from", l.From, "to", l.To,
			"records", l.Records, "read_before", l.Read, "epoch", l.Epoch)
		event := schema.LossEvent(l)
		if value, err := wire.EncodeEvent(&event); err == nil {
			records = append(records, &kgo.Record{Topic: wire.EventsTopic, Partition: 0, Key: []byte(event.ID), Value: value})
		}
	}
	client, err := c.NewClient(lossesClient, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err == nil {
		defer client.Close()
		ctx, cancel := context.WithTimeout(ctx, reportTimeout)
		defer cancel()
		err = client.ProduceSync(ctx, records...).FirstErr()
	}
	if err != nil {
		c.Log.Warn("loss not written", "losses of records are not in "+wire.EventsTopic+": reports will not name them", "error", err)
	}
}

var lossTexts = map[schema.LossKind]string{
	schema.LossCut:       "the log ends before records that existed",
	schema.LossRefilled:  "the log lost its end and was written again",
	schema.LossRecreated: "the topic was deleted and created again, it is read from its start",
	schema.LossExpired:   "records were deleted before they were read",
}
