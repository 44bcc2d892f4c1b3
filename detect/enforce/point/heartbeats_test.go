package point

import (
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/wire"
)

func TestKindThatAPointDoesNotReadIsNotWritten(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	h := NewHeartbeats()
	beat := func(point string, reads int, at time.Time) {
		t.Helper()
		value, err := wire.EncodeDocument(wire.PointVersion, &schema.PointState{Point: point, Reads: reads})
		if err != nil {
			t.Fatal(err)
		}
		h.Add(&kgo.Record{Value: value, Timestamp: at})
	}
	if h.AllRead(schema.CommandProven, now) {
		t.Error("without a point there is nobody to read it")
	}
	beat("new", schema.CommandsFeature, now)
	if !h.AllRead(schema.CommandProven, now) {
		t.Error("the only point reads it")
	}
	beat("old", 0, now)
	if h.AllRead(schema.CommandProven, now) || !h.AllRead(schema.CommandTrip, now) {
		t.Error("an old point reads trips and nothing newer")
	}
	now = now.Add(pointTTL + time.Second)
	beat("new", schema.CommandsFeature, now)
	if !h.AllRead(schema.CommandProven, now) {
		t.Error("a point that has stopped is waited for")
	}
	h.Add(&kgo.Record{Value: []byte("{"), Timestamp: now})
}
