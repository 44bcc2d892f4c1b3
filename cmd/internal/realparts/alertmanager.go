package realparts

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"flyball/cmd/internal/tiers"
)

// Alertmanager is a running Prometheus Alertmanager from Debian.
type Alertmanager struct{ URL string }

// StartAlertmanager starts an Alertmanager that sends no notifications, and stops it with the test.
func StartAlertmanager(t testing.TB) *Alertmanager {
	t.Helper()
	return StartAlertmanagerWith(t, "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
}

// StartAlertmanagerWith starts an Alertmanager with a configuration, and stops it with the test.
func StartAlertmanagerWith(t testing.TB, configuration string) *Alertmanager {
	t.Helper()
	if err := need("prometheus-alertmanager"); err != nil {
		missing(t, "alertmanager", err)
	}
	tiers.Ran("alertmanager")
	dir := t.TempDir()
	config := filepath.Join(dir, "alertmanager.yml")
	if err := os.WriteFile(config, []byte(configuration), 0o600); err != nil {
		t.Fatal(err)
	}
	a := &Alertmanager{URL: fmt.Sprintf("http://127.0.0.1:%d", FreePort(t))}
	p := launch(t, filepath.Join(dir, "alertmanager.log"), "prometheus-alertmanager", "--config.file="+config, "--storage.path="+dir,
		"--web.listen-address="+a.URL[len("http://"):], "--cluster.listen-address=")
	t.Cleanup(func() { p.stop(syscall.SIGTERM) })
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if r, err := http.Get(a.URL + "/-/ready"); err == nil {
			r.Body.Close()
			if r.StatusCode == http.StatusOK {
				return a
			}
		}
	}
	t.Fatalf("Alertmanager is not ready at %s", a.URL)
	return nil
}
