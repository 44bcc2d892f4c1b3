package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// exitOf runs a command that must end before it starts a part.
func exitOf(t *testing.T, args ...string) (int, string) {
	t.Helper()
	root := newRoot()
	root.SetArgs(args)
	root.SetOut(io.Discard)
	err := root.ExecuteContext(t.Context())
	var ee *exitError
	switch {
	case err == nil:
		return exitDone, ""
	case errors.As(err, &ee):
		return ee.code, err.Error()
	}
	return exitFailed, err.Error()
}

// With an empty token file, left by a failed deployment, all callers had access, and
// check-config reported no error.
func TestEmptyOrUnreadableSecretStopsTheStartAndCheckConfig(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	files := map[string]string{
		"empty": write("empty", ""), "a newline": write("newline", "\n"), "white space": write("blank", " \t\r\n\v "),
		"missing": filepath.Join(dir, "nosuch"), "a folder": dir,
	}
	keys := map[string]string{
		"check.token_file":                        "check: {listen: '0.0.0.0:7172', grpc: '0.0.0.0:7173', token_file: %q}",
		"control.tokens[0].value_file":            "control: {tokens: [{name: a, role: admin, value_file: %q}]}",
		"clickhouse.password_file":                "clickhouse: {user: u, password_file: %q}",
		"kafka.sasl.password_file":                "kafka: {sasl: {mechanism: PLAIN, user: u, password_file: %q}}",
		"secret_key_file":                         "secret_key_file: %q",
		"alerts.receivers[0].webhook.secret_file": "alerts: {receivers: [{name: r, webhook: {url: 'http://127.0.0.1:1/', secret_file: %q}}]}",
	}
	config := filepath.Join(dir, "flyball.yaml")
	for key, text := range keys {
		for what, file := range files {
			if err := os.WriteFile(config, fmt.Appendf(nil, text, file), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, command := range []string{"check-config", "up"} {
				code, said := exitOf(t, command, "--config", config, "--data", filepath.Join(dir, "data"))
				if code != exitUsage || !strings.Contains(said, key) || !strings.Contains(said, file) {
					t.Errorf("%s with %s %s: exit %d, %q", command, what, key, code, said)
				}
			}
		}
	}
}

func TestContradictingSecretsStopTheStartAndCheckConfig(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	long, same := write("long", "0123456789abcdef0123456789abcdef"), write("same", "0123456789abcdef0123456789abcdef\n")
	config := filepath.Join(dir, "flyball.yaml")
	for name, c := range map[string]struct{ text, want string }{
		"a check token of 15": {fmt.Sprintf("check: {token_file: %q}", write("short", "0123456789abcde")), "check.token_file"},
		"a control token of 19": {fmt.Sprintf("control: {tokens: [{name: a, role: admin, value_file: %q}]}", write("short2",
			"0123456789abcdef012")),
			"control.tokens[0].value_file"},
		"one token for two roles": {fmt.Sprintf("control: {tokens: [{name: a, role: viewer, value_file: %q}, {name: b, role: admin, "+
			"value_file: %q}]}", long, same),
			"control.tokens[0].value_file and control.tokens[1].value_file"},
		"a gateway with an operator's token": {fmt.Sprintf("check: {token_file: %q}\ncontrol: {tokens: [{name: b, role: admin, value_file: "+
			"%q}]}", long, same),
			"check.token_file and control.tokens[0].value_file"},
		"an engine that everybody reaches": {"clickhouse: {listen: '0.0.0.0:8123'}", "clickhouse.listen"},
		"a broker that everybody reaches":  {"kafka: {listen: '0.0.0.0:9092'}", "kafka.listen"},
		"an embedded broker with TLS":      {fmt.Sprintf("kafka: {tls: {ca: %q}}", long), "kafka.tls"},
		"a shipper with Flyball's name": {fmt.Sprintf("kafka: {sasl: {mechanism: PLAIN, user: flyball, password_file: %q}}", long),
			"kafka.sasl.user"},
		"a key that is no hexadecimal": {fmt.Sprintf("secret_key_file: %q", write("key", "no hexadecimal at all, no")),
			"secret_key_file"},
		"a certificate that is none": {fmt.Sprintf("control: {tls: {cert: %q, key: %q}}", long, long), "control.tls.cert"},
		"an authority that is none":  {fmt.Sprintf("kafka: {brokers: ['127.0.0.1:1'], tls: {ca: %q}}", long), "kafka.tls.ca"},
		"a webhook secret that is none": {fmt.Sprintf("alerts: {receivers: [{name: r, webhook: {url: 'http://127.0.0.1:1/', "+
			"secret_file: %q}}]}", write("hook", "!!")), "receiver r"},
		"an API description that is not there": {fmt.Sprintf("routes: [{openapi: %q}]", filepath.Join(dir, "nosuch")), "routes[0].openapi"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.WriteFile(config, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, command := range []string{"check-config", "up"} {
				if code, said := exitOf(t, command, "--config", config, "--data", filepath.Join(dir, "data")); code != exitUsage ||
					!strings.Contains(said, c.want) {
					t.Errorf("%s: exit %d, %q", command, code, said)
				}
			}
		})
	}
	if err := os.WriteFile(config, fmt.Appendf(nil, "check: {listen: '0.0.0.0:7172', token_file: %q}\ncontrol: {tokens: [{name: b, "+
		"role: admin, value_file: %q}]}",
		long, write("other", "another token of length")), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, said := exitOf(t, "check-config", "--config", config); code != exitDone {
		t.Errorf("a good configuration: exit %d, %q", code, said)
	}
}
