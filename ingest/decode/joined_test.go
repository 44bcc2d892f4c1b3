package decode

import (
	"bytes"
	"strings"
	"testing"
)

// A record of 7 MB with objects that are no calls made 40,000 dead letters.
func TestRecordOfManyBadItemsIsAsManyDeadLetters(t *testing.T) {
	p := newPipeline(t, Options{}, &seen{})
	for _, items := range []int{99, 100, 101, 15_000} {
		value := []byte(strings.Repeat("{}\n", items))
		calls, dead := p.Decode(&Record{Topic: "in", Value: value, Timestamp: 1}, nil)
		sum := 0
		for _, d := range dead {
			sum += max(d.Items, 1)
		}
		if len(calls) != 0 || len(dead) != min(items, maxRejected) || sum != items {
			t.Errorf("%d items: %d calls, %d dead letters for %d", items, len(calls), len(dead), sum)
		}
		if last := dead[len(dead)-1]; items > maxRejected && (bytes.Count(last.Value, []byte("{}\n")) != last.Items ||
			!strings.Contains(last.Detail, "further items of the record that cannot be read: ")) {
			t.Errorf("%d items: %q, %d bytes", items, last.Detail, len(last.Value))
		}
	}
	// Read again, the joined items are items again.
	_, dead := p.Decode(&Record{Topic: "in", Value: []byte(strings.Repeat("{}\n", 120)), Timestamp: 1}, nil)
	if _, again := p.Decode(&Record{Topic: "in", Value: dead[len(dead)-1].Value, Timestamp: 1}, nil); len(again) != 21 {
		t.Errorf("%d items are read of 21 that were joined", len(again))
	}
}
