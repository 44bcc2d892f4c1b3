package api

import (
	"html"
	"log/slog"
	"net/http/httptest"
	"os/exec"
	"regexp"
	"testing"

	"flyball/schema"
)

// The page of a question shows a command with the key of a run, which an agent chooses.
func TestCommandOfAPageRunsWhatAnAgentChose(t *testing.T) {
	code := regexp.MustCompile(`<code>(.*?)</code>`)
	p := &approvalPage{&pages{server: &server{o: Options{Logger: slog.New(slog.DiscardHandler)}}}}
	for _, key := range []string{"task-7", "x; echo run", "$(echo run)", "`echo run`", "it's", "x\necho run", "</code><code>"} {
		w := httptest.NewRecorder()
		p.render(w, 200, &schema.Gate{ID: "g", RunKey: key, State: schema.GatePending}, nil, "", nil)
		line := code.FindStringSubmatch(w.Body.String())
		if line == nil {
			t.Fatalf("no command in %s", w.Body)
		}
		out, err := exec.Command("sh", "-c", `flyball() { printf '[%s]' "$@"; }; `+html.UnescapeString(line[1])).CombinedOutput()
		if want := "[touched][" + key + "]"; err != nil || string(out) != want {
			t.Errorf("%s: %q %v, want %q", line[1], out, err, want)
		}
	}
}
