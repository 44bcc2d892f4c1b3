package engine

import (
	"context"
	"errors"
	"strings"
	"testing"

	"flyball/detect/curve"
	"flyball/detect/stitch"
	"flyball/schema/wire"
)

// What is stored of a partition, of the next version: an owner that reads it in part loses runs, or counts calls twice.
func TestNextVersionOfStoredStateIsRead(t *testing.T) {
	ctx := context.Background()
	f := newFloor(t)
	f.checkpoint.generation = 1
	f.applyAll(someRecords(60))
	if err := f.checkpoint.save(ctx, len(f.state.Dirty()), f.next); err != nil {
		t.Fatal(err)
	}
	newest := map[string]int{"d": stitch.StateVersion, "p": ProgressVersion, "c": curve.Version, "n": noteVersion}
	seen := map[string]bool{}
	for _, rec := range f.tape.records {
		kind, _, _ := strings.Cut(string(rec.Key), "/")
		if rec.Topic != wire.StateTopic || len(rec.Value) == 0 || newest[kind] == 0 || seen[kind] {
			continue
		}
		seen[kind] = true
		g := newFloor(t)
		if err := newRestored(g.cfg.Limits, g.state).add(rec.Key, rec.Value); err != nil {
			t.Errorf("%s as it was written: %v", rec.Key, err)
		}
		next := append([]byte(nil), rec.Value...)
		if kind == "n" {
			next = []byte(strings.Replace(string(next), `"v":1`, `"v":2`, 1))
		} else {
			next[1] = byte(newest[kind] + 1)
		}
		err := newRestored(g.cfg.Limits, g.state).add(rec.Key, next)
		if !errors.Is(err, wire.ErrNewerVersion) || !strings.Contains(err.Error(), "upgrade this binary") {
			t.Errorf("%s of the next version: %v", rec.Key, err)
		}
	}
	for kind := range newest {
		if !seen[kind] {
			t.Errorf("nothing under %s/ was stored", kind)
		}
	}
}
