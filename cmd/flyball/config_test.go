package main

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"flyball/cmd/internal/config"
)

func TestKeyIsNotExplained(t *testing.T) {
	c := newClient(t)
	out := c.mustRun("config", "explain", "kafka.inputs[0].format")
	for _, want := range []string{"kafka.inputs[].format\n", "    form        name\n", `    default     ""`, "    refused     empty; no preset and no mapping\n",
		"    read again  restart: "} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	var keys []config.Key
	if err := json.Unmarshal([]byte(c.mustRun("config", "explain", "FLYBALL_CHECK_TOKEN_FILE", "-o", "json")), &keys); err != nil ||
		len(keys) != 1 ||
		keys[0].Key != "check.token_file" || keys[0].Again != config.AgainFile || keys[0].Environment != "FLYBALL_CHECK_TOKEN_FILE" {
		t.Errorf("%+v, %v", keys, err)
	}
	code, out, errs := c.run("config", "explain", "kafka.brokres")
	if code != exitUsage || out != "" || !strings.Contains(errs, "did you mean kafka.brokers?") {
		t.Errorf("exit %d, %q, %q", code, out, errs)
	}
	for _, line := range strings.Split(c.mustRun("config", "reference"), "\n") {
		if n := utf8.RuneCountInString(line); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	commented, bare := c.mustRun("dump-config"), c.mustRun("dump-config", "--no-comments")
	if !strings.HasPrefix(commented, "# Tenant that calls belong to") || strings.Contains(bare, "# ") || !strings.HasPrefix(bare,
		"tenant: default\n") {
		t.Errorf("%.200s\n%.200s", commented, bare)
	}
}
