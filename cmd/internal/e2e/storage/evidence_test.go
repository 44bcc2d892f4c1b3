package storage

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"flyball/cmd/internal/evidence"
	"flyball/detect/stitch"
	"flyball/schema/clickhouse/query"
)

// liveHeap returns the bytes of the heap that are in use.
func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// The memory for the archive of a run does not grow with its calls, neither to write nor to verify it. FLYBALL_TEST_CALLS=1000000 measures
// a long one.
func TestEvidenceOfALongRunIsHeldInMemory(t *testing.T) {
	calls := 20_000
	if n, err := strconv.Atoi(os.Getenv("FLYBALL_TEST_CALLS")); err == nil {
		calls = n
	}
	c := migrated(t)
	p := stitch.NewPartition(0, stitch.DefaultLimits())
	at := time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)
	const chunk = 5000
	for from := 0; from < calls; from += chunk {
		list := heldCalls("kim@corp.test", "bot", at, from, min(chunk, calls-from))
		for i := range list { // within one day
			list[i].Start = at.UnixNano() + int64(from+i)*int64(20*time.Hour)/int64(calls)
		}
		insertStitched(t, c, p, list)
	}
	ctx := query.WithBounds(t.Context(), query.Bounds{Memory: query.DefaultBounds.Memory, Block: 1024})
	run, err := query.ResolveRun(ctx, c, "bot")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "evidence.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := evidence.NewWriter(f, path)
	if err != nil {
		t.Fatal(err)
	}
	before, most, began := liveHeap(), uint64(0), time.Now()
	lines := func(each func(func(any) error) error) func(io.Writer) (int64, error) {
		return func(w io.Writer) (n int64, err error) {
			e := json.NewEncoder(w)
			return n, each(func(v any) error {
				if n++; n%int64(max(calls/8, 1)) == 0 {
					if now := liveHeap(); now > before {
						most = max(most, now-before)
					}
				}
				return e.Encode(v)
			})
		}
	}
	for name, each := range map[string]func(func(any) error) error{
		"calls.jsonl": func(take func(any) error) error {
			return query.EachCall(ctx, c, &run, func(m map[string]any) error { return take(m) })
		},
		"touched_resources.jsonl": func(take func(any) error) error {
			head, err := query.EachTouched(ctx, c, &run, func(r *query.TouchedResource) error { return take(r) })
			if err == nil && (head.Calls != uint64(calls) || len(head.Resources) != 0) {
				t.Errorf("%d calls, and %d resources are held", head.Calls, len(head.Resources))
			}
			return err
		},
	} {
		if err := w.Add(name, lines(each)); err != nil {
			t.Fatal(err)
		}
	}
	m, err := w.Close(evidence.Manifest{Question: evidence.Question{Kind: "run", ID: run.RunID, Run: run.RunID}, Tenant: "default",
		Complete: true})
	if err != nil {
		t.Fatal(err)
	}
	wrote := time.Since(began)
	began = time.Now()
	r, err := evidence.Verify(path)
	if err != nil || len(r.Wrong) != 0 {
		t.Fatalf("%v, %+v", err, r)
	}
	verified := time.Since(began)
	for _, file := range m.Files {
		if file.Records != int64(calls) {
			t.Errorf("%s has %d records of %d calls", file.Name, file.Records, calls)
		}
	}
	if most > 24<<20 {
		t.Errorf("%d MiB are in use while the archive of %d calls is written", most>>20, calls)
	}
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d calls: %d MiB of the heap at most, %d MiB resident at most (with the test), archive %d MiB, written in %s, verified in %s",
		calls, most>>20, usage.Maxrss>>10, info.Size()>>20, wrote.Round(time.Millisecond), verified.Round(time.Millisecond))
}
