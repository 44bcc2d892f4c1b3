package config

import (
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// An empty file, or one in which everything is a comment, lost every default.
func TestFileWithoutValuesKeepsEveryDefault(t *testing.T) {
	want, err := Dump(Default())
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "\n", "# only a comment\n", "---\n", "---\n# a comment\n", "{}", "~", "kafka:\n",
		"kafka:\n  # brokers: []\n",
		"kafka:\n  inputs:\n", "detect: ~\nlearn: null\n", "control:\n  trip_budget:\n  listen:\n", "data:\ntenant:\n", "agents:\n",
		"detect:\n  run_gap:\n", "kafka: {}\n"} {
		c, err := load(t, text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if got, err := Dump(c); err != nil || string(got) != string(want) {
			t.Errorf("%q: %v\n%s", text, err, got)
		}
		if err := c.Validate("up"); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Errors of the YAML library named Go types instead of keys.
func TestValueInAWrongFormNamesItsKeyAndHowToWriteIt(t *testing.T) {
	for text, want := range map[string]string{
		"kafka: {brokers: [kafka1:9093], sasl: {mechanism: PLAIN}}": `kafka.brokers[0]: kafka1:9093 is read as a key and its ` +
			`value here; ` +
			`write it in quotes: "kafka1:9093"`,
		"detect: {armed: [billing/*, tag:payments]}": `detect.armed[1]: tag:payments is read as a key and its value here; ` +
			`write it in quotes`,
		"kafka: [a]": "kafka: a list stands where keys are expected; write kafka: {KEY: VALUE}, " +
			"with one of brokers",
		"detect: armed": "detect: a single value stands where keys are expected",
		"mappings: x.yaml": "mappings: a single value stands where a list is expected; write " +
			"mappings: [x.yaml]",
		"agents: {id: a}": "agents: a mapping stands where a list is expected; write agents: [{…}]",
		"agents: [{id: a, tags: payments}]": "agents[0].tags: a single value stands where a list is expected; write " +
			"tags: [payments]",
		"agents:\n- id: a\n-\n":                        "agents[1]: empty; give it a value or remove it",
		"kafka: {listen: {a: b}}":                      `kafka.listen: a:b is read as a key`,
		"kafka: {listen: [a]}":                         "kafka.listen: a list stands where a single value is expected",
		"kafka: {partitions: many}":                    `kafka.partitions: "many" is not a whole number`,
		"kafka: {partitions: 1.5}":                     `kafka.partitions: "1.5" is not a whole number`,
		"kafka: {sync: perhaps}":                       `kafka.sync: "perhaps" is neither true nor false`,
		"detect: {false_trips_per_1000: few}":          `detect.false_trips_per_1000: "few" is not a number`,
		"detect: {run_gap: 10}":                        `detect.run_gap: "10" is not a duration such as 90s, 15m or 24h`,
		"learn: {window: 10000000h}":                   `learn.window: "10000000h" is not a duration`,
		"tenant: a\n---\ntenant: b\n":                  "holds 2 documents",
		"- a":                                          "a list stands where keys are expected",
		"tenant: a\ntenant: b\n":                       `mapping key "tenant" already defined at [1:1]`,
		"kafka:\n\tbrokers: []\n":                      "indent with spaces",
		"detect: {policy: [{agent: *, action: gate}]}": "at the key agent: a space follows each colon",
		"detect: {armed: [*]}":                         "at the key armed: ",
		"kafka: {brokers: [a]":                         "at the key kafka: a space follows each colon, braces and brackets are closed",
	} {
		if _, err := load(t, text); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "%!") {
			t.Errorf("%s\n got %v\nwant %s", text, err, want)
		}
	}
	_, err := load(t, "kafka: {partitions: x, sync: y}\ntenat: z\n")
	for _, key := range []string{"kafka.partitions", "kafka.sync", "tenat"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%v does not name %s", err, key)
		}
	}
}

func TestWrongFormOfASecretIsNotShown(t *testing.T) {
	for _, text := range []string{
		"control: {tokens: hunter2}", "control: {tokens: [hunter2]}", "alerts: {receivers: [{name: a, webhook: hunter2}]}",
		"alerts: {receivers: [{name: a, webhook: {url: [hunter2]}}]}", "alerts: {receivers: [{name: a, webhook: {url: {hunter2: x}}}]}",
	} {
		if _, err := load(t, text); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// Paths were relative to the working directory: a file named by --config could not be used from elsewhere.
func TestPathInAFileIsRelativeToTheFile(t *testing.T) {
	folder := t.TempDir()
	text := `secret_key_file: a
kafka: {tls: {ca: a, cert: a, key: a}, sasl: {password_file: a}, schema_registry: {password_file: a, tls: {ca: a, cert: a, key: a}}}
clickhouse: {password_file: a, tls: {ca: a, cert: a, key: a}}
control: {tls: {ca: a, cert: a, key: a}, tokens: [{name: t, role: viewer, value_file: a}],
  oidc: {client_secret_file: a, tls: {ca: a, cert: a, key: a}}}
check: {token_file: a, tls: {ca: a, cert: a, key: a}}
mappings: [a, a]
routes: [{openapi: a}]
alerts: {receivers: [{name: r, webhook: {secret_file: a, url: 'http://a/a'}}, {name: s, slack: {token_file: a}},
  {name: m, email: {ca_file: a, password_file: a}}]}
siem: {syslog: 'tls://a:1', tls: {ca: a, cert: a, key: a}}
`
	file := filepath.Join(folder, "flyball.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	c, err := Load(file, []string{"FLYBALL_CHECK_TLS_CA=of-the-variable"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Check.TLS.CA != "of-the-variable" || c.Data != "flyball-data" {
		t.Errorf("what the file does not name: %s, %s", c.Check.TLS.CA, c.Data)
	}
	c.Check.TLS.CA = filepath.Join(folder, "a")
	want, n := filepath.Join(folder, "a"), 0
	for key, path := range pathsOf("", reflect.ValueOf(c)) {
		n++
		if path != want {
			t.Errorf("%s: %s, want %s", key, path, want)
		}
	}
	if n != 34 {
		t.Errorf("%d paths", n)
	}
	relative, err := filepath.Rel(mustGetwd(t), file)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := Load(relative, nil); err != nil || c.SecretKeyFile != want {
		t.Errorf("by a relative path: %s, %v", c.SecretKeyFile, err)
	}
}

// Every key that names a file has the tag by which its path is resolved.
func TestEveryKeyOfAFileIsResolved(t *testing.T) {
	var visit func(at string, typ reflect.Type)
	visit = func(at string, typ reflect.Type) {
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice:
			visit(at, typ.Elem())
		case reflect.Struct:
			for name, f := range fields(typ) {
				file := strings.HasSuffix(name, "_file") || strings.HasSuffix(at, "tls.") || name == "mappings" || name == "openapi"
				if file != (f.Tag.Get("path") != "") {
					t.Errorf("%s%s names a file: %t; the tag path: %q", at, name, file, f.Tag.Get("path"))
				}
				visit(at+name+".", f.Type)
			}
		}
	}
	visit("", reflect.TypeFor[Config]())
}

// pathsOf returns the values of all keys that name files.
func pathsOf(at string, v reflect.Value) map[string]string {
	out := map[string]string{}
	add := func(more map[string]string) {
		maps.Copy(out, more)
	}
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			add(pathsOf(at, v.Elem()))
		}
	case reflect.Slice:
		for i := range v.Len() {
			add(pathsOf(at+"[]", v.Index(i)))
		}
	case reflect.Struct:
		for name, f := range fields(v.Type()) {
			value := v.FieldByIndex(f.Index)
			switch {
			case f.Tag.Get("path") == "":
				add(pathsOf(prefix(at)+name, value))
			case value.Kind() == reflect.Slice:
				for i := range value.Len() {
					out[prefix(at)+name] = value.Index(i).String()
				}
			default:
				out[prefix(at)+name] = value.String()
			}
		}
	}
	return out
}

func mustGetwd(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}
