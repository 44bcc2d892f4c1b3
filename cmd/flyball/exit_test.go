package main

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
)

func TestWrongUsageIsExitStatusTwoAndNamesTheRule(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string // text in the message
	}{
		{[]string{"nosuch"}, `"nosuch" is no command of flyball`},
		{[]string{"breakers", "lst"}, `"lst" is no command of flyball breakers; similar: list`},
		{[]string{"findings", "nosuch"}, `invalid argument "nosuch"`},
		{[]string{"runs", "--nosuch"}, "unknown flag: --nosuch: flyball runs --help lists them"},
		{[]string{"runs", "--sinc", "1h"}, "unknown flag: --sinc; similar: --since"},
		{[]string{"run"}, "accepts 1 arg(s), received 0: flyball run ID"},
		{[]string{"runs", "extra"}, "unknown command"},
		{[]string{"runs", "-o", "yaml"}, `-o: "yaml" is none of table, json`},
		{[]string{"touched", "r", "-o", "yaml"}, `-o: "yaml" is none of table, json, csv, html`},
		{[]string{"runs", "--limit", "many"}, `invalid argument "many" for "--limit" flag`},
		{[]string{"runs", "--since", "someday"}, `--since: "someday" is no time: want 15m, 7d or 2w`},
		{[]string{"runs", "--since", "-1h"}, `--since: "-1h" is negative`},
		{[]string{"runs", "--since", "2199-01-01"}, `--since: "2199-01-01" is in the future`},
		{[]string{"runs", "--since", "1h", "--until", "2h"}, `--since "1h" is not before --until "2h"`},
		{[]string{"runs", "--tz", "Mars/Base"}, `--tz: "Mars/Base" is no time zone`},
		{[]string{"runs", "--level", "big"}, `--level: "big" is none of none, annotate, alert, trip`},
		{[]string{"runs", "--watch", "--every", "1ms"}, "--every: 1ms is less than 500ms"},
		{[]string{"breakers", "list", "--state", "half"}, `--state: "half" is none of closed, open`},
		{[]string{"breakers", "gates", "--state", "half"}, `--state: "half" is none of`},
		{[]string{"status", "-o", "csv"}, `-o: "csv" is none of table, json, wide`},
		{[]string{"runs", "--until", "-"}, `--until: "-" is no time`},
		{[]string{"runs", "--state", "half"}, `--state: "half" is none of open, closed`},
		{[]string{"runs", "--min-level", "big"}, `--min-level: "big" is none of annotate, alert, trip`},
		{[]string{"runs", "--family", "retry"}, `--family: "retry" matches none of `},
		{[]string{"audit", "list", "--since", "-1h"}, `--since: "-1h" is negative`},
		{[]string{"audit", "list", "--since", "1h", "--until", "2h"}, `--since "1h" is not before --until "2h"`},
		{[]string{"stitching", "--by", "week"}, `--by: "week" is none of hour, day`},
		{[]string{"touched"}, "one of RUN, --agent"},
		{[]string{"touched", "r", "--agent", "a"}, "one of RUN, --agent"},
		{[]string{"breakers", "trip", "planet", "x", "--reason", "r"}, `KIND: "planet" is none of`},
		{[]string{"breakers", "trip", "run"}, "accepts 2 arg(s), received 1"},
		{[]string{"breakers", "trip", "run", "x", "--for", "15m"}, "--reason: empty"},
		{[]string{"breakers", "trip", "run", "x", "--reason", "r"}, "--for D or --until-reset"},
		{[]string{"breakers", "trip", "run", "x", "--reason", "r", "--for", "soon"}, `--for: "soon" is no duration of at least 1s`},
		{[]string{"breakers", "trip", "credential", "sk-live-0123456789abcdef0123456789abcdef", "--reason", "r", "--until-reset"},
			"TARGET: this looks like a secret"},
		{[]string{"breakers", "grant", "g"}, "--reason: empty"},
		{[]string{"arm", "bot"}, "--reason: empty"},
		{[]string{"arming", "clear"}, "accepts 1 arg(s), received 0"},
		{[]string{"bypass"}, "--for and --reason are both needed"},
		{[]string{"exceptions", "add", "--agent", "a"}, "--agent and --family are both needed"},
		{[]string{"exceptions", "add", "--agent", "a", "--family", "f", "--reason", "r", "--until", "2020-01-01T00:00:00Z"},
			`--until: "2020-01-01T00:00:00Z" is no time in the future`},
		{[]string{"findings", "verdict", "f", "maybe", "--reason", "w"}, `"maybe" is none of true, benign, test`},
		{[]string{"findings", "verdict", "f", "true"}, "--reason: empty"},
		{[]string{"findings", "verdict", "f", "true", "--reason", "a", "--why", "b"}, "--reason and --why are the same flag"},
		{[]string{"hold", "r"}, "--reason: empty"},
		{[]string{"alert", "ack", "f"}, "--reason: empty"},
		{[]string{"settings", "set", "--reason", "r"}, "one of them is needed"},
		{[]string{"settings", "set", "--agents-percent", "101", "--reason", "r"}, "--agents-percent: 101; 0 to 100"},
		{[]string{"settings", "set", "--trips-per-hour", "-1", "--reason", "r"}, "--trips-per-hour: -1 is negative"},
		{[]string{"task", "declare", "a", "r"}, "--for: empty"},
		{[]string{"manifest", "apply", "x.yaml"}, "--reason: empty"},
		{[]string{"manifest", "learn"}, "--agent: empty"},
		{[]string{"reach"}, "one of --agent, --credential and --run"},
		{[]string{"baselines", "freeze", "--reason", "r"}, "one of --agent and --all"},
		{[]string{"baselines", "freeze", "--all"}, "--reason: empty"},
		{[]string{"baselines", "reset", "--agent", "a"}, "--agent and --reason are both needed"},
		{[]string{"backtest", "--since", "1h", "--until", "2h"}, "is not before --until"},
		{[]string{"eval"}, "--train and --test, or --cv alone"},
		{[]string{"eval", "--cv", ".", "--view", "x"}, `--view: "x" is none of full, gateway, access`},
		{[]string{"decode"}, "name a file of records"},
		{[]string{"decode", "-", "--as", "nosuch"}, "nosuch"},
		{[]string{"replay", "--speed", "NaN", "x"}, `--speed: "NaN" is neither max nor a number above 0`},
		{[]string{"alert", "test", "nobody"}, `"nobody" is none of alerts.receivers`},
		{[]string{"credential-id"}, "add --stdin"},
		{[]string{"runs", "--log-level", "loud"}, `--log-level: "loud" is none of debug, info, warn, error`},
		{[]string{"version", "--log-format", "xml"}, `--log-format: "xml" is none of text, json`},
		{[]string{"learn", "--log-level", "loud"}, `--log-level: "loud" is none of debug, info, warn, error`},
		{[]string{"learn", "--log-format", "xml"}, `--log-format: "xml" is none of text, json`},
	} {
		f := newFixture(t, "")
		f.db = fakeDB{}
		code, out, errs := f.run(c.args...)
		if code != exitUsage || !strings.Contains(errs, c.want) || out != "" || len(f.got) > 0 {
			t.Errorf("%q: exit %d, said %q and %q, sent %q; want 2 and %q", c.args, code, out, errs, f.got, c.want)
		}
	}
}

