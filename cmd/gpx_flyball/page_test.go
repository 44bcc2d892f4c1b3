package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// pageRows are the rows that the page draws: for each dashboard the panels with buttons.
type pageRows struct {
	Run    string            `json:"run"`
	Values map[string]string `json:"values"`
	Boards []pageBoard       `json:"boards"`
}

type pageBoard struct {
	UID    string                          `json:"uid"`
	Panels map[string]backend.DataResponse `json:"panels"`
}

// rowsWithButtons returns a row for each panel that has buttons, with the values that its buttons read.
func rowsWithButtons(t *testing.T, values map[string]string) *pageRows {
	t.Helper()
	out := &pageRows{Run: values["run"], Values: map[string]string{"ds": "u", "every": "", "agent": "", "run": values["run"]}}
	for _, d := range dashboards(t) {
		b := pageBoard{UID: d.UID, Panels: map[string]backend.DataResponse{}}
		for i := range d.Panels {
			p := &d.Panels[i]
			f, pressed := data.NewFrame("rows"), false
			for _, o := range p.FieldConfig.Overrides {
				if o.Matcher.ID != "byName" {
					continue
				}
				pressed = pressed || o.property("actions") != ""
				f.Fields = append(f.Fields, data.NewField(o.Matcher.Options, nil, []string{cmp.Or(values[o.Matcher.Options], "x")}))
			}
			for _, name := range []string{"generation", "family", "run"} { // columns that are not drawn
				if field, _ := f.FieldByName(name); field == nil {
					f.Fields = append(f.Fields, data.NewField(name, nil, []string{values[name]}))
				}
			}
			if pressed {
				b.Panels[p.Title] = backend.DataResponse{Frames: data.Frames{f}, Status: backend.StatusOK}
			}
		}
		out.Boards = append(out.Boards, b)
	}
	return out
}

// Buttons of the dashboards are pressed in headless Chromium: dashboards/front/test/actions.mjs draws them with Grafana's own components,
// as a Viewer, an Editor and an Admin. What they send is answered here, by the data source with a control API on a log.
func TestButtonInAPageDoesNothingOrTooMuch(t *testing.T) {
	if answersDir == "" {
		fmt.Println("SKIPPED: buttons in a page are pressed by make panels, which has the packages of the front")
		t.Skip("make panels runs it")
	}
	f := deploy(t)
	if v := f.Ask("billing", "k1", "GET", "/v1/orders/1", ""); v.Status != 200 {
		t.Fatalf("%+v", v)
	}
	if code, text := f.Operate(t, "POST", "/v1/bypass", fields{"for_seconds": 600, "reason": "x"}, tokenRoot); code != 200 {
		t.Fatal(text)
	}
	d := source(t, f.url, tokenRoot, "roles", bypassForAdmins())
	var mu sync.Mutex
	crossSite := map[string]int{} // statuses of the answers to a page of another site
	grafana := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, path, _ := strings.Cut(r.URL.Path, "/resources/")
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		role := "Editor" // the session that the other site abuses
		if c, err := r.Cookie("role"); err == nil {
			role = c.Value
		}
		req := &backend.CallResourceRequest{Method: r.Method, Path: path, URL: path + "?" + r.URL.RawQuery, Body: body, Headers: r.Header,
			PluginContext: backend.PluginContext{User: &backend.User{Login: strings.ToLower(role), Role: role}}}
		err := d.CallResource(r.Context(), req, backend.CallResourceResponseSenderFunc(func(a *backend.CallResourceResponse) error {
			if site := r.Header.Get("Sec-Fetch-Site"); site != "same-origin" {
				mu.Lock()
				crossSite[fmt.Sprint(r.Method, " ", site, " ", a.Status)]++
				mu.Unlock()
			}
			for name, values := range a.Headers {
				w.Header()[name] = values
			}
			w.WriteHeader(a.Status)
			_, err := w.Write(a.Body)
			return err
		}))
		if err != nil {
			t.Error(err)
		}
	}))
	t.Cleanup(grafana.Close)
	rows := rowsWithButtons(t, map[string]string{"agent": "billing", "run": "k1", "family": "runaway.loop", "finding": judged, "gate": "g_x",
		"generation": "1", "scope": "run k1", "call": "DELETE /v1/orders/{id}", "resource": "order:1"})
	text, err := json.Marshal(rows)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rows.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), "node", "test/actions.mjs", file, grafana.URL)
	node.Dir = "../../dashboards/front"
	said, err := node.CombinedOutput()
	t.Logf("%s", said)
	if err != nil {
		t.Errorf("the buttons: %v", err)
	}
	b := f.Breakers()
	if len(b) != 1 || b[0].By != "root on behalf of editor" || b[0].Reason != `looks "wrong" & more` {
		t.Errorf("held: %+v", b)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(crossSite) == 0 {
		t.Error("no request of another site came")
	}
	for answer := range crossSite {
		if !strings.HasSuffix(answer, "403") && !strings.HasSuffix(answer, "415") && !strings.HasSuffix(answer, "405") {
			t.Errorf("another site: %s", answer)
		}
	}
}
