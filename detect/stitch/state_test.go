package stitch

import (
	"strings"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/wire"
)

// mark is the state of a later stage: one number.
type mark struct{ n uint64 }

func (m *mark) Code(c *wire.Coder) { c.Uint(&m.n) }

// The attached state of an actor is restored with it. An entry of the previous version has none,
// and one that cannot be read is an error and is not dropped.
func TestActorComesBackWithWhatWasAttachedToIt(t *testing.T) {
	b := newBench(t)
	b.call(time.Second, key("r"))
	actor := b.p.actors["c:k1"]
	actor.Attached = &mark{41}
	value := EncodeActor(nil, actor, 1)

	into := newBench(t).p
	into.SetActorAttachment(func() Attachment { return &mark{} })
	a, _, err := into.Restore(value)
	if err != nil || a.Attached == nil || a.Attached.(*mark).n != 41 || a.total != 1 {
		t.Errorf("%+v %v", a, err)
	}
	if _, _, err := newBench(t).p.Restore(value); err == nil || !strings.Contains(err.Error(), "an actor with the state of a stage") {
		t.Errorf("without that stage: %v", err)
	}
	w, generation := wire.NewWriter(nil, wire.KindState, 4), uint64(1)
	codeActor(w, actor, &generation, nil, nil)
	if a, _, err := into.Restore(w.Bytes()); err != nil || a.Attached != nil || a.total != 1 {
		t.Errorf("an entry of version 4: %+v %v", a, err)
	}
}

// The day on which a run was opened is part of the key of its row: if a restart lost it, or took that of the next call, the run
// would have two rows in two partitions.
func TestRestartMovesRunToAnotherDay(t *testing.T) {
	b := newBench(t)
	first := b.call(0, key("r"))
	into := newBench(t)
	into.offset, into.w = b.offset, b.w
	restored, _, err := into.p.Restore(EncodeActor(nil, b.p.actors["c:k1"], 1))
	if err != nil {
		t.Fatal(err)
	}
	into.p.Adopt(restored)
	next := into.call(13*time.Hour, key("r"))
	if schema.DayOf(next.Start) == schema.DayOf(first.Start) || next.RunID != first.RunID {
		t.Fatal("not a call of the next day of the same run: the test shows nothing")
	}
	if got := into.run(first.RunID).OpenedDay; got != schema.DayOf(first.Start) {
		t.Errorf("opened on day %d, want %d", got, schema.DayOf(first.Start))
	}
}
