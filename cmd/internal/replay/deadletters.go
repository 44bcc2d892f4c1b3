package replay

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/ingest/decode"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// DeadLetterOptions select the dead letters that are sent again.
type DeadLetterOptions struct {
	Kafka  kafka.Config
	Reason string // only these; empty: all
	Topic  string // only of this input topic; empty: all
	DryRun bool   // send nothing, report what would be sent
	// Original returns the key and value that came, also of a dead letter that was redacted.
	Original func(*kgo.Record) (key, value []byte, err error)
	// Decode reads a record as ingest would now.
	Decode func(*decode.Record) (calls int, dead []decode.Rejected)
	// Done reports whether the dead letter of a place became calls after an earlier replay.
	Done func(place string) (bool, error)
}

// DeadLetterResult counts the dead letters by what the replay did with them.
type DeadLetterResult struct {
	DeadLetters int            `json:"dead_letters"` // there are
	Sent        []string       `json:"sent"`         // places of those that were sent, or would be
	Unreadable  map[string]int `json:"still"`        // could not be read now either, by reason
	Foreign     int            `json:"foreign"`      // in the topic, and not written by Flyball
	FailedAgain int            `json:"failed_again"` // were sent before and could not be read then either: not sent a second time
	Before      int            `json:"before"`       // became calls after an earlier replay
	Others      int            `json:"others"`       // are not selected by the options

	SentSince time.Time `json:"-"` // the earliest time in Kafka of those of Sent
}

// MarshalJSON keeps, beside the present names, those of the version before.
func (r DeadLetterResult) MarshalJSON() ([]byte, error) {
	type present DeadLetterResult
	return json.Marshal(struct {
		present
		Letters   int `json:"letters"`
		DiedAgain int `json:"died_again"`
	}{present(r), r.DeadLetters, r.FailedAgain})
}

// ResendDeadLetters sends dead letters that can be read now to the topic they came from.
// It ends: what still cannot be read is not sent, what was sent once and became a dead
// letter again is not sent twice, and what came through is known by its place.
func ResendDeadLetters(ctx context.Context, o DeadLetterOptions) (DeadLetterResult, error) {
	out := DeadLetterResult{Unreadable: map[string]int{}, Sent: []string{}}
	client, err := o.Kafka.NewClient("dead-letters", kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	if err != nil {
		return out, err
	}
	defer client.Close()
	_, err = kafka.ReadToEnd(ctx, o.Kafka, "dead-letters", wire.DeadLettersTopic, nil, func(r *kgo.Record) error {
		return o.resend(ctx, client, r, &out)
	})
	if err != nil {
		return out, err
	}
	return out, client.Flush(ctx)
}

// resend sends one dead letter, if it is one to send, and counts what became of it.
func (o *DeadLetterOptions) resend(ctx context.Context, client *kgo.Client, r *kgo.Record, out *DeadLetterResult) error {
	h := map[string]string{}
	for _, v := range r.Headers {
		h[v.Key] = string(v.Value)
	}
	place := h[wire.HeaderTopic] + "/" + h[wire.HeaderPartition] + "/" + h[wire.HeaderOffset] + "/" + h[wire.HeaderItem]
	out.DeadLetters++
	at, err := strconv.ParseInt(h[wire.HeaderAt], 10, 64)
	switch {
	case err != nil || h[wire.HeaderTopic] == "":
		out.Foreign++ // a record of another program does not end the replay
		return nil
	case o.Reason != "" && h[wire.HeaderReason] != o.Reason, o.Topic != "" && h[wire.HeaderTopic] != o.Topic:
		out.Others++
		return nil
	case h[wire.HeaderReplayOf] != "":
		out.FailedAgain++
		return nil
	}
	if done, err := o.Done(place); done || err != nil {
		if done {
			out.Before++
		}
		return err
	}
	key, value, err := o.Original(r)
	if err != nil {
		out.Unreadable[err.Error()]++
		return nil
	}
	calls, dead := o.Decode(&decode.Record{Topic: h[wire.HeaderTopic], Timestamp: at, Key: key, Value: value})
	if len(dead) > 0 || calls == 0 {
		reason := "nothing came of it"
		if len(dead) > 0 {
			reason = string(dead[0].Reason)
		}
		out.Unreadable[reason]++
		return nil
	}
	out.Sent = append(out.Sent, place)
	if since := time.Unix(0, at); out.SentSince.IsZero() || since.Before(out.SentSince) {
		out.SentSince = since
	}
	if o.DryRun {
		return nil
	}
	again := &kgo.Record{
		Topic:     h[wire.HeaderTopic],
		Key:       key,
		Value:     value,
		Timestamp: time.Unix(0, at),
		Headers:   []kgo.RecordHeader{{Key: wire.HeaderReplayOf, Value: []byte(place)}},
	}
	if err := client.ProduceSync(ctx, again).FirstErr(); err != nil {
		return fmt.Errorf("send the dead letter of %s again: %w", place, err)
	}
	return nil
}
