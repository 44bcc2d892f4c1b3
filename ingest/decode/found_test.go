package decode

import (
	"encoding/json"
	"fmt"
	"os"
	"testing"
)

// found is a record like one that somebody posted in a bug report or that a vendor documents, written anew with other names and values.
type found struct {
	Source string         // where the original is
	Record string         //
	Want   map[string]any // members of the call; null: absent
	Dead   Reason         // the record is no call, and says so
	Left   bool           // the record is no call, and is counted
}

func foundRecords(t testing.TB) (all []found) {
	t.Helper()
	b, err := os.ReadFile("testdata/found.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestPublicRecordsAreMisread(t *testing.T) {
	all := foundRecords(t)
	p := pipelineWithRules(t)
	for _, f := range all {
		before := p.Left()
		calls, dead := p.Decode(&Record{Topic: "in", Timestamp: kafkaTime, Value: []byte(f.Record)}, nil)
		switch {
		case f.Dead != "":
			if len(calls) != 0 || len(dead) != 1 || dead[0].Reason != f.Dead {
				t.Errorf("%s: %d calls, %v; want a dead letter: %s", f.Source, len(calls), reasons(dead), f.Dead)
			}
			continue
		case f.Left:
			if len(calls)+len(dead) != 0 || p.Left() == before {
				t.Errorf("%s: %d calls, %v; want it counted as no call", f.Source, len(calls), reasons(dead))
			}
			continue
		case len(calls) != 1 || len(dead) != 0:
			t.Errorf("%s: %d calls, %v", f.Source, len(calls), dead)
			continue
		}
		var got map[string]any
		text := AppendJSON(nil, &calls[0])
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		for k, want := range f.Want {
			if fmt.Sprint(got[k]) != fmt.Sprint(want) {
				t.Errorf("%s: %s is %v, want %v: %s", f.Source, k, got[k], want, text)
			}
		}
	}
}
