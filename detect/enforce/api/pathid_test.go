package api

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"flyball/detect/enforce"
	"flyball/detect/enforce/enforcetest"
	"flyball/schema"
)

// refusing is a log to which nothing may be written.
type refusing struct{ t testing.TB }

func (r refusing) Submit(_ context.Context, c schema.Command) (enforce.Result, error) {
	r.t.Errorf("%s was written to the log", c.Kind)
	return enforce.Result{}, nil
}

// A body is validated by the document. An id in the path was not: a megabyte of it went into the log of commands, and a secret that was
// pasted in place of an id, too.
func TestIdOfAPathIsKeptWhateverItIs(t *testing.T) {
	c := newAPI(t, nil)
	c.server.o.Log = refusing{t}
	h := handler(t, c.server)
	bodies := map[string]string{"removeException": `{"reason":"x"}`, "verdict": `{"is":"benign","why":"x"}`, "grant": `{"reason":"x"}`,
		"refuse": `{"reason":"x"}`, "endTask": `{"reason":"x"}`, "endSilence": `{"reason":"x"}`, "releaseHold": `{"reason":"x"}`,
		"acknowledgeIncident": `{"why":"x"}`, "undoAcknowledgement": `{"why":"x"}`}
	for _, op := range c.operations() {
		if !strings.Contains(op.path, "{id}") {
			continue
		}
		if op.body != nil && bodies[op.id] == "" {
			t.Errorf("%s: the test has no body", op.id)
		}
		for what, id := range map[string]string{"long": strings.Repeat("a", 10_000), "secret": "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
			"line break": "a\nb", "direction": "a\u202eb", "no text": "\xff", "blank": " "} {
			path := strings.ReplaceAll(op.path, "{id}", url.PathEscape(id))
			w := enforcetest.Serve(h, op.method, "http://127.0.0.1"+path, bodies[op.id], "Content-Type", "application/json")
			if w.Code != http.StatusNotFound || id != " " && strings.Contains(w.Body.String(), id) || w.Body.Len() > 500 {
				t.Errorf("%s, %s: %d %.300s", op.id, what, w.Code, w.Body)
			}
		}
	}
}
