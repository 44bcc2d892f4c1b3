package main

import (
	"fmt"
	"strings"
	"testing"
)

// gatesJSON returns gates with these ids and run keys, of which the first two wait.
func gatesJSON(pairs ...string) string {
	var out []string
	for i := 0; i < len(pairs); i += 2 {
		state := "granted"
		if i < 4 {
			state = "pending"
		}
		out = append(out, fmt.Sprintf(`{"gate_id":%q,"run_key":%q,"state":%q,"agent_id":"bot","route":"POST /refunds","path":"/refunds/7"}`,
			pairs[i], pairs[i+1], state))
	}
	return "[" + strings.Join(out, ",") + "]"
}

const doneJSON = `{"outcome":"done","generation":12,"ref":"r","tenant":"default","points":[{"point":"p1","generation":12}]}`

// wantExit runs a command, and checks its exit status and what it prints to either stream.
func wantExit(t *testing.T, f *fixture, want int, text string, args ...string) {
	t.Helper()
	if code, out, errs := f.run(args...); code != want || !strings.Contains(out+errs, text) {
		t.Errorf("%q: exit %d, %q %q; want %d and %q", args, code, out, errs, want, text)
	}
}

func TestPrefixOrRunKeyIsNoId(t *testing.T) {
	f := newFixture(t, "")
	f.api = map[string]string{
		"GET /v1/grants":                    gatesJSON("g_abcdefgh", "nightly", "g_abcdxxxx", "other", "g_yyyyyyyy", "nightly"),
		"POST /v1/grants/g_abcdefgh/refuse": doneJSON, "POST /v1/grants/g_abcdxxxx/refuse": doneJSON,
		"GET /v1/runs": `[{"task_id":"t_123456","run_key":"k1","agent_id":"a"},{"task_id":"t_123499","run_key":"k2","agent_id":"b"},
{"task_id":"t_999999","run_key":"k2","agent_id":"c"}]`,
		"POST /v1/runs/t_123456/end": doneJSON,
		"GET /v1/exceptions":         `[{"id":"ex_123456"},{"id":"ex_123499"}]`, "POST /v1/exceptions/ex_123456/remove": doneJSON,
		"GET /v1/breakers": `[{"scope":{"kind":"credential","value":"k_abcdefgh"}},{"scope":{"kind":"credential","value":"k_abcdxxxx"}},
{"scope":{"kind":"agent","value":"k_abcdefgh9"}}]`,
		"POST /v1/breakers/reset": doneJSON,
	}
	wantExit(t, f, exitDone, "g_abcdefgh refused: POST /refunds/7", "breakers", "refuse", "g_abcde", "--reason", "r")
	wantExit(t, f, exitDone, "g_abcdefgh refused", "breakers", "refuse", "nightly", "--reason", "r") // the one that waits
	wantExit(t, f, exitUsage, `"g_abcd" names 2 of the gates`, "breakers", "refuse", "g_abcd", "--reason", "r")
	wantExit(t, f, exitFailed, "no gate has the id or key", "breakers", "refuse", "g_ab", "--reason", "r") // too short for a prefix
	wantExit(t, f, exitDone, "t_123456: the task of run k1", "task", "end", "t_12345")
	wantExit(t, f, exitDone, "t_123456: the task of run k1", "task", "end", "k1", "--reason", "done")
	wantExit(t, f, exitUsage, "run k2 of b", "task", "end", "k2")
	wantExit(t, f, exitFailed, "flyball task list lists them", "task", "end", "nosuch")
	wantExit(t, f, exitDone, "ex_123456: removed", "exceptions", "remove", "ex_12345", "--reason", "r")
	wantExit(t, f, exitUsage, "ex_123499", "exceptions", "remove", "ex_1234", "--reason", "r")
	wantExit(t, f, exitDone, "closed: credential k_abcdefgh", "breakers", "reset", "credential", "k_abcde", "--reason", "r")
	wantExit(t, f, exitUsage, "k_abcdxxxx", "breakers", "reset", "credential", "k_abcd", "--reason", "r")
	if last := f.got[len(f.got)-1]; !strings.Contains(last, `"value":"k_abcdefgh"`) {
		t.Errorf("the last change sent is %s", last)
	}
}

