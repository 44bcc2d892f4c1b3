package containers

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"flyball/cmd/internal/realparts"
	"flyball/cmd/internal/tiers"
)

// prepare runs prepare.sh as README.md says, in a copy of the folders that it reads, and returns the folder that it made.
func prepare(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	copyForPreparing(t, dir)
	token := filepath.Join(dir, "flyball")
	script := "#!/bin/sh\n[ \"$1\" = token ] || exit 2\necho fly_example\necho 'keep in value_file: sha256:example' >&2\n"
	if err := os.WriteFile(token, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a second time nothing is made anew
		if out, err := runPrepare(dir, "../flyball"); err != nil {
			t.Fatalf("prepare.sh: %v\n%s", err, out)
		}
	}
	return filepath.Join(dir, "compose", "generated")
}

func copyForPreparing(t *testing.T, dir string) {
	t.Helper()
	for _, folder := range []string{"compose", "gateways", "grafana"} {
		if err := os.CopyFS(filepath.Join(dir, folder), os.DirFS(filepath.Join(deploy, folder))); err != nil {
			t.Fatal(err)
		}
	}
	_ = os.RemoveAll(filepath.Join(dir, "compose", "generated"))
}

func runPrepare(dir, flyball string) (string, error) {
	cmd := exec.Command("bash", "./prepare.sh")
	cmd.Dir, cmd.Env = filepath.Join(dir, "compose"), append(os.Environ(), "FLYBALL="+flyball)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// A binary that was not found ended the script with exit status 127 and no word.
func TestPreparingWithoutABinaryEndsSilently(t *testing.T) {
	dir := t.TempDir()
	copyForPreparing(t, dir)
	out, err := runPrepare(dir, "../no/flyball")
	if err == nil || !strings.Contains(out, "FLYBALL=../no/flyball makes no token") {
		t.Errorf("%v: %s", err, out)
	}
}

func TestPreparedFilesPointToTheMachineItself(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Fatal("openssl is needed")
	}
	dir := prepare(t)
	read := func(name string) string {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	check := strings.TrimSpace(read("check_token"))
	for name, wanted := range map[string][]string{
		"envoy.yaml": {"address: 0.0.0.0, port_value: 10000", "address: api, port_value: 8080", "address: flyball, port_value: 7173",
			"\n                initial_metadata: [{key: x-flyball-token, value: " + check + "}]\n"},
		"rsyslog.conf": {"kafka:9092", "/var/log/gateway/access.jsonl"},
		"datasources/flyball.yaml": {`addr: "clickhouse:8123"`, "user: reader", "https://flyball:7171", "\n  secureJsonData:\n",
			"\n    password: $__file{/run/secrets/clickhouse_reader}", "\n    controlToken: $__file{/run/secrets/grafana_token}",
			"\n    caCert: $__file{/run/secrets/authority_crt}"},
		"operator_hash":  {"sha256:example"},
		"operator_token": {"fly_example"},
	} {
		text := read(name)
		for _, w := range wanted {
			if !strings.Contains(text, w) {
				t.Errorf("%s: %q is not in it", name, w)
			}
		}
		if strings.Contains(text, "127.0.0.1, port_value") || strings.Contains(text, `"127.0.0.1:`) || strings.Contains(text, "type: STATIC") {
			t.Errorf("%s still has an address of the machine itself:\n%s", name, text)
		}
	}
	if i, err := os.Stat(dir); err != nil || i.Mode().Perm() != 0o700 {
		t.Errorf("generated: mode %v, %v", i.Mode(), err)
	}
	for _, private := range []string{"operator_token", "authority_key"} {
		if i, err := os.Stat(filepath.Join(dir, private)); err != nil || i.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", private, i, err)
		}
	}
	if out, err := exec.Command("openssl", "verify", "-CAfile", filepath.Join(dir, "authority_crt"), filepath.Join(dir, "control_crt")).
		CombinedOutput(); err != nil {
		t.Errorf("certificate: %v %s", err, out)
	}
	if strings.Contains(read("clickhouse-users.xml"), strings.TrimSpace(read("clickhouse_writer"))) {
		t.Error("clickhouse-users.xml has a password in clear text")
	}
	// Without it, reads pass unchecked: the check refuses to answer, which is an outage to Envoy.
	if n := strings.Count(read("envoy.yaml"), "\n                initial_metadata: [{key: x-flyball-token, value: "+check+"}]\n"); n != 2 {
		t.Errorf("envoy.yaml: %d of its two filters, for reads and for writes, show the token", n)
	}
	validateEnvoy(t, filepath.Join(dir, "envoy.yaml"))
}

// validateEnvoy lets Envoy read the file, where it is installed. Its log is in the folder of the test: Envoy opens it.
func validateEnvoy(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	file += ".here.yaml"
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "/var/log/gateway", t.TempDir())), 0o600); err != nil {
		t.Fatal(err)
	}
	bin, err := realparts.FetchEnvoy()
	if err != nil {
		tiers.Missing(t, "envoy", err)
	}
	if out, err := exec.Command(bin, "--mode", "validate", "--log-level", "error", "-c", file).CombinedOutput(); err != nil {
		t.Errorf("envoy: %v\n%s", err, out)
	}
}
