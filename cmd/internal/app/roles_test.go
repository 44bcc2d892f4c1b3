package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"flyball/cmd/internal/config"
	"flyball/schema"
	"flyball/schema/kafka/kafkatest"
)

// deployment returns a configuration with a broker for the test; ClickHouse is not reachable.
func deployment(t *testing.T) config.Config {
	t.Helper()
	k := kafkatest.Start(t, kfake.SeedTopics(1, "gateway-logs", "otlp_spans", "otlp_logs"))
	return deploymentOn(t, k)
}

// deploymentOn returns a configuration with a broker of the caller.
func deploymentOn(t *testing.T, k *kfake.Cluster) config.Config {
	t.Helper()
	c := config.Default()
	c.Data = t.TempDir()
	c.SecretKeyFile = filepath.Join(c.Data, "key")
	if err := os.WriteFile(c.SecretKeyFile, []byte(strings.Repeat("5a", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	c.Kafka.Brokers, c.Kafka.Partitions = k.ListenAddrs(), 2
	c.ClickHouse.Addr = []string{"127.0.0.1:1"}
	for _, at := range []*string{&c.Control.Listen, &c.Check.Listen, &c.Check.GRPC, &c.Metrics.Listen} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		*at = l.Addr().String()
		defer l.Close() // closed together at the end, so that no port is used twice
	}
	secret := filepath.Join(c.Data, "hook")
	if err := os.WriteFile(secret, []byte("whsec_"+strings.Repeat("QUFB", 11)), 0o600); err != nil {
		t.Fatal(err)
	}
	receiver := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(receiver.Close)
	c.Alerts.Receivers = []config.Receiver{{Name: "soc", Webhook: &config.Webhook{URL: schema.Secret(receiver.URL), SecretFile: secret}}}
	return c
}

// readiness reads /readyz of a process.
func readiness(t *testing.T, c config.Config) (status int, parts []PartState) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	r, err := client.Get("http://" + c.Metrics.Listen + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	if err := json.NewDecoder(r.Body).Decode(&parts); err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, parts
}

// Each role starts without the others, becomes ready, and leaves no goroutine running (goleak
// checks this at the end).
func TestRoleStartsAloneAndStops(t *testing.T) {
	for role, want := range map[string][]string{
		"ingest": {"published versions", "ingest"},
		"detect": {"heartbeats of points", "detect"},
		"control": {"clickhouse", "published versions", "incidents", "control", "control.listen", "check.listen", "check.grpc",
			"orders about routes", "audit"},
		"alert": {"alert", "alert.points", "alert.soc"},
		"learn": {"clickhouse", "learn"},
	} {
		t.Run(role, func(t *testing.T) {
			c := deployment(t)
			if err := Validate(c, role); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ready, ended := make(chan struct{}), make(chan error, 1)
			go func() { ended <- Run(ctx, c, []string{role}, quiet(), func() { close(ready) }) }()
			select {
			case <-ready:
			case err := <-ended:
				t.Fatal(err)
			case <-time.After(time.Minute):
				t.Fatal("not ready")
			}
			status, parts := readiness(t, c)
			var got []string
			for _, p := range parts {
				got = append(got, p.Part)
			}
			want := slices.Concat([]string{"metrics", "start", "disk", "kafka"}, want, []string{"secret files"})
			if status != http.StatusOK || !slices.Equal(got, want) {
				t.Errorf("%d, parts %q, want %q", status, got, want)
			}
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// The store is not ready without ClickHouse; /readyz contains the reason, and the process can
// still be stopped.
func TestStoreIsNotReadyWithoutClickHouse(t *testing.T) {
	c := deployment(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, c, []string{"store"}, quiet(), nil) }()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if conn, err := net.Dial("tcp", c.Metrics.Listen); err == nil {
			conn.Close()
			status, parts := readiness(t, c)
			if slices.ContainsFunc(parts, func(p PartState) bool { return p.Part == "store" && !p.Ready && p.Reason != "" }) {
				if status != http.StatusServiceUnavailable {
					t.Errorf("status %d", status)
				}
				break
			}
		}
		if time.Now().After(end) {
			t.Fatal("/readyz does not say that store is not ready")
		}
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestAddressInUseIsNamedWithItsKey(t *testing.T) {
	c := deployment(t)
	l, err := net.Listen("tcp", c.Check.GRPC)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	err = Run(t.Context(), c, []string{"control"}, quiet(), nil)
	if err == nil || !strings.Contains(err.Error(), "check.grpc: ") || !strings.Contains(err.Error(), "choose another address") {
		t.Fatal(err)
	}
}

// Connections were closed while the parts that use them were still stopping.
func TestWhatPartsUseIsClosedAfterThem(t *testing.T) {
	p := &process{log: quiet(), parts: newGroup(quiet())}
	var order []string
	p.closers = append(p.closers, func() { order = append(order, "database") }, func() { order = append(order, "producer") })
	p.parts.start(part{name: "store", run: func(ctx context.Context) error {
		<-ctx.Done()
		order = append(order, "store")
		return nil
	}})
	p.stop()
	if want := []string{"store", "producer", "database"}; !slices.Equal(order, want) {
		t.Errorf("%q, want %q", order, want)
	}
}

func TestSecretsAreReadFromFilesThatHoldOne(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	if got, err := secretFile("k", write("good", " s3cret \n")); err != nil || got != "s3cret" {
		t.Errorf("%q, %v", got, err)
	}
	for path, want := range map[string]string{
		"":                           "check.token_file: empty; name the file",
		write("blank", " \n"):        "is empty; it must hold the secret",
		filepath.Join(dir, "absent"): "check.token_file: open ",
	} {
		if _, err := secretFile("check.token_file", path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", path, err)
		}
	}
	c := config.Default()
	for text, fine := range map[string]bool{strings.Repeat("5a", 16) + "\n": true,
		strings.Repeat("5a", 15): false, "not hexadecimal": false, "": false} {
		c.SecretKeyFile = write("key", text)
		if _, err := ReadSecretKey(c, true); fine != (err == nil) || err != nil && !strings.Contains(err.Error(), "secret_key_file") {
			t.Errorf("key %q: %v", text, err)
		}
	}
}

func TestKeyOfTheDeploymentIsMadeOnce(t *testing.T) {
	c := config.Default()
	c.Data = filepath.Join(t.TempDir(), "new", "data")
	if _, err := ReadSecretKey(c, false); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a role alone makes a key of its own: %v", err)
	}
	first, err := ReadSecretKey(c, true)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ReadSecretKey(c, true)
	if err != nil || string(again) != string(first) || len(first) != 32 {
		t.Errorf("%d bytes, then another key: %v", len(first), err)
	}
	info, err := os.Stat(filepath.Join(c.Data, "secret.key"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if got := fmt.Sprint(first); got != "<secret>" {
		t.Error(got)
	}
}
