package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// orderLine is a record of a gateway; i numbers it.
func orderLine(i int) string {
	return fmt.Sprintf(`{"start_time":%q,"method":%q,"path":"/v1/orders/%d","response_code":200,"request_id":"q-%d","x_consumer":"fleet/a%d",`+
		`"x_agent_run_id":"run-%d","authority":"orders.internal"}`, time.Now().Add(-time.Minute).UTC().Format(time.RFC3339Nano),
		[]string{"GET", "DELETE"}[i%2], i%50, i, i%10, i/20*10+i%10)
}

// killed starts a command, kills it with SIGKILL after a time, and reports whether it was still running then.
func (f *flyball) killed(after time.Duration, args ...string) bool {
	f.t.Helper()
	cmd := exec.Command(binary, append(args, "--config", f.config)...)
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	time.Sleep(after)
	err := cmd.Process.Kill()
	_ = cmd.Wait()
	return err == nil && !cmd.ProcessState.Exited()
}

// A backup that is taken while records arrive, and killed in the middle at times, is whole or not there. What is restored answers the
// same, holds the same breaker and continues: no record of before the backup is lost or stored twice.
func TestBackupIsTornByTrafficOrKills(t *testing.T) {
	f := install(t, "", "").start()
	const first = 600
	var lines []string
	for i := range first {
		lines = append(lines, orderLine(i))
	}
	f.send(lines...)
	f.storedOnce(first, time.Minute)
	f.run(nil, "breakers", "trip", "agent", "fleet/a3", "--for", "24h", "--reason", "restored?")
	questions := [][]string{{"runs", "--limit", "10000"}, {"agents"}, {"routes"}, {"touched", "--agent", "fleet/a3"}, {"find", "q-17"}}
	var before []string
	for _, q := range questions {
		before = append(before, f.run([]int{3}, append(q, "-o", "json")...))
	}
	quiet := filepath.Join(f.dir, "quiet.tar.zst")
	f.run(nil, "backup", "--out", quiet)

	// Traffic runs on while backups are taken and killed.
	stop, sent, client := make(chan struct{}), make(chan int, 1), f.kafka()
	go func() {
		n := first
		defer func() { sent <- n }()
		for {
			select {
			case <-stop:
				return
			default:
			}
			r := &kgo.Record{Key: []byte("k"), Value: []byte(orderLine(n))}
			if err := client.ProduceSync(context.Background(), r).FirstErr(); err != nil {
				t.Errorf("record %d: %v", n, err)
				return
			}
			n++
			time.Sleep(time.Millisecond)
		}
	}()
	interrupted, busy := 0, filepath.Join(f.dir, "busy.tar.zst")
	for range 8 {
		if f.killed(time.Duration(rand.IntN(400))*time.Millisecond, "backup", "--out", busy) {
			interrupted++
		}
		if _, err := os.Stat(busy); err != nil {
			continue
		}
		f.run(nil, "backup", "verify", busy) // it was finished before the signal
		if err := os.Remove(busy); err != nil {
			t.Fatal(err)
		}
	}
	f.run(nil, "backup", "--out", busy)
	close(stop)
	n := <-sent
	f.storedOnce(n, time.Minute)
	f.until("what was made for killed backups is removed", 10*time.Second, "0", func() (string, error) {
		left, err := filepath.Glob(filepath.Join(f.dir, "data", "backup", "*"))
		frozen, _ := filepath.Glob(filepath.Join(f.dir, "data", "engine", "shadow", "flyball_backup_*"))
		return fmt.Sprint(len(left) + len(frozen)), err
	})
	if info, err := os.Stat(busy); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v: the archive holds the key", info, err)
	}
	f.kill9()
	t.Logf("%d of 8 backups were killed while they ran", interrupted)

	t.Run("same answers", func(t *testing.T) {
		g := restored(t, f, quiet)
		for i, q := range questions {
			if got := g.run([]int{3}, append(q, "-o", "json")...); withoutTimes(got) != withoutTimes(before[i]) {
				t.Errorf("%s: %.2000s\nbefore: %.2000s", q[0], got, before[i])
			}
		}
		if got := g.run(nil, "breakers", "list", "-o", "json"); !strings.Contains(got, `"forced_open"`) || !strings.Contains(got, "fleet/a3") {
			t.Errorf("breakers: %s", got)
		}
		g.run(nil, "audit", "verify")
		for i := range 100 {
			g.send(orderLine(first + i))
		}
		g.storedOnce(first+100, time.Minute)
	})
	t.Run("under traffic", func(t *testing.T) {
		g := restored(t, f, busy)
		var stored string
		g.until("every record of the log is stored, once", time.Minute, "true", func() (string, error) {
			got, err := g.sql("SELECT count(), uniqExact(request_id), uniqExact(source_topic, source_partition, source_offset, item) " +
				"FROM flyball.calls")
			parts := strings.Fields(got)
			if err != nil || len(parts) != 3 || parts[0] != parts[1] || parts[0] != parts[2] {
				return got, err
			}
			if lag := g.run([]int{3}, "status", "-o", "json"); strings.Contains(strings.ReplaceAll(lag, " ", ""), `"records":0`) {
				stored = parts[0]
			}
			return fmt.Sprint(stored != ""), nil
		})
		t.Logf("%s of %d records were in the backup", stored, n)
		for i := range n { // a shipper that sends everything again: identity is the position, so these are new calls
			if i%10 == 0 {
				g.send(orderLine(n + i))
			}
		}
	})
}

// restored installs a deployment from a backup, with restores that are killed first, and starts it.
func restored(t *testing.T, from *flyball, file string) *flyball {
	t.Helper()
	g := install(t, "", "")
	data := filepath.Join(g.dir, "data")
	for range 4 {
		g.killed(time.Duration(rand.IntN(250))*time.Millisecond, "restore", file)
		if _, err := os.Stat(filepath.Join(data, "RESTORE-NOT-FINISHED")); err == nil {
			if out := g.run([]int{1, 2}, "up"); !strings.Contains(out, "is not a whole deployment") {
				t.Fatalf("half a restore: %s", out)
			}
		} else if _, err := os.Stat(filepath.Join(data, "broker")); err == nil {
			break // it was finished
		}
	}
	if _, err := os.Stat(filepath.Join(data, "broker")); err != nil || exists(filepath.Join(data, "RESTORE-NOT-FINISHED")) {
		t.Log(strings.TrimSpace(g.run(nil, "restore", file)))
	}
	if out := g.run([]int{1}, "restore", file); !strings.Contains(out, "not empty") {
		t.Errorf("a deployment was replaced unasked: %s", out)
	}
	return g.start()
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// withoutTimes removes lines that say when a report was made.
func withoutTimes(report string) string {
	var out []string
	for line := range strings.Lines(report) {
		if !strings.Contains(line, `"as_of"`) && !strings.Contains(line, `"until"`) && !strings.Contains(line, `"since"`) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}
