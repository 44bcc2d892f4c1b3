package config

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"flyball/schema"
)

// An invalid word in the file was treated as empty where it was used.
func TestWordThatIsNoneIsNamedWithItsKey(t *testing.T) {
	for text, want := range map[string]string{
		"detect: {mode: arm}":                                             `detect.mode: "arm" is none of observe, armed`,
		"detect: {mode: ''}":                                              `detect.mode: "" is none of observe, armed`,
		"detect: {learned_scope: on}":                                     `detect.learned_scope: "on" is none of off, observe, enforce`,
		"control: {without_manifest: never}":                              `control.without_manifest: "never" is none of allow, ask, ask_while_learning`,
		"detect: {policy: [{action: block}]}":                             `detect.policy[0].action: "block" is none of`,
		"detect: {policy: [{level: alert}]}":                              `detect.policy[0].action: empty; one of`,
		"detect: {policy: [{level: annotate}]}":                           `detect.policy[0].level: "annotate" is none of alert, trip`,
		"detect: {policy: [{reversibility: no}]}":                         `detect.policy[0].reversibility: "no" is none of read_only`,
		"detect: {policy: [{criticality: urgent}]}":                       `detect.policy[0].criticality: "urgent" is none of low, normal, high`,
		"detect: {armed: ['tag:']}":                                       `detect.armed[0]: "tag:" is no pattern: it names nothing`,
		"routes: [{template: /a, effect: 7}]":                             `routes[0].effect: "7" is none of`,
		"routes: [{template: /a, reversibility: x}]":                      `routes[0].reversibility: "x" is none of`,
		"agents: [{id: a, criticality: x}]":                               `agents[0].criticality: "x" is none of low, normal, high`,
		"kafka: {inputs: [{topic: a, format: auto, signal: metrics}]}":    `kafka.inputs[0].signal: "metrics" is none of traces, logs`,
		"kafka: {inputs: [{topic: a, format: auto, trusted_hops: 33}]}":   `kafka.inputs[0].trusted_hops: 33 must be 0 to 32`,
		"control: {tokens: [{name: a, role: root, value_file: /x}]}":      `control.tokens[0].role: "root" is none of viewer, responder, admin, orchestrator`,
		"control: {tokens: [{name: a, role: viewer, expires: tomorrow}]}": `control.tokens[0].expires: "tomorrow" is no time as`,
		"alerts: {routes: [{min_level: none, receivers: [a]}]}":           `alerts.routes[0].min_level: "none" is none of alert, trip`,
	} {
		c, err := load(t, text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		} else if strings.Contains(err.Error(), "%!") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestAllFaultsAreReportedAtOnce(t *testing.T) {
	c, err := load(t, "detect: {mode: arm, policy: [{action: block, level: x}]}\nroutes: [{template: a, effect: x}]\nlearn: {every: 0s}")
	if err != nil {
		t.Fatal(err)
	}
	err = c.Validate()
	for _, key := range []string{"detect.mode", "detect.policy[0].action", "detect.policy[0].level", "learn.every", "routes[0].effect",
		"routes[0].template"} {
		if err == nil || !strings.Contains(err.Error(), key+":") {
			t.Errorf("%v does not name %s", err, key)
		}
	}
}

func TestWordsAreReadIntoTheirTypes(t *testing.T) {
	c, err := Load("testdata/every_key.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	rule := c.Detect.Policy[0]
	if rule.Level.Value != schema.LevelTrip || rule.Action.Value != schema.ActionGate || rule.Reversibility.Value != schema.Irreversible {
		t.Errorf("%+v", rule)
	}
	if r := c.Routes[0]; r.Effect.Value.String() != "create" || r.Reversibility.Value.String() != "compensable" {
		t.Errorf("%+v", r)
	}
	if got := c.Control.Tokens[0].Expires.Value.UTC().String(); got != "2027-01-31 00:00:00 +0000 UTC" {
		t.Error(got)
	}
	if got := c.Detect.PolicyExceptions()[0].ExpiresAt().String(); got != "2027-01-30 23:00:00 +0000 UTC" {
		t.Error(got)
	}
}

// No person has the rights of an orchestrator, so that a token of that role could act for nobody.
func TestTokenOfAnOrchestratorActsForPeople(t *testing.T) {
	c := Default()
	c.Control.Tokens = []Token{{Name: "a", Role: "orchestrator", Value: "/x", Delegate: true}}
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "control.tokens[0].delegate: true, and control.tokens[0].role is "+
		"orchestrator") {
		t.Error(err)
	}
}

// Every key with a single value can be set by an environment variable.
func TestEveryValueHasItsVariable(t *testing.T) {
	c := Default()
	settings := map[string]reflect.Value{}
	variables("FLYBALL", reflect.ValueOf(&c).Elem(), settings)
	var environ []string
	for name, v := range settings {
		value := map[reflect.Kind]string{reflect.Bool: "true", reflect.Int: "7", reflect.Float64: "7.5", reflect.Slice: "a,b",
			reflect.Int64: "7s", reflect.Uint16: "7d"}[v.Kind()]
		if value == "" {
			value = "seven"
		}
		if v.Type() == reflect.TypeFor[Space]() {
			value = "7MiB"
		}
		environ = append(environ, name+"="+value)
	}
	if len(environ) < 55 {
		t.Errorf("%d variables", len(environ))
	}
	set, err := Load("", environ)
	if err != nil {
		t.Fatal(err)
	}
	after := map[string]reflect.Value{}
	variables("FLYBALL", reflect.ValueOf(&set).Elem(), after)
	for name, v := range after {
		if reflect.DeepEqual(v.Interface(), settings[name].Interface()) {
			t.Errorf("%s was not set", name)
		}
	}
	if set.Detect.SessionGap.String() != "7s" || set.Kafka.Brokers[1] != "b" || set.Detect.FalseTripsPer1000 != 7.5 || !set.Kafka.Sync {
		t.Errorf("%+v", set)
	}
}

func TestVariableThatCannotBeReadIsNamedWithItsValue(t *testing.T) {
	for variable, want := range map[string]string{
		"FLYBALL_KAFKA_PARTITIONS=many": `environment: FLYBALL_KAFKA_PARTITIONS="many"`,
		"FLYBALL_DETECT_RUN_GAP=10":     `environment: FLYBALL_DETECT_RUN_GAP="10"`,
		"FLYBALL_KAFKA_SYNC=perhaps":    `environment: FLYBALL_KAFKA_SYNC="perhaps"`,
		"FLYBALL_DETECT_POLICY=x":       "environment: unknown FLYBALL_DETECT_POLICY",
		"FLYBALL_FILE=x":                "environment: unknown FLYBALL_FILE",
	} {
		if _, err := load(t, "", variable); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", variable, err)
		}
	}
	if _, err := load(t, "", "FLYBALL_TOKEN=x", "FLYBALL_TEST_X=1", "FLYBALL_ENGINE_DIR=/x"); err != nil {
		t.Errorf("a variable of tools and tests: %v", err)
	}
}

func TestFileThatIsNamedAndMissingIsAnError(t *testing.T) {
	t.Chdir(t.TempDir())
	if c, err := Load("", nil); err != nil || c.File != "" {
		t.Errorf("without a file: %q, %v", c.File, err)
	}
	if _, err := Load("nowhere.yaml", nil); err == nil || !strings.Contains(err.Error(), "nowhere.yaml") {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile("flyball.yaml", []byte("tenant: here"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Load("", nil); err != nil || c.Tenant != "here" || c.File != "flyball.yaml" {
		t.Errorf("%q of %q, %v", c.Tenant, c.File, err)
	}
}

func TestFilesThatKeysNameMustBeThere(t *testing.T) {
	missing := filepath.Join(t.TempDir(), "missing")
	for _, key := range []string{"secret_key_file", "kafka.sasl.password_file", "clickhouse.password_file", "check.token_file", "kafka.tls.ca",
		"kafka.tls.cert", "kafka.tls.key", "control.tls.ca", "control.tls.cert", "control.tls.key", "check.tls.ca", "check.tls.cert",
		"check.tls.key", "clickhouse.tls.ca"} {
		c, err := load(t, "", "FLYBALL_"+strings.ToUpper(strings.ReplaceAll(key, ".", "_"))+"="+missing)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), key+": open "+missing) {
			t.Errorf("%s: %v", key, err)
		}
	}
}
