package realparts

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"flyball/cmd/internal/tiers"
)

// StartRsyslog sends the lines of a file to a topic until the test ends.
func StartRsyslog(t testing.TB, file, broker, topic string) {
	t.Helper()
	if err := need("rsyslogd"); err != nil {
		missing(t, "rsyslog", err)
	}
	if m, _ := filepath.Glob("/usr/lib/*/rsyslog/omkafka.so"); len(m) == 0 {
		missing(t, "rsyslog", fmt.Errorf("the package rsyslog-kafka is not installed"))
	}
	tiers.Ran("rsyslog")
	dir := t.TempDir()
	spool := filepath.Join(dir, "spool")
	if err := os.Mkdir(spool, 0o700); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(dir, "rsyslog.conf")
	text := fmt.Sprintf(`global(workDirectory=%q maxMessageSize="64k")
module(load="imfile" mode="inotify")
module(load="omkafka")
template(name="raw" type="string" string="%%msg%%")
input(type="imfile" file=%q tag="gw" addMetadata="off" freshStartTail="off" ruleset="ship")
ruleset(name="ship") { action(type="omkafka" broker=[%q] topic=%q template="raw" confParam=["enable.idempotence=true","acks=all"] resubmitOnFailure="on" errorFile=%q) }
`, spool, file, broker, topic, filepath.Join(dir, "errors.log"))
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := launch(t, filepath.Join(dir, "rsyslog.log"), "rsyslogd", "-n", "-f", config, "-i", filepath.Join(dir, "pid"))
	t.Cleanup(func() { p.stop(syscall.SIGTERM) })
}