// A breaker that was opened by the key of a run was not closed by it: the point had met no call of the run.
func TestBreakerIsNotResetByTheKeyThatTrippedIt(t *testing.T) {
	f := newFixture(t, "")
	f.api = map[string]string{"GET /v1/breakers": "[]", "POST /v1/breakers/reset": "422 scope.value: this point has met no run of that key"}
	f.db = fakeDB{placed("FROM run_states WHERE run_key =", runA), {in: "FROM runs WHERE", rows: [][]any{storedRun(runA, "nightly", "a")}}}
	wantExit(t, f, exitFailed, "no run of that key", "breakers", "reset", "run", "nightly", "--reason", "r") // this point never agrees
	if len(f.got) != 2 || !strings.Contains(f.got[1], runA) {
		t.Errorf("the requests are %s", f.got)
	}
	f.db = nil
	wantExit(t, f, exitFailed, "no run of that key", "breakers", "reset", "run", "nightly", "--reason", "r")
}

func TestAmbiguousTargetIsAFailureAndNotWrongUsage(t *testing.T) {
	f := newFixture(t, "")
	f.api = map[string]string{"POST /v1/breakers/trip": "409 reason=ambiguous_target scope.value: 2 runs are meant"}
	wantExit(t, f, exitUsage, "2 runs are meant", "breakers", "trip", "run", "same", "--for", "1m", "--reason", "r")
	f.db = fakeDB{placed("FROM run_states", runA, runB),
		{in: "FROM runs WHERE", rows: [][]any{storedRun(runA, "nightly", "a"), storedRun(runB, "nightly", "b")}}}
	wantExit(t, f, exitUsage, `"nightly" names 2 runs`, "run", "nightly")
	wantExit(t, f, exitUsage, runB, "touched", "nightly")
	wantExit(t, f, exitUsage, runB, "findings", "--run", "nightly")
}

func TestFindingsCannotBeFiltered(t *testing.T) {
	f := newFixture(t, "")
	f.db = fakeDB{}
	for _, args := range [][]string{
		{"--level", "trip"}, {"--min-level", "alert"}, {"--agent", "billing/bot"}, {"--family", "runaway.*"}, {"--family", "scope"},
		{"--state", "open"}, {"--since", "1h"}, {"--until", "2026-11-20T10:00:00Z"}, {"--limit", "3"},
	} {
		wantExit(t, f, exitDone, "No finding fits", append([]string{"findings"}, args...)...)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--level", "big"}, `--level: "big" is none of annotate, alert, trip`},
		{[]string{"--family", "retry"}, `--family: "retry" matches none of `},
		{[]string{"--state", "half"}, `--state: "half" is none of open, closed`},
	} {
		wantExit(t, f, exitUsage, c.want, append([]string{"findings"}, c.args...)...)
	}
}

func TestClearOfNothingAnswersInWordsOfTheProtocol(t *testing.T) {
	f := newFixture(t, "")
	f.api = map[string]string{"POST /v1/routes/clear": "404 no_order_about_route"}
	wantExit(t, f, exitFailed, "no command is in force about it", "routes", "clear", "GET /items/{slug}", "--reason", "r")
}

func TestRunsOfAFamilyAreNotListed(t *testing.T) {
	f := newFixture(t, "")
	f.db = fakeDB{{in: "FROM runs WHERE", rows: [][]any{withBreaker(storedRun(runA, "nightly", "billing/bot"), "open")}},
		placed("(tenant, run_id) IN (SELECT tenant, run_id FROM findings WHERE", runA)}
	wantExit(t, f, exitDone, "nightly", "runs", "--family", "runaway.*")
	wantExit(t, f, exitDone, "No run fits", "runs") // the database answers the question about the family alone
}

