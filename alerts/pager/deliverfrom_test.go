package pager

import (
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"

	"flyball/schema/wire"
)

// A new receiver joined while the first events were written: the end of the topic, looked up after them, was taken for its beginning.
func TestEventWrittenWhileAReceiverJoinsIsNotPaged(t *testing.T) {
	at := func(offset int64) kadm.ListedOffsets {
		return kadm.ListedOffsets{wire.AlertsTopic: {0: {Topic: wire.AlertsTopic, Offset: offset}}}
	}
	for _, c := range []struct{ committed, end, recent, want int64 }{
		{-1, 0, 2, 0},  // two events came between both lookups
		{-1, 9, 9, 9},  // all events are old
		{-1, 9, 4, 4},  // five are recent
		{-1, 9, -1, 0}, // not known
		{3, 9, 9, 3},   // a receiver that goes on
		{12, 9, 9, 0},  // the topic was made again
	} {
		if got := deliverFrom(0, c.committed, at(c.end), at(c.recent)); got != c.want {
			t.Errorf("%+v: from %d", c, got)
		}
	}
}