func TestWhatDoesNotAnswerIsExitStatusOne(t *testing.T) {
	for _, args := range [][]string{{"runs"}, {"breakers", "list"}, {"findings", "show", "f_1"}, {"status"}, {"arm", "bot", "--reason", "r"}} {
		if code, out, errs := newFixture(t, `kafka: {brokers: ["127.0.0.1:1"]}`).run(args...); code != exitFailed || out != "" || !strings.HasPrefix(errs, "flyball: ") {
			t.Errorf("%q: exit %d, %q, %q", args, code, out, errs)
		}
	}
}

func TestConfigurationThatCannotBeReadIsExitStatusTwo(t *testing.T) {
	for _, args := range [][]string{{"runs"}, {"breakers", "list"}, {"arm", "bot", "--reason", "r"}, {"check-config"}, {"dump-config"}} {
		if code, _, errs := newFixture(t, "nosuch: 1\n").run(args...); code != exitUsage || !strings.Contains(errs, "nosuch") {
			t.Errorf("%q: exit %d, %q", args, code, errs)
		}
	}
}

// The first column of a listing is the argument of the next command. A line above it says which calls it is about.
func TestListingsBeginWithTheID(t *testing.T) {
	for name, head := range map[string]string{"runs": "RUN", "find": "RUN", "findings": "FINDING", "breakers": "SCOPE", "gates": "GATE",
		"tasks":     "TASK",
		"manifests": "AGENT", "exceptions": "ID", "exceptions-of-the-file": "EXCEPTION", "agents": "AGENT", "coverage": "AGENT",
		"arming":   "PATTERN",
		"settings": "SETTING", "start-here": "AGENT", "quotas": "AGENT", "audit": "SEQ", "receipts": "GENERATION", "dead-letters": "ID"} {
		l := listings()[name]
		f := newFixture(t, l.yaml)
		f.db, f.api = l.db, l.api
		_, out, _ := f.run(l.args...)
		if line, table, _ := strings.Cut(out, "\n"); strings.HasSuffix(line, ":") {
			out = table
		}
		if first, _, _ := strings.Cut(out, " "); first != head {
			t.Errorf("%s begins with %s, not with %s", name, first, head)
		}
	}
}

