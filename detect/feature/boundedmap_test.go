package feature

import (
	"math/rand/v2"
	"testing"

	"flyball/schema/wire"
)

// A map that is full drops its oldest entry and no other, as a slow reference does; also after it was stored and read, and
// with hashes that all begin their search at few slots.
func TestFullMapForgetsAnotherEntry(t *testing.T) {
	for name, spread := range map[string]uint64{"any hashes": 1, "hashes of few slots": 1 << 40} {
		random := rand.New(rand.NewPCG(1, spread))
		var m boundedMap
		var order []uint64 // the reference: hashes from the oldest to the newest
		values := map[uint64]uint64{}
		for i := range 60_000 {
			h := (random.Uint64N(1500) + 1) * spread
			if _, known := values[h]; !known {
				if len(order) == maxKeys {
					delete(values, order[0])
					order = order[1:]
				}
				order = append(order, h)
			}
			values[h]++
			if got := m.add(h, 1, maxKeys); got != values[h] {
				t.Fatalf("%s: entry %d has %d, want %d", name, i, got, values[h])
			}
			if other := (random.Uint64N(1500) + 1) * spread; i%7 == 0 {
				if got, known := m.get(other); got != values[other] || known != (values[other] > 0) {
					t.Fatalf("%s: entry %d: found %d %v, want %d", name, i, got, known, values[other])
				}
			}
			if i%997 == 0 {
				w := wire.NewWriter(nil, wire.KindState, 9)
				m.code(w, maxKeys)
				c, err := wire.NewReader(w.Bytes(), wire.KindState, 9)
				if err != nil {
					t.Fatal(err)
				}
				m = boundedMap{}
				if m.code(c, maxKeys); c.Err != nil {
					t.Fatal(c.Err)
				}
			}
		}
		if len(m.entries) != maxKeys || len(m.index.slots) > 4*maxKeys {
			t.Errorf("%s: %d entries, %d slots", name, len(m.entries), len(m.index.slots))
		}
	}
}
