package storage

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// Dashboards read with readonly=1, which forbids that a query changes settings: a view must
// not need such a change.
func TestReadonlyUserCannotReadTheViews(t *testing.T) {
	c := migrated(t)
	addr := server(t)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	ask := func(q string) string {
		resp, err := client.Post("http://"+addr+"/?"+url.Values{"readonly": {"1"}}.Encode(), "text/plain", strings.NewReader(q))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return string(body)
	}
	if got := ask("DROP VIEW " + c.Database() + ".runs"); !strings.Contains(got, "READONLY") {
		t.Fatalf("readonly=1 is not in force: %q", got)
	}
	for _, v := range []string{"calls", "runs", "touches", "scores", "dead_letters", "stitching"} {
		if got := ask("SELECT count() FROM " + c.Database() + "." + v); got != "0\n" {
			t.Errorf("%s: %s", v, got)
		}
	}
}
