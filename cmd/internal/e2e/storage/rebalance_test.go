package storage

import (
	"testing"

	"flyball/schema/wire"
)

// A second store joins under load and leaves; then the first is killed and a third takes over.
// Each row must be stored once.
func TestRebalanceInTheMiddle(t *testing.T) {
	c := migrated(t)
	_, kafka := broker(t)
	ws := []*writer{newWriter(0), newWriter(1)}
	sent := int64(0)
	send := func() {
		for _, w := range ws {
			produce(t, kafka, records(w, 3, 25)...)
			sent += 3
		}
	}
	send()
	first := start(t, quick(), kafka, &gate{Conn: c})
	until(t, "the first commits", func() bool { return committed(t, kafka, wire.StoreGroup) == sent })

	second := start(t, quick(), kafka, &gate{Conn: c})
	for rounds := 0; counter(t, second.reg, "flyball_store_batches_total", "") == 0; rounds++ {
		if rounds > 200 {
			t.Fatal("the second store is given nothing")
		}
		send()
		until(t, "both to commit", func() bool { return committed(t, kafka, wire.StoreGroup) == sent })
	}
	send()
	if err := second.end(); err != nil {
		t.Fatal(err)
	}
	send()
	until(t, "the first to go on", func() bool { return committed(t, kafka, wire.StoreGroup) == sent })
	if err := first.end(); err != nil {
		t.Fatal(err)
	}
	send()
	start(t, quick(), kafka, &gate{Conn: c})
	until(t, "the third to go on", func() bool { return committed(t, kafka, wire.StoreGroup) == sent })
	storedOnce(t, c, ws...)
}
