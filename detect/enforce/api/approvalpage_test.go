package api

import (
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode"

	"flyball/schema"
)

// A resource with a character that turns the direction of writing read as another one on the page on which a person approves the call.
func TestPageOfAQuestionShowsWhatTheCallIs(t *testing.T) {
	const hostile = "order:\u202e7\u200b\x1b]0;x\x07<b>"
	p := &approvalPage{&pages{server: &server{o: Options{Logger: slog.New(slog.DiscardHandler)}}}}
	w := httptest.NewRecorder()
	p.render(w, 200, &schema.Gate{ID: "g", AgentID: hostile, Route: hostile, Path: hostile, Resources: []string{hostile},
		Amount: hostile, Currency: hostile, PrincipalID: hostile, RunKey: hostile, CredentialID: hostile, State: schema.GatePending}, nil, "",
		nil)
	body := w.Body.String()
	for _, r := range body {
		if r != '\n' && !unicode.IsPrint(r) {
			t.Fatalf("%U is in the page: %s", r, body)
		}
	}
	if strings.Contains(body, "<b>") || !strings.Contains(body, `\u202e`) {
		t.Errorf("%s", body)
	}
}
