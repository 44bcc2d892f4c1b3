package labelled

import (
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"

	"flyball/schema"
)

func folder(t *testing.T, set, lines string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, set), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, set, "calls.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z := gzip.NewWriter(f)
	defer z.Close()
	if _, err := z.Write([]byte(lines)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// What a set's making gives away never reaches the model: made-up times, the
// minute that all of web lies in, outcomes of a feed of what succeeded.
func TestWhatAMakingGivesAwayIsLeftOut(t *testing.T) {
	for set, want := range map[string]struct {
		timed    bool
		outcome  schema.Outcome
		distinct bool // in the gateway's view
	}{"web": {false, schema.OutcomeOK, true}, "wikiedits": {true, schema.OutcomeUnknown, false}, "cloudtrail": {true, schema.OutcomeOK,
		false}} {
		head := `{"dataset":"` + set + `","run_id":"r","agent_id":"a","caller_kind":"human","ts":1431857103000,"ts_synthetic":false,` +
			`"method":"GET","path":"/x","path_template":"/x","status":200,"args_digest":`
		dir := folder(t, set, head+`"1"}`+"\n"+head+`"2"}`+"\n")
		runs, err := callerSessions(filepath.Join(dir, set), true)
		if err != nil || len(runs) != 1 || len(runs[0].Calls) != 2 {
			t.Fatalf("%s: %v, %+v", set, err, runs)
		}
		a, b := &runs[0].Calls[0], &runs[0].Calls[1]
		if (a.Start != 0) != want.timed || a.Outcome != want.outcome || (a.ArgsDigest != b.ArgsDigest) != want.distinct || a.UserAgent != "" {
			t.Errorf("%s: start %d, outcome %v, digests %d and %d", set, a.Start, a.Outcome, a.ArgsDigest, b.ArgsDigest)
		}
	}
	made := folder(
		t,
		"agentdojo",
		`{"dataset":"agentdojo","run_id":"r","agent_id":"a","caller_kind":"agent","ts":1,"ts_synthetic":true,"method":"GET","path":"/x"}`+"\n",
	)
	if runs, err := callerSessions(filepath.Join(made, "agentdojo"), false); err != nil || runs[0].Calls[0].Start != 0 {
		t.Errorf("%v: a made-up time was taken", err)
	}
}

func TestSimulatedPeopleAreNeitherKind(t *testing.T) {
	line := func(kind string) string {
		return `{"dataset":"tau","run_id":"r","agent_id":"a","caller_kind":"` + kind + `","method":"GET","path":"/x"}` + "\n"
	}
	sessions, missing, err := SharedCredentialSessions(folder(t, "tau", line("agent")+line("human_simulated")), false)
	if err != nil || len(sessions) != 1 || sessions[0].Human || len(missing) != len(CallerSets)-1 {
		t.Fatalf("%v: %d sessions, missing %v", err, len(sessions), missing)
	}
}
