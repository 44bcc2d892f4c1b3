package app

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"flyball/cmd/internal/config"
)

// A changed file that the next start refuses was read as if it were good, and stopped that start.
func TestChangedFileThatAStartRefusesIsNotUsed(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "flyball.yaml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("agents: [{id: a, consumer: c}]\n")
	c, err := config.Load(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Data = filepath.Join(dir, "data")
	r, state := newRegistry(c), &fileState{}
	for rest, want := range map[string]string{
		"routes: [{openapi: nosuch.yaml}]\n":                                "routes[0].openapi",
		"secret_key_file: nosuch\n":                                         "secret_key_file",
		"control: {tokens: [{name: a, role: admin, value_file: nosuch}]}\n": "control.tokens[0].value_file",
		"kafka: {brokers: [k]}\n":                                           "kafka.brokers[0]",
	} {
		text := "agents: [{id: b, consumer: c}]\n" + rest
		write(text)
		r.reread(c, state, slog.New(slog.DiscardHandler))
		if _, unusable := state.state(); !strings.Contains(unusable, want) || r.agent("a").ID != "a" || r.agent("b").ID != "" {
			t.Errorf("%s: %q, want %q; the registry has %+v", text, unusable, want, r.agent("b"))
		}
	}
	write("alerts:\n  receivers:\n  - name: a\n    webhook:\n      url: https://hooks.example/T0/secret\n     name: b\n")
	var log bytes.Buffer
	r.reread(c, state, slog.New(slog.NewTextHandler(&log, nil)))
	if _, unusable := state.state(); unusable == "" || strings.Contains(unusable+log.String(), "T0/secret") {
		t.Errorf("a mistake beside a secret: %q\n%s", unusable, log.String())
	}
	write("agents: [{id: b, consumer: c}]\n")
	r.reread(c, state, slog.New(slog.DiscardHandler))
	if changed, unusable := state.state(); unusable != "" || len(changed) > 0 || r.agent("b").ID != "b" || r.agent("a").ID != "" {
		t.Errorf("a good file: %q, %q", changed, unusable)
	}
}
