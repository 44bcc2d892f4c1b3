package stitch

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"flyball/schema"
)

// Runs that are packed after each call go on as runs that are never packed: same runs, same closings, same counts.
func TestPackedRunForgets(t *testing.T) {
	plain, packed := newBench(t), newBench(t)
	var ends [2][]string
	packs := 0
	for j, b := range []*bench{plain, packed} {
		random := rand.New(rand.NewPCG(5, 6))
		b.p.SetRunAttachment(func() Attachment { return &mark{} })
		for i := range 4000 {
			n := random.IntN(60)
			opts := []option{actor(fmt.Sprint("c:", n%5)), cred(fmt.Sprint("k", n%7))}
			switch n % 4 {
			case 0:
				opts = append(opts, key(fmt.Sprint("r", n)), principal(fmt.Sprint("p", n%3)))
			case 1:
				opts = append(opts, trace(byte(n)))
			case 2:
				opts = append(opts, func(c *schema.Call) { c.ConversationID = fmt.Sprint("v", n) })
			}
			opts = append(opts, func(c *schema.Call) {
				c.AgentID, c.AgentName, c.TaskID, c.RequestID = fmt.Sprint("a", n%5), "name", fmt.Sprint("t", n), fmt.Sprint("q", i/2)
				c.Observer, c.BytesOut, c.TokensIn = fmt.Sprint("o", i%2), uint64(n), 7
				c.Resources = []schema.Resource{{Type: "order", ID: fmt.Sprint(n)}}
			})
			at := time.Duration(i) * 25 * time.Second
			if random.IntN(15) == 0 {
				at -= time.Duration(random.IntN(80)) * time.Minute
			}
			c := b.call(at, opts...)
			if r := b.run(c.RunID); r != nil && r.Calls == 1 && r.Attached == nil && r.frozen == "" {
				r.Attached = &mark{uint64(i)}
			}
			ends[j] = append(ends[j], fmt.Sprint(i, c.RunID, c.Segment, c.RunRule, c.Duplicate, c.Late))
			for _, r := range b.p.TakeClosed(nil) {
				m, _ := r.Attached.(*mark)
				ends[j] = append(ends[j], fmt.Sprint("closed ", r.RunID, r.Calls, m))
			}
			if j == 0 {
				continue
			}
			b.p.TakeChanged(nil)
			for _, a := range b.p.dirty {
				_, _, _ = b.p.EncodeChanges(a, 1)
			}
			b.p.Saved(len(b.p.dirty))
			b.p.Freeze(0)
			for _, a := range b.p.actors {
				for s := range a.runs.slots {
					if s.run == nil {
						packs++
					}
				}
			}
		}
	}
	if !reflect.DeepEqual(ends[0], ends[1]) {
		for i := range ends[0] {
			if i >= len(ends[1]) || ends[0][i] != ends[1][i] {
				t.Fatalf("packed runs end differently: %q, want %q", ends[1][min(i, len(ends[1])-1)], ends[0][i])
			}
		}
	}
	for key, a := range plain.p.actors {
		want, got := content(t, a), content(t, packed.p.actors[key])
		delete(want, "own")
		delete(got, "own")
		for id, run := range want {
			if len(got) != len(want) || got[id] != run {
				t.Fatalf("actor %s: run %s differs", key, id)
			}
		}
	}
	if packs < 10_000 {
		t.Fatalf("%d times packed: the test shows nothing", packs)
	}
	checkPools(t, packed)
}

// A field of a run that is added and not encoded would be lost when the run is packed. Fields that need not be encoded are named
// here: they follow from others, or a run in which they are set is not packed.
func TestPackedRunLosesAField(t *testing.T) {
	b := newBench(t)
	b.call(0, key("a"), principal("p"))
	r := b.run(b.call(time.Second, key("a"), principal("p")).RunID)
	r.OpenedDay = 5
	fill(reflect.ValueOf(&r.RunSnapshot).Elem())
	r.State, r.Rule, r.Actor, r.RunID, r.CallsPart = schema.RunOpen, schema.RunExplicit, "c:k1", r.slot.id, 0
	r.Version, r.DistinctRoutes, r.DistinctResources, r.OverflowKeys = 0, 0, 0, 0
	r.unstored, r.changed = false, false
	r.Emitted, r.lastEnd, r.closedAt = 3, 4, 5
	want := r.RunSnapshot
	b.p.freezer.freeze(r)
	if r.slot.run != nil {
		t.Fatal("the run is not packed")
	}
	got := r.slot.live()
	if !reflect.DeepEqual(got.RunSnapshot, want) || got.Emitted != 3 || got.lastEnd != 4 || got.closedAt != 5 {
		t.Errorf("got  %+v\nwant %+v", got.RunSnapshot, want)
	}
}

// fill sets each field to a value of its own.
func fill(v reflect.Value) {
	for i := range v.NumField() {
		switch f := v.Field(i); f.Kind() {
		case reflect.String:
			f.SetString(fmt.Sprint("s", i))
		case reflect.Uint8:
			f.SetUint(1)
		case reflect.Uint16, reflect.Uint32, reflect.Uint64:
			f.SetUint(uint64(i + 1))
		case reflect.Int32, reflect.Int64:
			f.SetInt(int64(i + 1))
		case reflect.Float64:
			f.SetFloat(float64(i) + .5)
		case reflect.Array:
			f.Index(0).SetUint(uint64(i))
		}
	}
}