// Agents choose their names, and those of runs and resources: the output of all commands must
// be safe for a terminal.
func TestTerminalIsSafeFromWhatCommandsPrint(t *testing.T) {
	const hostile = "\x1b]0;x\x07\u202e\r\nline\t"
	quoted, _ := json.Marshal(hostile)
	text := strings.Trim(string(quoted), `"`)
	for name, l := range listings() {
		f := newFixture(t, l.yaml)
		f.api = map[string]string{}
		for path, body := range l.api {
			f.api[path] = strings.NewReplacer("billing/bot", text, "order:9", text, "nightly", text, "The same call", text, "policy.amount", text,
				`"ops"`, `"`+text+`"`, `"why":`, `"why":`).Replace(body)
			if strings.Contains(path, "manifests") {
				f.api[path] = body
			}
		}
		for _, a := range l.db {
			rows := [][]any{}
			for _, row := range a.rows {
				dirty := append([]any{}, row...)
				for i, v := range dirty {
					if s, is := v.(string); is && s != "" && s != "[]" && !strings.HasPrefix(s, "0190") && !strings.HasPrefix(s, "0000") {
						dirty[i] = s + hostile
					}
				}
				rows = append(rows, dirty)
			}
			f.db = append(f.db, fakeAnswer{in: a.in, columns: a.columns, rows: rows})
		}
		if f.db == nil {
			f.db = fakeDB{}
		}
		_, out, errs := f.run(l.args...)
		for _, r := range out + errs {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Errorf("%s prints %q: %q", name, r, out+errs)
				break
			}
		}
	}
}

func TestVersionIsPrintedByACommandAndByAFlag(t *testing.T) {
	f := newFixture(t, "")
	_, byCommand, _ := f.run("version")
	code, byFlag, _ := f.run("--version")
	if code != exitDone || byCommand != byFlag || !strings.HasPrefix(byFlag, "flyball ") {
		t.Errorf("exit %d, %q and %q", code, byCommand, byFlag)
	}
	var v versionLine
	if _, out, _ := f.run("version", "-o", "json"); json.Unmarshal([]byte(out), &v) != nil || v.Version == "" {
		t.Errorf("as JSON: %q", out)
	}
	var dump struct{ Kafka struct{ Partitions int } }
	if _, out, _ := f.run("dump-config", "-o", "json"); json.Unmarshal([]byte(out), &dump) != nil || dump.Kafka.Partitions != 8 {
		t.Errorf("the configuration as JSON: %.300s", out)
	}
}
