package e2e

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"flyball/cmd/internal/realparts"
)

// The listener must follow its OpenAPI document in both directions: it accepts requests that
// the document allows, rejects those that it forbids, and its responses have the documented
// form. For the text of a manifest, the target of a breaker, templates of routes and patterns, the schema can only
// require a text; a rejection of their content is not a contradiction.
func TestRealAPIIsItsDocument(t *testing.T) {
	file := filepath.Join(t.TempDir(), "admin")
	f := install(t, "", "")
	token := strings.TrimSpace(f.run(nil, "token", "--hash-to", file))
	configure(t, f, fmt.Sprintf("control: {listen: \"127.0.0.1:%d\", tokens: [{name: test, role: admin, value_file: %s}]}", f.ports["control"],
		file))
	f.start()
	document := fmt.Sprintf("http://127.0.0.1:%d/openapi.json", f.ports["control"])
	common := []string{"-H", "Authorization: Bearer " + token, "--checks", "all", "-n", "20", "--rate-limit", "45/s", "--continue-on-failure"}
	var whole, judged []string
	for _, id := range []string{"putManifest", "trip", "reset", "bypass", "endBypass", "arm", "disarm", "clearArming", "addException",
		"declareTask", "addSilence", "hold", "purge", "pinRoute", "undoRoute", "clearRoute"} {
		whole, judged = append(whole, "--exclude-operation-id", id), append(judged, "--include-operation-id", id)
	}
	realparts.Schemathesis(t, document, append(common, whole...)...)
	realparts.Schemathesis(t, document, append(append(common, judged...), "--exclude-checks", "positive_data_acceptance")...)
	if n := strings.Count(string(f.tail(1<<20)), "panic"); n > 0 {
		t.Errorf("%d panics in the log", n)
	}
}
