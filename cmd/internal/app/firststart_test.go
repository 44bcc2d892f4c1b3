package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"flyball/cmd/internal/config"
)

// The first start said nothing about where to write records, or that nothing is denied.
func TestFirstStartSaysTooMuchOrTooLittle(t *testing.T) {
	c := config.Default()
	lines := FirstStartLines(c)
	if len(lines) > 10 {
		t.Errorf("%d lines", len(lines))
	}
	for _, l := range lines {
		if n := utf8.RuneCountInString(l); n > 120 && !strings.HasPrefix(l, "  data ") {
			t.Errorf("%d columns: %s", n, l)
		}
	}
	wants := map[string][]string{
		"": {"It observes: nothing is denied", "127.0.0.1:9092", "gateway-logs (auto), otlp_spans, otlp_logs",
			"http://127.0.0.1:7172/check/envoy",
			"gRPC 127.0.0.1:7173", "calls 90 days, runs and findings 400 days", "flyball decode access.log", "flyball status", "flyball config"},
		"armed":  {"It is armed", "calls for ever", "k1:9093", "https://127.0.0.1:7172"},
		"listed": {"It observes, and enforces for billing/*"},
	}
	armed := config.Default()
	armed.Detect.Mode, armed.ClickHouse.Retention.Calls, armed.Kafka.Brokers, armed.Check.TLS.Cert = config.ModeArmed, 0,
		[]string{"k1:9093"}, "x"
	listed := config.Default()
	listed.Detect.Armed = []string{"billing/*"}
	for name, c := range map[string]config.Config{"": c, "armed": armed, "listed": listed} {
		text := strings.Join(FirstStartLines(c), "\n")
		for _, want := range wants[name] {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no %q in\n%s", name, want, text)
			}
		}
	}
}

func TestSecondStartIsTakenForTheFirst(t *testing.T) {
	c := config.Default()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "lost+found"), 0o700); err != nil { // a volume
		t.Fatal(err)
	}
	for data, want := range map[string]bool{filepath.Join(dir, "missing"): true, dir: true} {
		if c.Data = data; IsFirstStart(c) != want {
			t.Errorf("%s: %t", data, !want)
		}
	}
	c.Data = filepath.Join(dir, "missing")
	if _, err := ReadKeys(c, true); err != nil { // as a start does
		t.Fatal(err)
	}
	if IsFirstStart(c) {
		t.Error("there is a key")
	}
}
