package ledger

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"testing"

	"flyball/detect/enforce"
	"flyball/detect/enforce/breaker"
	"flyball/schema"
)

func unzip(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// without removes members that the previous version did not write, and the holder of a breaker that
// a person opened on a held run, which is now kept.
func without(v any, names ...string) any {
	switch v := v.(type) {
	case map[string]any:
		if v["scope"] != nil && v["decision_id"] == nil {
			names = append(slices.Clone(names), "agent_id", "credential_id")
		}
		for _, n := range names {
			delete(v, n)
		}
		for _, x := range v {
			without(x, names...)
		}
	case []any:
		for _, x := range v {
			without(x, names...)
		}
	}
	return v
}

// The previous version wrote the state after each record of a log, and its snapshot in the middle:
// this version folds the log to the same state.
func TestLogOfTheVersionBeforeFoldsToTheSame(t *testing.T) {
	type record struct {
		At      int64           `json:"at"`
		Command *schema.Command `json:"command"`
		Result  enforce.Result  `json:"result"`
		Events  any             `json:"events,omitempty"`
	}
	var records []record
	for dec := json.NewDecoder(bytes.NewReader(unzip(t, "log_before_standings.jsonl.gz"))); dec.More(); {
		var r record
		if err := dec.Decode(&r); err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	var snap Snapshot
	if err := json.Unmarshal(unzip(t, "snapshot_before_standings.json.gz"), &snap); err != nil {
		t.Fatal(err)
	}
	budget := breaker.Budget{PerHour: 3, Percent: 10}
	restored, err := Restore(budget, &snap)
	if err != nil {
		t.Fatal(err)
	}
	whole := New(budget)
	for i, r := range records {
		for name, s := range map[string]*State{"whole": whole, "restored": restored} {
			if int64(i) <= s.Position.Offset {
				continue
			}
			events := s.Apply(int64(i), r.At, r.Command)
			var got any
			if b, err := json.Marshal(events); err != nil || json.Unmarshal(b, &got) != nil {
				t.Fatal(err)
			}
			have, want := fmt.Sprint(without(got, "held_since_ns", "standing")), fmt.Sprint(without(r.Events))
			if res, _ := s.Result(r.Command.ID); res != r.Result || have != want {
				t.Fatalf("%s, record %d, %s: %+v\n%s\nthe version before: %+v\n%s", name, i, r.Command.ID, res, have, r.Result, want)
			}
		}
	}
	if whole.Audit != restored.Audit {
		t.Error("the trails differ")
	}
}
