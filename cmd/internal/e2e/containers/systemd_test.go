package containers

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"flyball/cmd/internal/tiers"
)

var units = []string{"flyball.service", "flyball@.service"}

func TestUnitRunsWithMoreRightsThanItNeeds(t *testing.T) {
	for _, unit := range units {
		text, err := os.ReadFile(filepath.Join(deploy, "systemd", unit))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{"User=flyball", "NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes", "PrivateDevices=yes",
			"CapabilityBoundingSet=", "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "SystemCallFilter=@system-service", "UMask=0077",
			"StateDirectoryMode=0700"} {
			if !strings.Contains(string(text), "\n"+line+"\n") {
				t.Errorf("%s: no line %s", unit, line)
			}
		}
	}
}

// What systemd says of the units: that it can read them, and how exposed they are (0 to 10).
func TestSystemdRefusesAUnit(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		tiers.Missing(t, "systemd", err)
	}
	tiers.Ran("systemd")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, unit := range units {
		text, err := os.ReadFile(filepath.Join(deploy, "systemd", unit))
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, strings.Replace(unit, "@.", "@store.", 1))
		// The program need not be installed where the test runs.
		if err := os.WriteFile(name, []byte(strings.ReplaceAll(string(text), "/usr/bin/flyball", self)), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{{"verify", "--man=no", name}, {"security", "--offline=true", "--threshold=15", name}} {
			if out, err := exec.Command("systemd-analyze", args...).CombinedOutput(); err != nil {
				t.Errorf("systemd-analyze %s: %v\n%s", strings.Join(args, " "), err, out)
			}
		}
	}
}

func TestPurgeDeletesTheData(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(deploy, "package", "postrm"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		command := strings.TrimSpace(line)
		if strings.HasPrefix(command, "echo ") {
			continue
		}
		if strings.Contains(command, "userdel") || strings.Contains(command, "rm ") && strings.Contains(command, "/var/lib") {
			t.Errorf("postrm runs %s", command)
		}
	}
}
