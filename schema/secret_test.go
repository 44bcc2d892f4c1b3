package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

func TestSecretIsShownByNoFormat(t *testing.T) {
	const value = "hunter2-hunter2"
	type holder struct {
		Password Secret  `yaml:"password" json:"password"`
		Pointer  *Secret `yaml:"pointer" json:"pointer"`
	}
	s := Secret(value)
	h := holder{s, &s}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%t", "%8.3s"} {
		for _, shown := range []any{s, h, []Secret{s}, map[string]Secret{"k": s}} {
			if out := fmt.Sprintf(verb, shown); strings.Contains(out, value) || strings.Contains(out, fmt.Sprintf("%x", value)) {
				t.Errorf("%s of %T shows the value: %s", verb, shown, out)
			}
		}
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "holder", h)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "holder", h)
	inJSON, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	inYAML, err := yaml.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	for format, out := range map[string]string{"slog": log.String(), "JSON": string(inJSON), "YAML": string(inYAML)} {
		if strings.Contains(out, value) || !strings.Contains(out, "secret") {
			t.Errorf("%s: %s", format, out)
		}
	}
}

func TestSecretIsReadAsItIsWritten(t *testing.T) {
	var fromYAML, fromJSON struct {
		Password Secret `yaml:"password" json:"password"`
	}
	if err := yaml.Unmarshal([]byte("password: ' hunter2: '"), &fromYAML); err != nil || string(fromYAML.Password) != " hunter2: " {
		t.Errorf("YAML: %q, %v", string(fromYAML.Password), err)
	}
	if err := json.Unmarshal([]byte(`{"password": "hunter2"}`), &fromJSON); err != nil || string(fromJSON.Password) != "hunter2" {
		t.Errorf("JSON: %q, %v", string(fromJSON.Password), err)
	}
}
