package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A person with two deployments gives commands to the wrong one, unless each command says which one it has
// reached. Here the person has no configuration file: only profiles, with a token for each.
func TestTwoDeploymentsOfOnePerson(t *testing.T) {
	home := t.TempDir()
	type deployment struct {
		f     *flyball
		url   string
		token string
		id    string
	}
	var both []*deployment
	for _, name := range []string{"staging", "production"} {
		f := install(t, "", "", "detect: {checkpoint_every: 2s}")
		token := strings.TrimSpace(f.run(nil, "token", "--hash-to", filepath.Join(f.dir, "ops.hash")))
		configure(t, f, fmt.Sprintf("control: {listen: \"127.0.0.1:%d\", tokens: [{name: ops, role: admin, value_file: ops.hash}]}\n"+
			"learn: {min_runs: 1000000}", f.ports["control"]))
		f.start()
		both = append(both, &deployment{f: f, url: fmt.Sprintf("http://127.0.0.1:%d", f.ports["control"]), token: token})
		if err := os.WriteFile(filepath.Join(home, name+".token"), []byte(token), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := func(args ...string) (code int, output string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), binary, args...)
		cmd.Dir, cmd.Env = home, append(os.Environ(), "XDG_CONFIG_HOME="+home, "FLYBALL_TOKEN=", "FLYBALL_PROFILE=")
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		err := cmd.Run()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			t.Fatal(err)
		}
		return cmd.ProcessState.ExitCode(), out.String()
	}
	for i, name := range []string{"staging", "production"} {
		args := []string{"profile", "add", name, "--control", both[i].url, "--token-file", name + ".token",
			"--clickhouse", fmt.Sprintf("127.0.0.1:%d", both[i].f.ports["clickhouse"])}
		if code, out := run(args...); code != 0 || strings.Contains(out, both[i].token) {
			t.Fatalf("%q: exit %d, %s", args, code, out)
		}
	}
	idForm := regexp.MustCompile(`deployment (d_[0-9a-f]{8}) at (\S+)`)
	for i, name := range []string{"staging", "production"} {
		code, out := run("arm", "bot-of-"+name, "--reason", "test", "--profile", name)
		found := idForm.FindStringSubmatch(out)
		if code != 0 || found == nil || found[2] != both[i].url || !strings.Contains(out, "tenant default") {
			t.Fatalf("%s: exit %d, %s", name, code, out)
		}
		both[i].id = found[1]
	}
	if both[0].id == both[1].id {
		t.Errorf("both deployments have the id %s", both[0].id)
	}
	if code, out := run("profile", "use", "production"); code != 0 {
		t.Fatalf("exit %d, %s", code, out)
	}
	code, out := run("arming")
	if code != 0 || !strings.Contains(out, "bot-of-production") || strings.Contains(out, "bot-of-staging") {
		t.Errorf("production's list: exit %d, %s", code, out)
	}
	if code, out := run("status"); code != 0 || !strings.Contains(out, "armed by command") {
		t.Errorf("status of another machine: exit %d, %s", code, out)
	}
	if code, out := run("runs"); code != 0 {
		t.Errorf("runs of production: exit %d, %s", code, out)
	}
	// The token of one deployment is none of the other, which says who refused it, and how to pass another.
	code, out = run("breakers", "list", "--control", both[1].url, "--token-file", "staging.token")
	for _, want := range []string{"401", both[1].id, both[1].url, "staging.token", "--token-file FILE", "FLYBALL_TOKEN"} {
		if code != 1 || !strings.Contains(out, want) {
			t.Errorf("exit %d, no %q: %s", code, want, out)
		}
	}
	if code, out := run("status", "--control", both[1].url); code != 3 || !strings.Contains(out, "enforcement") ||
		!strings.Contains(out, "no token was sent") {
		t.Errorf("status without a token: exit %d, %s", code, out)
	}
}
