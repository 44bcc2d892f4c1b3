package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/alerts/incident"
	"flyball/cmd/internal/app"
	"flyball/cmd/internal/backup"
	"flyball/cmd/internal/canary"
	"flyball/cmd/internal/doctor"
	"flyball/cmd/internal/evidence"
	"flyball/cmd/internal/replay"
	"flyball/cmd/internal/report"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
	"flyball/schema/wire"
)

// printed is a result that a command needs real parts for, and how the command prints it for people.
type printed struct {
	value any
	print func(io.Writer) error
}

// results returns results of commands that read files, Kafka and processes; those commands themselves run in the tests of e2e.
func results() map[string]printed {
	now := query.Time{Time: at("2026-11-20 10:00:00")}
	all := map[string]printed{}
	add := func(name string, value any, print func(io.Writer) error) { all[name] = printed{value, print} }

	checks := doctor.Examine(&doctor.Facts{Now: now.Time,
		Kafka: doctor.Kafka{Address: "k:9092", Topics: []doctor.Topic{{Name: "flyball.calls", Want: 8, Have: 8},
			{Name: "flyball.journal", Missing: true, Want: 8}}, Clock: doctor.Clock{Of: "Kafka", Known: true, Ahead: time.Hour}},
		ClickHouse: doctor.ClickHouse{Address: "c:8123", Error: "connection refused"},
		Process:    doctor.Process{Address: "m:7174", Restart: []string{"detect.mode"}},
		Disk:       doctor.Disk{Dir: "/data", Free: 2 << 30, Total: 200 << 30, Kept: 1 << 30, GrowthPerDay: 1 << 30},
		Certs:      []doctor.Expiry{{Key: "check.tls.cert", At: now.AddDate(0, 0, -1)}},
		Files:      []doctor.File{{Key: "secret_key_file", Path: "/data/secret.key", Mode: 0o644}},
		Listeners:  []doctor.Listener{{Key: "check.listen", Address: ":7172"}}})
	add("doctor", checks, func(w io.Writer) error { return printDoctor(w, checks) })

	ms := func(v float64) *float64 { return &v }
	back := &canaryReport{Rounds: []canary.Round{{Round: "canary-1", At: "2026-11-20T10:00:00Z", Hops: []canary.Hop{
		{Hop: canary.HopAsked, Ms: ms(1.25)}, {Hop: canary.HopLogged, Ms: ms(12)}, {Hop: canary.HopTripped, Ms: ms(180)},
		{Hop: canary.HopDenied, Ms: ms(202)}, {Hop: canary.HopPaged, Ms: ms(910)}}}}}
	add("canary", back, func(w io.Writer) error { return printCanary(w, back) })
	lost := &canaryReport{Lost: 1, Rounds: []canary.Round{{Round: "canary-2", Lost: canary.HopPaged, Hops: []canary.Hop{
		{Hop: canary.HopAsked, Ms: ms(1.25)}, {Hop: canary.HopPaged, Why: "no page came within 30s: the role alert is not ready, " +
			"or alerts.listen of this machine cannot be reached from it"}}}}}
	add("canary-lost", lost, func(w io.Writer) error { return printCanary(w, lost) })
	both := &canaryReport{Lost: 1, Rounds: []canary.Round{back.Rounds[0], lost.Rounds[0]}}
	add("canary-rounds", both, func(w io.Writer) error { return printCanary(w, both) })

	sum := strings.Repeat("0123456789abcdef", 4)
	manifest := &evidence.Manifest{Format: "flyball evidence", Version: 1, Question: evidence.Question{Kind: "run", ID: runA, Run: runA},
		Tenant: "default", Program: "v1", Schema: 8, Missing: []string{"ingest_lag: ingest is 12 records behind in gateway-logs/0; " +
			"calls may be missing"}, Notes: []string{}, Files: []evidence.File{{Name: "run.json", Size: 1204, Records: 1, SHA256: sum},
			{Name: "calls.jsonl", Size: 40960, Records: 42, SHA256: sum}}, Content: sum, Made: evidence.Made{At: now.Time, By: "ana"}, Digest: sum}
	add("evidence", evidenceReport{"evidence-nightly.zip", manifest}, func(w io.Writer) error {
		return printEvidence(w, "evidence-nightly.zip", manifest)
	})
	whole := &evidence.Result{Manifest: manifest, Wrong: []string{}}
	add("evidence-verify", whole, func(w io.Writer) error { return printVerified(w, "evidence-nightly.zip", whole) })
	changedFile := &evidence.Result{Manifest: manifest, Wrong: []string{"calls.jsonl: its SHA-256 is not that of the manifest"}}
	add("evidence-changed", changedFile, func(w io.Writer) error { return printVerified(w, "evidence-nightly.zip", changedFile) })

	hold := &query.HeldRun{RunID: runA, Tenant: "default", HeldAt: now, By: "ana", Why: "asked for by the auditors", FirstAt: now, LastAt: now,
		Held: 42, Live: 42}
	add("hold", &holdReport{RunID: runA, Deployment: "this machine's", Hold: hold, Copied: true, Linked: []string{runB},
		Undo: "flyball hold release " + runA + " --reason '…'"}, nil)
	add("hold-not-copied", &holdReport{RunID: runA, Deployment: "this machine's", Undo: "flyball hold release " + runA + " --reason '…'"}, nil)
	for _, name := range []string{"hold", "hold-not-copied"} {
		all[name] = printed{all[name].value, all[name].value.(*holdReport).print}
	}

	day := query.Time{Time: now.AddDate(0, 0, 7)}
	purge := &purgeProof{Format: "flyball purge", Version: 1, Principal: "k_0123456789abcdef", Tenant: "default", Deployment: "d_1", By: "ana",
		Why: "asked for by the person", StartedAt: now, FinishedAt: now, Earlier: []earlierPurge{{now, "ana", "first time", "purged"}},
		Tables:  []clickhouse.PurgedTable{{Table: "calls", Rows: 42, Removed: 42}, {Table: "held_calls", Rows: 2, Left: 2, Kept: true}},
		Removed: 42, Left: 2, Holds: []query.HeldRun{*hold}, Expires: []expiringCopy{{Where: "topic flyball.calls", Until: &day, How: "at the " +
			"latest, by the retention that flyball migrate sets; on the embedded broker as soon as all readers have read it"}},
		Mentions: []clickhouse.Mention{{Where: "texts of findings", Table: "findings", Rows: 1, Columns: map[string]uint64{"summary": 1},
			Examples: []string{"f_1"}, ExampleOf: "finding", Why: "a text of the detector; it goes with the retention of findings"}},
		NotSearched: notSearched, Notes: []string{"a principal that is named in a new record is stored as a new one"}}
	add("purge", purge, func(w io.Writer) error { return purge.print(w, sum) })
	plan := *purge
	plan.Plan, plan.Principal = true, ""
	nobody := plan
	nobody.Tables, nobody.Holds, nobody.Mentions, nobody.Earlier = nil, nil, nil, nil
	add("purge-plan-of-nobody", &nobody, func(w io.Writer) error { return nobody.print(w, sum) })
	add("purge-plan", &plan, func(w io.Writer) error { return plan.print(w, sum) })

	header := backup.Header{Format: 1, Flyball: "v1", Created: now.Time, Deployment: "d_1", Tenant: "default", Running: true, Key: true,
		Broker: true, Engine: true, Versions: map[string]int{"tables": 8}}
	add("backup", backup.Result{Header: header, Files: 120, Bytes: 64 << 20, Packed: 20 << 20}, func(w io.Writer) error {
		return printBackupContents(w, header)
	})
	letter := newDeadLetter(&kgo.Record{Offset: 3, Value: []byte("2026-11-20 10:00:01 the server was started, " +
		"and goes on with a long line of " +
		"text that is no record of a call\n\ttoken=sk_live_4eC39HqLyjWDarjtT1zdp7dc"), Headers: []kgo.RecordHeader{
		{Key: wire.HeaderReason, Value: []byte("unknown_format")}, {Key: wire.HeaderDetail, Value: []byte("a line that no format's pattern " +
			"matches")}, {Key: wire.HeaderTopic, Value: []byte("gateway-logs")}, {Key: wire.HeaderPartition, Value: []byte("0")},
		{Key: wire.HeaderOffset, Value: []byte("17")}, {Key: wire.HeaderItem, Value: []byte("0")}}})
	letter.At = now
	add("dead-letter", letter, func(w io.Writer) error { return printDeadLetter(w, letter) })
	again := replay.DeadLetterResult{DeadLetters: 9, Sent: []string{"gateway-logs/0/17/0"}, Unreadable: map[string]int{"unknown_format": 2},
		Before: 3, FailedAgain: 1, Others: 1, Foreign: 1}
	add("dead-letters-replayed", again, func(w io.Writer) error { return printReplayed(w, again, false) })
	parts := []app.PartState{{Part: "ingest", Ready: true}, {Part: "store", Reason: "ClickHouse cannot be reached at c:8123"}}
	add("health", parts, func(w io.Writer) error { return printHealth(w, parts) })

	decisions := []alertDecision{{Receiver: "soc", At: now, Event: "finding opened", Finding: "f_1", Notified: true,
		Reason: incident.FindingOpened, Meaning: "it opens an incident", Incident: "f_1",
		Routes: []string{"1"}, Record: "0/12", Times: 1, LastAt: now},
		{Receiver: "night", At: now, Event: "finding updated", Finding: "f_1", Reason: incident.Silenced, Meaning: "a silence that is in " +
			"force matches the finding", Incident: "f_1", Routes: []string{"1", "2"}, Silence: "si_123456", Record: "0/13", Times: 4, LastAt: now}}
	add("alert-explain", decisions, func(w io.Writer) error { return report.Rows(w, decisions, decisionColumns) })
	profiles := []profileLine{{profile{Name: "production", Control: "https://flyball.example:7171", TokenFile: "/home/ana/.flyball/production",
		Tenant: "default"}, true}, {profile{Name: "staging", Control: "https://staging.flyball.example:7171"}, false}}
	add("profiles", profiles, func(w io.Writer) error { return report.Rows(w, profiles, profileColumns) })
	keys := []keyState{{ID: "d_0123456789", State: "present"}, {ID: "d_abcdef0123", State: "former", Until: "2026-12-20T10:00:00Z"}}
	add("keys", keys, func(w io.Writer) error { return report.Rows(w, keys, keyColumns) })
	trail := &auditReport{Entries: 12, Summary: "12 entries hold together, up to what the enforcement point p1 has"}
	add("audit-verify", trail, func(w io.Writer) error { return report.Printf(w, "%s\n", trail.Summary) })
	return all
}

// Results that need real parts are printed as people and programs read them: a change is visible in the golden files.
func TestPrintedResults(t *testing.T) {
	all := results()
	for _, width := range []int{0, 80, 120, 200} {
		var out bytes.Buffer
		for _, name := range slices.Sorted(maps.Keys(all)) {
			fmt.Fprintf(&out, "=== %s\n", name)
			if err := all[name].print(&report.Screen{Writer: &out, Width: width, Now: at("2026-11-20 10:10:00")}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			fmt.Fprintln(&out)
		}
		golden(t, fmt.Sprintf("screens/results-%d.txt", width), out.String())
	}
	for name, r := range all {
		var out bytes.Buffer
		if err := report.JSON(&out, r.value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		golden(t, "results/"+name+".json", out.String())
	}
}
