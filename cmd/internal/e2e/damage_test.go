package e2e

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// A part that lost a file, and a table that lost its definition, left a database that was missing rows and said nothing. Both are named at
// the start, and what Kafka still holds is stored again.
func TestLostPartAndLostTableAreNamedAndReadAgain(t *testing.T) {
	f := install(t, "", "").start()
	const n = 400
	for i := range n {
		f.send(fmt.Sprintf(`{"start_time":%q,"method":"GET","path":"/v1/orders/%d","response_code":200,"x_agent_id":"fleet/a%d","x_agent_run_id":"r%d"}`,
			time.Now().Add(-time.Minute).UTC().Format(time.RFC3339Nano), i, i%5, i%20))
	}
	f.storedOnce(n, 60*time.Second)
	touches, err := f.sql("SELECT count() FROM flyball.touches")
	if err != nil {
		t.Fatal(err)
	}
	paths, err := f.sql("SELECT path FROM system.parts WHERE database = 'flyball' AND table = 'calls_v5' AND active")
	if err != nil {
		t.Fatal(err)
	}
	f.stop()
	for _, p := range strings.Fields(paths) {
		if err := os.Remove(filepath.Join(p, "checksums.txt")); err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(filepath.Join(p, "columns.txt")); err != nil {
			t.Fatal(err)
		}
	}
	if !removeFile(t, filepath.Join(f.dir, "data", "engine"), "touches_v5.sql") {
		t.Fatal("the definition of touches_v5 was not found")
	}
	f.start()
	f.storedOnce(n, 60*time.Second)
	f.until("touches stored again", 30*time.Second, touches, func() (string, error) { return f.sql("SELECT count() FROM flyball.touches") })
	log := f.tail(1 << 20)
	for _, want := range []string{"table touches_v5 is missing", "of table calls_v5 cannot be read", "records_read_again="} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q", want)
		}
	}
	noted, err := f.sql("SELECT arrayStringConcat(arraySort(groupUniqArray(splitByChar('/', substring(name, 8))[1])), ' ') " +
		"FROM flyball.migrations WHERE startsWith(name, 'damage ')")
	if err != nil || noted != "calls_v5 touches_v5" {
		t.Errorf("noted: %q, %v", noted, err)
	}

	// It is repaired once: the next start does not read everything again.
	f.stop()
	if err := os.Truncate(filepath.Join(f.dir, "flyball.log"), 0); err != nil {
		t.Fatal(err)
	}
	f.start()
	if log := f.tail(1 << 20); strings.Contains(log, "rows of ClickHouse were lost") {
		t.Errorf("the damage is repaired twice:\n%s", log)
	}
	f.storedOnce(n, 30*time.Second)
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
