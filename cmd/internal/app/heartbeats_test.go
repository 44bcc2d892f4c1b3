package app

import (
	"log/slog"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

func TestKindThatAPointDoesNotReadIsNotWritten(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	h := newHeartbeats(kafka.Config{}, slog.Default())
	h.now = func() time.Time { return now }
	beat := func(point string, reads int, at time.Time) {
		t.Helper()
		value, err := wire.EncodeDocument(wire.PointVersion, &schema.PointState{Point: point, Reads: reads})
		if err != nil {
			t.Fatal(err)
		}
		h.fold(&kgo.Record{Value: value, Timestamp: at})
	}
	if h.allRead(schema.CommandProven) {
		t.Error("without a point there is nobody to read it")
	}
	beat("new", schema.CommandsFeature, now)
	if !h.allRead(schema.CommandProven) {
		t.Error("the only point reads it")
	}
	beat("old", 0, now)
	if h.allRead(schema.CommandProven) || !h.allRead(schema.CommandTrip) {
		t.Error("an old point reads trips and nothing newer")
	}
	now = now.Add(pointGone + time.Second)
	beat("new", schema.CommandsFeature, now)
	if !h.allRead(schema.CommandProven) {
		t.Error("a point that has stopped is waited for")
	}
	h.fold(&kgo.Record{Value: []byte("{"), Timestamp: now})
}