func TestSeveralFindingsOfOneTermAreNotListed(t *testing.T) {
	f := newFixture(t, "")
	row := func(id string) []any {
		at := at("2026-11-20 10:00:00")
		return []any{id, runA, "bot", "scope", "alert", "open", at, at, 1.0, 0.0, uint32(0), uint64(0), uint64(0), "what", "[]", "", "", "", "",
			"", uint64(0), "default", at, ""}
	}
	f.db = fakeDB{{in: "SELECT finding_id", rows: [][]any{row("f_aaaaaa1"), row("f_aaaaaa2")}}}
	wantExit(t, f, exitUsage, "f_aaaaaa2", "findings", "show", "f_aaaaaa")
	wantExit(t, f, exitDone, "finding f_aaaaaa1\n", "findings", "show", "f_aaaaaa1") // the whole id of one
	f.db = fakeDB{}
	wantExit(t, f, exitFailed, "not found", "findings", "show", "f_nosuch")
}

// Every command that changes something through the control API.
func TestChangeDoesNotSayWhereUntilWhenAndHowToUndoIt(t *testing.T) {
	f := newFixture(t, "")
	f.api = map[string]string{
		"GET /v1/grants": gatesJSON("g_1", "k"), "GET /v1/runs": `[{"task_id":"t_1","run_key":"k","agent_id":"bot"}]`,
		"GET /v1/exceptions": `[{"id":"ex_1","agent":"bot","family":"scope","expires":"2099-01-01T00:00:00Z"}]`, "GET /v1/breakers": `[]`,
		"GET /v1/settings": `{"tenant":"default","trips_per_hour":5,"agents_percent":10}`,
	}
	changes := map[string][]string{
		"POST /v1/breakers/trip":    {"breakers", "trip", "agent", "bot", "--for", "1m"},
		"POST /v1/breakers/reset":   {"breakers", "reset", "agent", "bot"},
		"POST /v1/bypass":           {"bypass", "--for", "1m"},
		"POST /v1/bypass/end":       {"bypass", "end"},
		"POST /v1/arming/arm":       {"arm", "bot"},
		"POST /v1/arming/disarm":    {"disarm", "bot"},
		"POST /v1/exceptions":       {"exceptions", "add", "--agent", "bot", "--family", "scope", "--for", "1h"},
		"POST /v1/grants/g_1/grant": {"breakers", "grant", "g_1"}, "POST /v1/grants/g_1/refuse": {"breakers", "refuse", "g_1"},
		"POST /v1/exceptions/ex_1/remove": {"exceptions", "remove", "ex_1"},
		"POST /v1/runs":                   {"task", "declare", "bot", "k2", "--for", "1m"},
		"POST /v1/runs/t_1/end":           {"task", "end", "k"},
		"POST /v1/manifests/drop":         {"manifest", "drop", "bot"},
		"POST /v1/settings":               {"settings", "set", "--trips-per-hour", "3"},
		"POST /v1/baselines/freeze":       {"baselines", "freeze", "--agent", "bot"},
		"POST /v1/baselines/reset":        {"baselines", "reset", "--agent", "bot"},
	}
	const answer = `{"outcome":"done","generation":12,"ref":"r","tenant":"acme","met":["MET BEFORE"],"until":"2026-11-20T11:00:00Z",
"scope":{"kind":"agent","value":"bot"},"expires":"2026-11-20T11:00:00Z","configured":[{"point":"p1","generation":12}],"notes":[],
"points":[{"point":"p1","generation":12}]}`
	for path, args := range changes {
		f.api[path] = answer
		code, out, errs := f.run(append(args, "--reason", "r")...)
		for _, want := range []string{"tenant acme at ", "met: MET BEFORE", "holds ", ", at p1"} {
			if want == ", at p1" && strings.Contains(out, "at p1") {
				continue
			}
			if code != exitDone || !strings.Contains(out, want) {
				t.Errorf("%q does not say %q: exit %d, %q %q", args, want, code, out, errs)
			}
		}
		if !strings.Contains(out, "undo: ") && !strings.Contains(out, "end it: ") {
			t.Errorf("%q does not say how to undo it: %q", args, out)
		}
		_, out, _ = f.run(append(args, "--reason", "r", "-o", "json")...)
		for _, want := range []string{`"tenant": "acme"`, `"deployment": "tenant acme at `, `"MET BEFORE"`} {
			if !strings.Contains(out, want) {
				t.Errorf("%q -o json does not say %s: %q", args, want, out)
			}
		}
	}
}
