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
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/genproto/pluginv2"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/enforce/enforcetest"
	"flyball/schema"
	"flyball/schema/wire"
)

// pageBoard is a dashboard that the page draws: the answers to its panels with buttons, by their titles.
type pageBoard struct {
	UID    string                          `json:"uid"`
	Panels map[string]backend.DataResponse `json:"panels"`
}

// rowsWithButtons returns a row for each panel that has buttons, with the values that its buttons read.
func rowsWithButtons(t *testing.T, values map[string]string) (out []pageBoard) {
	t.Helper()
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
		out = append(out, b)
	}
	return out
}

// grafana answers the resource calls of a page by the built plugin, as Grafana does. The cookie is the session: it names the role of the
// person, who is called so. Of the two data sources mapped alone lets an Admin bypass.
type grafana struct {
	t       *testing.T
	plugin  *host
	control string // address of the control API
	mu      sync.Mutex
	foreign []string // answers to pages of another site
}

func (g *grafana) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	source, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/api/datasources/uid/"), "/resources/")
	settings := fields{"addr": "127.0.0.1:1", "controlUrl": g.control}
	if source == "mapped" {
		settings["roles"] = bypassForAdmins()
	}
	role := "Editor" // the session that another site abuses
	if c, err := r.Cookie("role"); err == nil {
		role = c.Value
	}
	asked := configured(g.t, settings, tokenRoot, role)
	asked.User.Login = strings.ToLower(role)
	headers := map[string]*pluginv2.StringList{}
	for name, values := range r.Header {
		headers[name] = &pluginv2.StringList{Values: values}
	}
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	stream, err := g.plugin.resource.CallResource(r.Context(), &pluginv2.CallResourceRequest{PluginContext: asked, Path: path,
		Url: path + "?" + r.URL.RawQuery, Method: r.Method, Headers: headers, Body: body})
	if err != nil {
		g.t.Error(err)
		return
	}
	answer, err := stream.Recv()
	if err != nil {
		g.t.Error(err)
		return
	}
	if site := r.Header.Get("Sec-Fetch-Site"); site != "same-origin" {
		g.mu.Lock()
		g.foreign = append(g.foreign, fmt.Sprint(r.Method, " ", site, " ", answer.Code))
		g.mu.Unlock()
	}
	for name, values := range answer.Headers {
		w.Header()[name] = values.Values
	}
	w.WriteHeader(int(answer.Code))
	_, _ = w.Write(answer.Body)
}

// trail returns who did what, of the audit trail: "kind by role: reason".
func (d *deployment) trail(t *testing.T) (out []string) {
	t.Helper()
	seen, end := map[uint64]bool{}, d.Audit().Seq
	enforcetest.Events(t, d.kafka, "the whole audit trail", func(r *kgo.Record) bool {
		e, err := wire.DecodeEvent(r.Value)
		if err == nil && e.Kind == schema.EventAudit && !seen[e.Audit.Seq] {
			seen[e.Audit.Seq] = true
			out = append(out, fmt.Sprintf("%s %s %s: %s", e.Audit.Kind, e.Audit.By, e.Audit.Role, e.Audit.Reason))
		}
		return uint64(len(seen)) >= end
	})
	return out
}

// Buttons of the dashboards are pressed in headless Chromium with the keyboard alone: dashboards/front/test/actions.mjs draws them with
// Grafana's own components, as a Viewer, an Editor and an Admin. What they send goes over Grafana's plugin protocol to the built plugin,
// and from it to a control API on a log.
func TestButtonInAPageDoesNothingOrTooMuch(t *testing.T) {
	if answersDir == "" {
		fmt.Println("SKIPPED: buttons in a page are pressed by make panels, which has the packages of the front")
		t.Skip("make panels runs it")
	}
	f := deploy(t)
	operate := func(method, path string, body fields) {
		t.Helper()
		if code, text := f.Operate(t, method, path, body, tokenRoot); code != 200 {
			t.Fatalf("%s %s: %d %s", method, path, code, text)
		}
	}
	operate("PUT", "/v1/manifests", fields{"text": enforcetest.Billing, "reason": "x"})
	gates := []string{f.Ask("billing", "k2", "DELETE", "/v1/orders/7", "").Gate, f.Ask("billing", "k3", "DELETE", "/v1/orders/8", "").Gate}
	for agent, run := range map[string]string{"billing": "k1", "support": "k4"} {
		if v := f.Ask(agent, run, "GET", "/v1/orders/1", ""); v.Status != 200 {
			t.Fatalf("%s: %+v", agent, v)
		}
	}
	operate("POST", "/v1/breakers/trip", fields{"scope": fields{"kind": "agent", "value": "support"}, "reason": "x", "ttl_seconds": 3600})
	generation := strconv.FormatUint(f.Breakers()[0].Generation, 10)
	operate("POST", "/v1/bypass", fields{"for_seconds": 3600, "reason": "x"})

	g := &grafana{t: t, plugin: startPlugin(t), control: f.url}
	server := httptest.NewServer(g)
	t.Cleanup(server.Close)
	rows := map[string][]pageBoard{} // for each of two questions
	for _, gate := range gates {
		rows[gate] = rowsWithButtons(t, map[string]string{"agent": "billing", "run": "k1", "family": "runaway.loop", "finding": unjudged,
			"gate": gate, "generation": generation, "scope": "agent support", "call": "DELETE /v1/orders/{order_id}", "resource": "order:7"})
	}
	text, err := json.Marshal(fields{"gates": gates, "rows": rows})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "rows.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), "node", "test/actions.mjs", file, server.URL)
	node.Dir = "../../dashboards/front"
	said, err := node.CombinedOutput()
	fmt.Printf("%s", said)
	if err != nil {
		t.Errorf("the buttons: %v", err)
	}

	const editor, admin = " root on behalf of editor responder: ", " root on behalf of admin admin: "
	want := []string{"force_open" + editor + `looks "wrong" & more`, "reset" + editor + "looked at it", "grant" + editor + "he asked for it",
		"refuse" + editor + "nobody asked for it", "verdict" + editor + "it deleted orders", "force_open" + editor + "all of them",
		"exception" + admin + "a migration", "bypass_end" + admin + "over"}
	var byPage []string
	for _, line := range f.trail(t) {
		if strings.Contains(line, "on behalf of") {
			byPage = append(byPage, line)
		}
	}
	slices.Sort(want)
	if slices.Sort(byPage); !slices.Equal(byPage, want) {
		t.Errorf("the audit trail has\n%s\nwant each of these once\n%s", strings.Join(byPage, "\n"), strings.Join(want, "\n"))
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.foreign) == 0 {
		t.Error("no request of another site came")
	}
	for _, answer := range g.foreign {
		if !strings.HasSuffix(answer, "403") && !strings.HasSuffix(answer, "415") && !strings.HasSuffix(answer, "405") {
			t.Errorf("another site: %s", answer)
		}
	}
}
