package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flyball/schema/wire"
)

const damageCalls = 400

// storeAndLose stores calls, stops, and takes a file of each part of the calls and the definition of the touches from the engine. stored
// waits for what must have happened before. It returns how many touches were stored.
func (f *flyball) storeAndLose(stored func()) (touches string) {
	f.t.Helper()
	for i := range damageCalls {
		f.send(fmt.Sprintf(`{"start_time":%q,"method":"GET","path":"/v1/orders/%d","response_code":200,"x_agent_id":"fleet/a%d",`+
			`"x_agent_run_id":"r%d"}`, time.Now().Add(-time.Minute).UTC().Format(time.RFC3339Nano), i, i%5, i%20))
	}
	f.storedOnce(damageCalls, 60*time.Second)
	stored()
	touches, err := f.sql("SELECT count() FROM flyball.touches")
	if err != nil {
		f.t.Fatal(err)
	}
	paths, err := f.sql("SELECT path FROM system.parts WHERE database = 'flyball' AND table = 'calls_v5' AND active")
	if err != nil {
		f.t.Fatal(err)
	}
	f.stop()
	for _, p := range strings.Fields(paths) {
		for _, file := range []string{"checksums.txt", "columns.txt"} {
			if err := os.Remove(filepath.Join(p, file)); err != nil {
				f.t.Fatal(err)
			}
		}
	}
	if !removeFile(f.t, filepath.Join(f.dir, "data", "engine"), "touches_v5.sql") {
		f.t.Fatal("the definition of touches_v5 was not found")
	}
	return touches
}

// logSays reports as errors what the log of the process does not say.
func (f *flyball) logSays(wanted ...string) {
	f.t.Helper()
	log := f.tail(1 << 20)
	for _, want := range wanted {
		if !strings.Contains(log, want) {
			f.t.Errorf("the log does not say %q", want)
		}
	}
}

// A part that lost a file, and a table that lost its definition, left a database that was missing rows and said nothing. Both are named at
// the start, and what Kafka still holds is stored again.
func TestRealKafkaHoldsWhatALostPartAndALostTableHeld(t *testing.T) {
	f := install(t, realKafka(t).Addr(), "").start()
	count := func() (string, error) { return f.sql("SELECT count() FROM flyball.touches") }
	touches := f.storeAndLose(func() { f.until("touches stored", 30*time.Second, fmt.Sprint(damageCalls), count) })
	f.start()
	f.storedOnce(damageCalls, 60*time.Second)
	f.until("touches stored again", 60*time.Second, touches, count)
	f.logSays("table touches_v5 is missing", "of table calls_v5 cannot be read", "kafka_holds_all=true")
	if report := f.run([]int{0, 3}, "touched", "--agent", "fleet/a1", "-o", "json"); strings.Contains(report, "rows_lost") {
		t.Errorf("everything was read again, and the report says:\n%s", report)
	}
	f.damageIsRepairedOnce()
}

// The embedded broker deletes what every reader has read: then a report says that rows may be missing.
func TestLostPartAndLostTableAreNamed(t *testing.T) {
	f := install(t, "", "").start()
	f.storeAndLose(func() {
		f.until("the broker deleted what was read", 60*time.Second, "true", func() (string, error) {
			begins, err := f.begins(wire.JournalTopic)
			return fmt.Sprint(begins > 0), err
		})
	})
	f.start()
	f.logSays("table touches_v5 is missing", "of table calls_v5 cannot be read", "records_read_again=", "kafka_holds_all=false")
	for _, table := range []string{"calls_v5", "touches_v5"} {
		if report := f.run([]int{0, 3}, "touched", "--agent", "fleet/a1"); !strings.Contains(report, "rows of the table "+table+" were lost") {
			t.Errorf("the report does not say that rows of %s were lost:\n%s", table, report)
		}
	}
	f.damageIsRepairedOnce()
}

// damageIsRepairedOnce reports an error if the loss was not noted, or if the next start reads everything again.
func (f *flyball) damageIsRepairedOnce() {
	f.t.Helper()
	noted, err := f.sql("SELECT arrayStringConcat(arraySort(groupUniqArray(splitByChar('/', substring(name, 8))[1])), ' ') " +
		"FROM flyball.migrations WHERE startsWith(name, 'damage ')")
	if err != nil || noted != "calls_v5 touches_v5" {
		f.t.Errorf("noted: %q, %v", noted, err)
	}
	count := func() (string, error) { return f.sql("SELECT count() FROM flyball.calls") }
	before, err := count()
	if err != nil {
		f.t.Fatal(err)
	}
	f.stop()
	if err := os.Truncate(filepath.Join(f.dir, "flyball.log"), 0); err != nil {
		f.t.Fatal(err)
	}
	f.start()
	if log := f.tail(1 << 20); strings.Contains(log, "rows of ClickHouse were lost") {
		f.t.Errorf("the damage is repaired twice:\n%s", log)
	}
	f.until("the same calls", 30*time.Second, before, count)
}

// removeFile removes the files of a name below a folder, and reports whether there was one.
func removeFile(t *testing.T, dir, name string) (found bool) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Name() == name {
			found = true
			return os.Remove(path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
