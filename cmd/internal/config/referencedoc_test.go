package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// referenceFile is the reference as a document.
const referenceFile = "../../../deploy/configuration.md"

func referenceDocument() string {
	var b strings.Builder
	b.WriteString("# Configuration reference\n\n" +
		"Written by `go test ./cmd/internal/config -update` from the descriptions beside the structs; `flyball config explain KEY` " +
		"prints the same\n" +
		"for one key. The file is `flyball.yaml` in the working folder, or `--config FILE`. A key with a single value, or a list " +
		"of texts, can also be\n" +
		"set in the environment: `kafka.listen` is `FLYBALL_KAFKA_LISTEN`, a list is written `a,b`; the environment has precedence.\n\n" +
		"*Again* says what a running process does when the file changes, or on SIGHUP: **yes**: it uses the new value; **file**: the file " +
		"that the key\n" +
		"names is read again, another name needs a restart; **restart**: the new value is used at the next start. A file with a mistake " +
		"changes\n" +
		"nothing: `flyball status`, the log and `flyball_config_unusable` say so. Values that are not of the form are always refused.\n")
	const heads = "\n| key | meaning | form | default | refused | again |\n|---|---|---|---|---|---|\n"
	row := func(k *Key) {
		def := "`" + k.Default + "`"
		if k.Section {
			def = ""
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", k.Key, cell(k.Meaning), cell(k.Form), cell(def), cell(k.Refused), k.Again)
	}
	all := Reference()
	b.WriteString(heads)
	for i := range all {
		if !all[i].Section && !strings.Contains(all[i].Key, ".") {
			row(&all[i])
		}
	}
	why := map[string][]string{}
	for i := range all {
		k := &all[i]
		switch nested := strings.Contains(k.Key, "."); {
		case nested:
			row(k)
		case k.Section:
			fmt.Fprintf(&b, "\n## %s\n\n%s\n%s", k.Key, k.Meaning, heads)
		}
		parts := strings.SplitN(strings.SplitN(k.Key, "[]", 2)[0], ".", 3)
		name := "`" + strings.Join(parts[:min(len(parts), 2)], ".") + "`"
		if k.Again == AgainNo && !(k.Section && len(parts) == 1) && !slices.Contains(why[k.Why], name) {
			why[k.Why] = append(why[k.Why], name)
		}
	}
	b.WriteString("\n## Why some keys need a restart\n\n")
	for _, w := range slices.Sorted(maps.Keys(why)) {
		if w != whyStart {
			fmt.Fprintf(&b, "- %s: %s.\n", strings.Join(why[w], ", "), w)
		}
	}
	fmt.Fprintf(&b, "- All others: %s.\n", whyStart)
	return b.String()
}

// cell escapes a text for a table.
func cell(s string) string {
	return strings.NewReplacer("|", "\\|", "<", "&lt;", "*", "\\*").Replace(s)
}

func TestDocumentDiffersFromTheReference(t *testing.T) {
	got := referenceDocument()
	if *update {
		if err := os.WriteFile(referenceFile, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs from the reference: go test ./cmd/internal/config -update", referenceFile)
	}
}

// A comment that stands at a wrong place is worse than none.
func TestCommentsOfADumpAreLost(t *testing.T) {
	c, err := Load("testdata/every_key.yaml", nil)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := Dump(c)
	if err != nil {
		t.Fatal(err)
	}
	text, err := DumpCommented(c)
	if err != nil {
		t.Fatal(err)
	}
	var without []string
	comments := map[string]bool{}
	for line := range strings.SplitSeq(string(text), "\n") {
		if trimmed, is := strings.CutPrefix(strings.TrimLeft(line, " "), "# "); is {
			comments[trimmed] = true
			if len(line) > commentColumns+20 {
				t.Errorf("%d columns: %s", len(line), line)
			}
			continue
		}
		without = append(without, line)
	}
	if strings.Join(without, "\n") != string(plain) {
		t.Error("a dump with comments has other lines than one without")
	}
	for _, k := range Reference() {
		if first := Wrap(k.comment(), commentColumns)[0]; !comments[first] {
			t.Errorf("%s has no comment %q", k.Key, first)
		}
	}
	again, err := load(t, strings.ReplaceAll(string(text), "<secret>", "https://x.example"))
	if err != nil || !reflect.DeepEqual(again.Kafka, c.Kafka) || !reflect.DeepEqual(again.Detect, c.Detect) {
		t.Errorf("a dump with comments does not read back: %v", err)
	}
	for _, want := range []string{"# Name of the agent. Several entries", "  # Topic to read. (text; refused"} {
		if !strings.Contains(string(text), "\n"+want) {
			t.Errorf("no comment %q", want)
		}
	}
}

// An environment variable with a value of the wrong form or out of range names itself or its key.
func TestVariableOfAKeyIsTakenWithAWrongValue(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile(filepath.Join(".", "flyball.yaml"), []byte("kafka: {inputs: [{topic: a, format: auto}]}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, k := range Reference() {
		if k.Environment == "" || k.Wrong == "" || strings.HasPrefix(k.Wrong, "''") {
			continue
		}
		n++
		value := strings.Trim(k.Wrong, "[]'")
		c, err := Load("", []string{k.Environment + "=" + value})
		if err == nil {
			err = c.Validate()
		}
		if err == nil || !strings.Contains(err.Error(), k.Environment) && !strings.Contains(err.Error(), k.Key) {
			t.Errorf("%s=%s: %v", k.Environment, value, err)
		}
	}
	if n < 40 {
		t.Errorf("%d variables", n)
	}
}
