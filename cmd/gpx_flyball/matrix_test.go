package main

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// Every action of every role, with the default roles and with Admin mapped to bypass, from a panel and from a page of another site: what
// is refused does not reach the control API, and what reaches it does so once, for the person and with the person's role.
func TestActionReachesTheControlAPIForTheWrongPerson(t *testing.T) {
	f := deploy(t)
	control, err := url.Parse(f.url)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var sent []string
	proxy := httputil.NewSingleHostReverseProxy(control)
	between := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			mu.Lock()
			sent = append(sent, r.Header.Get("Flyball-On-Behalf-Of")+" as "+r.Header.Get("Flyball-On-Behalf-Of-Role"))
			mu.Unlock()
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(between.Close)
	rights := map[bool]map[string]string{
		false: {"Viewer": "viewer", "Editor": "responder", "Admin": "responder"},
		true:  {"Viewer": "viewer", "Editor": "responder", "Admin": "admin"},
	}
	needsAdmin := map[string]bool{"exceptions/add": true, "bypass/end": true}
	cells := 0
	for mapped, roles := range rights {
		var more []any
		if mapped {
			more = []any{"roles", bypassForAdmins()}
		}
		d := source(t, between.URL, tokenRoot, more...)
		for role, right := range roles {
			for path, body := range all() {
				for _, from := range []string{"same-origin", "cross-site"} {
					mu.Lock()
					sent = nil
					mu.Unlock()
					got := press(t, d, role, path, body, func(r *backend.CallResourceRequest) { r.Headers["Sec-Fetch-Site"] = []string{from} })
					allowed := from == "same-origin" && (right == "admin" || right == "responder" && !needsAdmin[path])
					mu.Lock()
					switch {
					case allowed && (len(sent) == 0 || sent[0] != "alice as "+right || got.Status == http.StatusForbidden):
						t.Errorf("%s (mapped: %t) %s: %d %s, sent %q", role, mapped, path, got.Status, got.Message, sent)
					case !allowed && (len(sent) > 0 || got.Status != http.StatusForbidden || got.Message == ""):
						t.Errorf("%s (mapped: %t) %s, %s: %d %s, sent %q", role, mapped, path, from, got.Status, got.Message, sent)
					case len(sent) > 1:
						t.Errorf("%s %s is sent %d times", role, path, len(sent))
					}
					mu.Unlock()
					cells++
				}
			}
		}
	}
	if cells != 2*3*7*2 {
		t.Errorf("%d cells", cells)
	}
}
