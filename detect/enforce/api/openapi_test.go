package api

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"

	"flyball/detect/enforce/enforcetest"
)

var update = flag.Bool("update", false, "write the expected document of testdata anew")

// A client that was generated from the document breaks when the document changes without notice.
func TestDocumentChangesUnseen(t *testing.T) {
	c := newAPI(t, func(o *enforcetest.Options) {
		o.Findings = func(context.Context, []string, int) (any, error) { return nil, nil }
		o.Process = func(context.Context) any { return nil }
		o.Unread = o.Process
	})
	got := enforcetest.Serve(c, "GET", "/openapi.json", "").Body.Bytes()
	const golden = "testdata/openapi.json"
	if *update {
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.TrimSpace(want), bytes.TrimSpace(got)) {
		t.Errorf("the document differs from %s; if that is meant, run with -update and read the difference", golden)
	}
}

// These bodies are not refused by the library that validates against the document.
func TestBodyThatReadersTakeInDifferentWaysIsRefused(t *testing.T) {
	c := newAPI(t, nil)
	deep := strings.Repeat("[", 40) + strings.Repeat("]", 40)
	for name, tc := range map[string]struct{ body, says string }{
		"a member twice":            {`{"for_seconds": 60, "reason": "x", "for_seconds": 86400}`, `"for_seconds" is there twice`},
		"a member twice, inside":    {`{"scope": {"kind": "agent", "kind": "tenant", "value": "t"}, "reason": "x"}`, `"kind" is there twice`},
		"a member twice, escaped":   {`{"reason": "x", "r\u0065ason": "y", "for_seconds": 60}`, `"reason" is there twice`},
		"another case of a member":  {`{"for_seconds": 60, "Reason": "x"}`, `"Reason"`},
		"nested too deep":           {`{"for_seconds": 60, "reason": ` + deep + `}`, "more than 16 deep"},
		"two values":                {`{"for_seconds": 60, "reason": "x"} {}`, "data after the object"},
		"no end":                    {`{"for_seconds": 60, "reason": "x"`, "too early"},
		"null":                      {`{"for_seconds": 60, "reason": null}`, "reason: null"},
		"blank in another script":   {"{\"for_seconds\": 60, \"reason\": \"\u00a0\u2003\"}", "reason: empty"},
		"a number as a text":        {`{"for_seconds": "60", "reason": "x"}`, "for_seconds: a string; integer is needed"},
		"a fraction":                {`{"for_seconds": 1.5, "reason": "x"}`, "for_seconds"},
		"an exponent":               {`{"for_seconds": 6e1, "reason": "x"}`, "for_seconds"},
		"too long":                  {`{"for_seconds": 60, "reason": "` + strings.Repeat("x", 1001) + `"}`, "reason: 1001 characters; 1 to 1000"},
		"out of range":              {`{"for_seconds": 0, "reason": "x"}`, "for_seconds: 0; 1 to 86400"},
		"not UTF-8":                 {"{\"for_seconds\": 60, \"reason\": \"\xff\"}", "not UTF-8"},
		"a secret as a member":      {`{"for_seconds": 60, "reason": "x", "ghp_16C7e42F292c6912E7": 1}`, "looks like a secret"},
		"nothing":                   {``, "too early"},
		"a text instead of a value": {`"x"`, "a string; an object is needed"},
	} {
		path := "/v1/bypass"
		if strings.Contains(tc.body, "scope") {
			path = "/v1/breakers/trip"
		}
		w := enforcetest.Serve(c, "POST", "http://localhost"+path, tc.body, "Content-Type", "application/json")
		text := strings.ReplaceAll(w.Body.String(), `\"`, `"`)
		if w.Code != 400 || !strings.Contains(text, tc.says) || strings.Contains(text, "ghp_") {
			t.Errorf("%s: %d %s, want %q", name, w.Code, text, tc.says)
		}
	}
}

// A secret in place of a word or a resource must not be repeated in the refusal.
func TestSecretInAnInvalidBodyIsNotEchoed(t *testing.T) {
	c := newAPI(t, nil)
	for _, secret := range []string{"ghp_16C7e42F292c6912E7", "sk-proj-4f9a8b7c6d5e", "4fda9ce1f0b84d21b7c0aa4e8d2f6e11"} {
		for path, body := range map[string]string{
			"/v1/breakers/trip":        `{"scope": {"kind": "` + secret + `", "value": "x"}, "reason": "x", "ttl_seconds": 5}`,
			"/v1/grants/g/grant":       `{"reason": "x", "resource": "` + secret + `["}`,
			"/v1/runs":                 `{"run_key": "r", "agent": "a", "for_seconds": 60, "targets": ["` + secret + `["]}`,
			"/v1/findings/f/verdict":   `{"is": "` + secret + `", "why": "x"}`,
			"/v1/bypass":               `{"for_seconds": 60, "reason": "x", "` + secret + `": 1}`,
			"/v1/arming/arm":           `{"` + secret + `": 1, "` + secret + `": 2}`,
			"/v1/baselines/freeze":     `{"agent": ["` + secret + `"], "reason": "x"}`,
			"/v1/exceptions/id/remove": `{"reason": {"` + secret + `": 1}}`,
		} {
			w := enforcetest.Serve(c, "POST", "http://localhost"+path, body, "Content-Type", "application/json")
			if w.Code != 400 || strings.Contains(w.Body.String(), secret) {
				t.Errorf("%s: %d %s", path, w.Code, w.Body)
			}
		}
	}
}

// A generated client names its classes by the components, and groups its operations by the tags.
func TestGeneratedClientHasClassesWithoutNames(t *testing.T) {
	c := newAPI(t, nil)
	var doc struct {
		Paths map[string]map[string]struct {
			Tags        []string
			RequestBody struct {
				Content map[string]struct {
					Schema struct {
						Ref string `json:"$ref"`
					}
				}
			}
		}
		Components struct{ Schemas map[string]any }
	}
	if err := json.Unmarshal(enforcetest.Serve(c, "GET", "/openapi.json", "").Body.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	for path, operations := range doc.Paths {
		for method, o := range operations {
			body, has := o.RequestBody.Content["application/json"]
			if len(o.Tags) != 1 || o.Tags[0] == "" || has && body.Schema.Ref == "" {
				t.Errorf("%s %s: tags %q, body %q", method, path, o.Tags, body.Schema.Ref)
			}
		}
	}
	for _, name := range []string{"TaskLine", "GateLine", "BreakerLine", "TripRequest", "TripResult", "ChangeResult", "Problem"} {
		if doc.Components.Schemas[name] == nil {
			t.Errorf("no component is named %s", name)
		}
	}
}
