package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func load(t *testing.T, text string, environ ...string) (Config, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "flyball.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Load(path, environ)
}

func TestUnknownKeyNamesTheNearest(t *testing.T) {
	for text, want := range map[string]string{
		"tenat: x":              "unknown key tenat; did you mean tenant?",
		"kafka: {brokres: [a]}": "unknown key kafka.brokres; did you mean kafka.brokers?",
		"kafka: {inputs: [{topik: a, format: auto}]}": "unknown key kafka.inputs[0].topik; did you mean kafka.inputs[0].topic?",
		"clickhouse: {tls: {cert_file: x}}":           "unknown key clickhouse.tls.cert_file; did you mean clickhouse.tls.cert?",
	} {
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", text, err, want)
		}
	}
	if _, err := load(t, "", "FLYBALL_KAFKA_BROKER=a"); err == nil || !strings.Contains(err.Error(), "did you mean FLYBALL_KAFKA_BROKERS?") {
		t.Errorf("environment: %v", err)
	}
}

func TestEnvironmentWinsOverTheFile(t *testing.T) {
	c, err := load(t, "kafka: {listen: '127.0.0.1:1', brokers: ['file:1']}", "FLYBALL_KAFKA_BROKERS=a:1, b:2",
		"FLYBALL_DETECT_SESSION_GAP=3m", "FLYBALL_KAFKA_SYNC=true", "FLYBALL_TEST_ANYTHING=1", "PATH=/bin")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Kafka.Brokers) != 2 || c.Kafka.Brokers[1] != "b:2" || c.Detect.SessionGap.String() != "3m0s" ||
		!c.Kafka.Sync || c.Kafka.Listen != "127.0.0.1:1" {
		t.Fatalf("%+v", c)
	}
	if c.ClickHouse.Database != "flyball" {
		t.Fatal("a default was lost")
	}
}

func TestContradictionsNameBothKeys(t *testing.T) {
	for text, wants := range map[string][]string{
		"control: {listen: '127.0.0.1:7174'}":                             {"control.listen", "metrics.listen"},
		"kafka: {sync: true, brokers: ['k:9092']}":                        {"kafka.sync", "kafka.brokers"},
		"clickhouse: {cluster: c}":                                        {"clickhouse.cluster", "clickhouse.addr"},
		"check: {listen: '0.0.0.0:7172'}":                                 {"check.listen", "check.token_file"},
		"detect: {max_open_runs_per_actor: 10, max_open_runs: 5}":         {"detect.max_open_runs_per_actor", "detect.max_open_runs"},
		"kafka: {partitions: 0}":                                          {"kafka.partitions", "0"},
		"kafka: {inputs: [{topic: flyball.calls, format: auto}]}":         {"kafka.inputs[0].topic", "flyball.calls"},
		"kafka: {inputs: [{topic: a, format: xml}]}":                      {"kafka.inputs[0].format", "xml"},
		"secret_key_file: /nowhere/key":                                   {"secret_key_file"},
		"routes: [{template: /a, effect: explode}]":                       {"routes[0].effect", "explode"},
		"detect: {false_suspicions_per_1000: 60}":                         {"detect.false_suspicions_per_1000", "60"},
		"detect: {policy: [{family: borrowed_credential, action: deny}]}": {"detect.policy[0].action", "borrowed_credential"},
		"detect: {learned_scope: armed}":                                  {"detect.learned_scope", "armed"},
		"detect: {session_gap: 0s}":                                       {"detect.session_gap"},
		"clickhouse: {retention: {calls: 90d, runs: 60d}}":                {"clickhouse.retention", "calls 90d, runs 60d"},
		"clickhouse: {retention: {calls: 0}}":                             {"clickhouse.retention", "calls 0, runs 400d"},
		"clickhouse: {retention: {calls: 36501d, runs: 0}}":               {"clickhouse.retention", "36500"},
		"clickhouse: {retention: {calls: 29d}}":                           {"clickhouse.retention.calls", "learn.window"},
	} {
		c, err := load(t, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		err = c.Validate()
		for _, w := range wants {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Errorf("%s: %v does not name %s", text, err, w)
			}
		}
	}
}

func TestRetentionIsReadAsAnotherNumberOfDays(t *testing.T) {
	for text, want := range map[string]Retention{
		"":                       {Calls: 90, Runs: 400},
		"calls: 30d":             {Calls: 30, Runs: 400},
		"calls: 0, runs: 0":      {},
		"calls: 365d, runs: '0'": {Calls: 365},
	} {
		c, err := load(t, "clickhouse: {retention: {"+text+"}}")
		if err == nil {
			err = c.Validate()
		}
		if err != nil || c.ClickHouse.Retention != want {
			t.Errorf("%s: %+v, %v", text, c.ClickHouse.Retention, err)
		}
		if unset := c.ClickHouse.Unset; unset.Calls == strings.Contains(text, "calls") || unset.Runs == strings.Contains(text, "runs") {
			t.Errorf("%q: unset are %+v", text, unset)
		}
	}
	c, err := Load("", []string{"FLYBALL_CLICKHOUSE_RETENTION_RUNS=500d"})
	if err != nil || c.ClickHouse.Unset.Runs || !c.ClickHouse.Unset.Calls {
		t.Errorf("from the environment: unset are %+v, %v", c.ClickHouse.Unset, err)
	}
	for _, text := range []string{"90", "0d", "-1d", "1.5d", "90h", "d", "70000d", "soon"} {
		_, err := load(t, "clickhouse: {retention: {calls: '"+text+"'}}")
		if err == nil || !strings.Contains(err.Error(), "such as 90d, or 0 for ever") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestSingleRolesNeedWhatUpMakes(t *testing.T) {
	c := Default()
	if err := c.Validate("up"); err != nil {
		t.Fatal(err)
	}
	for role, want := range map[string]string{"ingest": "secret_key_file", "detect": "kafka.brokers", "store": "clickhouse.addr"} {
		if err := c.Validate(role); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v does not name %s", role, err, want)
		}
	}
}

func TestDumpReadsBackAndShowsNoSecret(t *testing.T) {
	c := Default()
	c.Control.Tokens = []Token{{Name: "ci", Role: "viewer", Value: "hunter2-hunter2"}}
	b, err := Dump(c)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), "hunter2") {
		t.Fatal("the dump shows a secret")
	}
	c.Control.Tokens = nil
	if b, err = Dump(c); err != nil {
		t.Fatal(err)
	}
	again, err := load(t, string(b))
	if err != nil {
		t.Fatal(err)
	}
	second, err := Dump(again)
	if err != nil || string(second) != string(b) {
		t.Fatalf("a dump does not read back as itself: %v\n%s\n%s", err, b, second)
	}
	// An empty list, as a dump writes it, was taken for a setting beside control.oidc.issuer.
	if err := again.Validate("up"); err != nil {
		t.Errorf("the dump of a good configuration is refused: %v", err)
	}
}
