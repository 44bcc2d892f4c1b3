package main

import (
	"os"
	"strings"
	"testing"
)

func TestHealthcheckPassesAProcessThatIsNotReady(t *testing.T) {
	for _, c := range []struct {
		name, readyz, stdout, stderr string
		code                         int
	}{
		{"ready", `[{"part":"store","ready":true,"warning":"slow"},{"part":"check","ready":true}]`, "ready: 2 parts\n", "", exitDone},
		{"one part waits", `[{"part":"store","ready":false,"reason":"ClickHouse is away"},{"part":"check","ready":true}]`,
			"not ready: store: ClickHouse is away\n", "flyball: not ready: store\n", exitFailed},
		{"no part has started", `[]`, "", "flyball is starting", exitFailed},
		{"an error", "500 broken", "", "HTTP 500", exitFailed},
		{"something else listens there", "<html>", "", "is flyball running, and with this configuration?", exitFailed},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFixture(t, "")
			f.api["GET /readyz"] = c.readyz
			code, stdout, stderr := f.run("healthcheck")
			if code != c.code || stdout != c.stdout || !strings.Contains(stderr, c.stderr) {
				t.Errorf("status %d, stdout %q, stderr %q", code, stdout, stderr)
			}
		})
	}
}

func TestHealthcheckPassesWhenNothingListens(t *testing.T) {
	f := newFixture(t, "")
	if err := os.WriteFile(f.config, []byte("metrics: {listen: '127.0.0.1:1'}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := f.run("healthcheck"); code != exitFailed || !strings.Contains(stderr, "is flyball running") {
		t.Errorf("status %d, stderr %q", code, stderr)
	}
}
