package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"flyball/cmd/internal/config"
	"flyball/schema"
)

// everyKey returns a configuration in which each key has a value, and that a start accepts: one of testdata of package config, with
// files that exist.
func everyKey(t *testing.T, dir, file string) map[string]any {
	t.Helper()
	text, err := os.ReadFile("../internal/config/testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"own.yaml": "version: 1\nname: own\nset:\n  path: p\n  status: s\n",
		"hex32": strings.Repeat("0123456789abcdef", 2)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{"/tls/ca.pem": "cert.pem", "/tls/id.pem": "cert.pem", "/tls/cert.pem": "cert.pem",
		"/tls/key.pem":    "key.pem",
		"/secrets/ca.pem": "cert.pem", "/secrets/key": "good.key", "/secrets/ci": "one.token", "/secrets/bot": "two.token",
		"/secrets/check": "check.token",
		"/secrets/hook":  "hook", "/etc/flyball/mapping.yaml": "own.yaml", "/etc/flyball/openapi.yaml": "shop.yaml"} {
		text = regexp.MustCompile(regexp.QuoteMeta(from)+`\b`).ReplaceAll(text, []byte(filepath.Join(dir, to)))
	}
	text = regexp.MustCompile(`/secrets/\w+`).ReplaceAll(text, []byte(filepath.Join(dir, "hex32")))
	var tree map[string]any
	if err := yaml.Unmarshal(text, &tree); err != nil {
		t.Fatal(err)
	}
	// Keys that contradict others.
	set(t, tree, "kafka.sync", false)
	if file == "every_key.yaml" { // those of earlier versions do not have it
		set(t, tree, "clickhouse.retention.calls_bytes", "0")
	}
	if tree["canary"] != nil {
		set(t, tree, "canary.interval", "0s")
	}
	set(t, tree, "data", dir)
	tree["kafka"].(map[string]any)["min_free_mib"] = 512
	return tree
}

// section returns the mapping that holds a key, in the first item of each list that has it.
func section(tree map[string]any, key string) (at map[string]any, path string) {
	part, rest, nested := strings.Cut(key, ".")
	name, list := strings.CutSuffix(part, "[]")
	if !nested {
		if _, ok := tree[part]; !ok {
			return nil, ""
		}
		return tree, part
	}
	below := []any{tree[name]}
	if items, ok := tree[name].([]any); ok && list {
		below = items
	}
	for i, b := range below {
		if m, ok := b.(map[string]any); ok {
			if at, path := section(m, rest); at != nil {
				if list {
					return at, fmt.Sprintf("%s[%d].%s", name, i, path)
				}
				return at, name + "." + path
			}
		}
	}
	return nil, ""
}

func set(t *testing.T, tree map[string]any, key string, value any) {
	t.Helper()
	at, _ := section(tree, key)
	if at == nil {
		t.Fatalf("%s is not in every_key.yaml", key)
	}
	at[key[strings.LastIndexByte(key, '.')+1:]] = value
}

// checked returns the exit status and the problems of a configuration.
func checked(t *testing.T, dir string, tree map[string]any) (code int, problems []string) {
	t.Helper()
	text, err := yaml.Marshal(tree)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "flyball.yaml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	r, err := checkConfig(&options{config: file}, []string{"up"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return exitStatus(r.err, io.Discard), r.Problems
}

// otherForm is a value that has not the form of a key.
func otherForm(k *config.Key) any {
	typ := k.Type
	if typ.Kind() == reflect.Pointer {
		typ = typ.Elem()
	}
	switch {
	case k.Section:
		return 7
	case typ.Kind() == reflect.Slice, typ.Kind() == reflect.Struct, typ.Kind() == reflect.Map:
		return "7x"
	case typ == reflect.TypeFor[schema.Secret](), typ.Kind() == reflect.String:
		return []any{"7x"}
	}
	return "7x" // a number, a duration, true or false
}

// named reports whether one of the problems contains all texts.
func named(problems []string, texts ...string) bool {
	return slices.ContainsFunc(problems, func(p string) bool {
		return !slices.ContainsFunc(texts, func(text string) bool { return !strings.Contains(p, text) })
	})
}

// wrongKey is a key in a configuration that has a value for each.
type wrongKey struct {
	config.Key
	at         map[string]any // the section that holds it
	name, path string
	secret     bool
}

// with returns the exit status and the problems while keys have other values.
func with(t *testing.T, dir string, tree map[string]any, value func(k *wrongKey) any, keys ...wrongKey) (int, []string) {
	t.Helper()
	for i := range keys {
		k := &keys[i]
		before := k.at[k.name]
		k.at[k.name] = value(k)
		defer func() { k.at[k.name] = before }()
	}
	return checked(t, dir, tree)
}

// Each key of the reference is wrong once: a value of another form, a value that the reference says is refused, an unknown key beside
// it. check-config and the start have one validation (TestCheckConfigAndTheStartAgree).
func TestWrongKeyIsAcceptedOrNotNamed(t *testing.T) {
	dir := configFolder(t)
	tree := everyKey(t, dir, "every_key.yaml")
	if code, problems := checked(t, dir, tree); code != exitDone {
		t.Fatalf("every key has a good value: %q", problems)
	}
	var values, sections []wrongKey
	for _, k := range config.Reference() {
		at, path := section(tree, k.Key)
		w := wrongKey{k, at, k.Key[strings.LastIndexByte(k.Key, '.')+1:], path, k.Type == reflect.TypeFor[schema.Secret]()}
		switch {
		case at == nil:
			t.Errorf("%s is not in every_key.yaml", k.Key)
		case k.Section:
			sections = append(sections, w)
		default:
			values = append(values, w)
		}
	}
	if len(values) < 180 || len(sections) < 30 {
		t.Errorf("%d values, %d sections", len(values), len(sections))
	}

	// Wrong forms and unknown keys are reported together. Sections are wrong one by one: each holds others.
	form := func(k *wrongKey) any { return otherForm(&k.Key) }
	code, problems := with(t, dir, tree, form, values...)
	for i := range values {
		k := &values[i]
		wants := []string{k.path + ": "}
		if kind := k.Type.Kind(); !k.secret && kind != reflect.String && kind != reflect.Slice && kind != reflect.Struct && kind != reflect.Map {
			wants = append(wants, `"7x"`)
		}
		if k.Type.Kind() == reflect.Struct {
			continue // words are read later: their values below are wrong
		}
		if code != exitUsage || !named(problems, wants...) {
			t.Errorf("%s: %v: exit %d, and no problem with %q", k.Key.Key, form(k), code, wants)
		}
	}
	for _, k := range sections {
		if code, problems := with(t, dir, tree, form, k); code != exitUsage || !named(problems, k.path+": ", " expected; write ") {
			t.Errorf("%s: 7: exit %d, %q", k.Key.Key, code, problems)
		}
	}
	all := append(values, sections...)
	for i := range all {
		all[i].at[all[i].name+"x"] = 7
	}
	code, problems = checked(t, dir, tree)
	for i := range all {
		k := &all[i]
		delete(k.at, k.name+"x")
		if code != exitUsage || !named(problems, "unknown key "+k.path+"x; did you mean ") {
			t.Errorf("%sx: exit %d, and it is not named", k.Key.Key, code)
		}
	}

	for _, k := range values {
		if k.Wrong == "" {
			continue
		}
		var value any
		if err := yaml.Unmarshal([]byte(k.Wrong), &value); err != nil {
			t.Fatal(err)
		}
		wants := []string{k.path}
		if shown := strings.Trim(k.Wrong, "[]'"); !k.secret && shown != "" {
			wants = append(wants, shown)
		}
		if code, problems := with(t, dir, tree, func(*wrongKey) any { return value }, k); code != exitUsage || !named(problems, wants...) {
			t.Errorf("%s: %s: exit %d, and no problem with %q:\n%s", k.Key.Key, k.Wrong, code, wants, strings.Join(problems, "\n"))
		}
	}
}

// Each form that the configuration had is a file of its own: a key that is renamed or removed must be read as before, or the error must
// say what to do.
func TestConfigurationOfAnEarlierVersionIsRefused(t *testing.T) {
	dir := configFolder(t)
	files, err := filepath.Glob("../internal/config/testdata/released/*.yaml")
	if err != nil || len(files) < 4 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		if code, problems := checked(t, dir, everyKey(t, dir, "released/"+filepath.Base(file))); code != exitDone {
			t.Errorf("%s: exit %d, %q", file, code, problems)
		}
	}
}
