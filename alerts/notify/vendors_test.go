package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/PagerDuty/go-pagerduty"
	"github.com/atc0005/go-teams-notify/v2/adaptivecard"
	jsm "github.com/opsgenie/opsgenie-go-sdk-v2/alert"
	"github.com/slack-go/slack"

	"flyball/alerts/incident"
	"flyball/schema/wording"
)

var update = flag.Bool("update", false, "write the golden files anew")

// samples returns the pages of the package message by their names.
func samples(t testing.TB) map[string]*incident.Page {
	t.Helper()
	files, err := filepath.Glob("../message/testdata/pages/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no pages: %v", err)
	}
	out := map[string]*incident.Page{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		p := new(incident.Page)
		if err := json.Unmarshal(text, p); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		name := strings.TrimSuffix(filepath.Base(f), ".json")
		if name == "hostile" {
			p.Commands[1] = "flyball breakers reset agent " + wording.ShellWord(p.AgentID) + " --if-match 1 --reason '…'"
		}
		out[name] = p
	}
	return out
}

// asked are the requests that a receiver makes for a page, against a server that accepts all.
func asked(t *testing.T, name string, p *incident.Page) (out []*http.Request, bodies [][]byte) {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		out, bodies = append(out, r), append(bodies, body)
		_, _ = io.WriteString(w, `{"ok":true,"ts":"1700000000.000100","channel":"C1"}`)
	}))
	defer s.Close()
	if err := all(t, s.URL)[name].Deliver(context.Background(), p); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return out, bodies
}

func TestRequestsOfAReceiverChange(t *testing.T) {
	for _, receiver := range []string{"slack", "pagerduty", "teams", "jsm", "incidentio", "oncall"} {
		var b bytes.Buffer
		pages := samples(t)
		for _, name := range slices.Sorted(maps.Keys(pages)) {
			requests, bodies := asked(t, receiver, pages[name])
			for i, r := range requests {
				b.WriteString("== " + name + ": " + r.Method + " " + strings.ReplaceAll(r.URL.String(), canary, "SECRET") + "\n")
				if err := json.Indent(&b, bytes.ReplaceAll(bodies[i], []byte(canary), []byte("SECRET")), "", " "); err != nil {
					t.Fatalf("%s: %v", receiver, err)
				}
			}
		}
		same(t, receiver+".txt", b.Bytes())
	}
}

// same compares a text with a golden file.
func same(t *testing.T, file string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if *update {
		if err := os.WriteFile(path, got, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: got\n%s", path, got)
	}
}

// sameAs decodes a body into the vendor's own type and checks that nothing is lost: every member is one that the type has.
func sameAs(t *testing.T, body []byte, into any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	again, err := json.Marshal(into)
	if err != nil {
		t.Fatal(err)
	}
	var was, is any
	if json.Unmarshal(body, &was) != nil || json.Unmarshal(again, &is) != nil {
		t.Fatal("not JSON")
	}
	for key, v := range was.(map[string]any) {
		if !reflect.DeepEqual(is.(map[string]any)[key], v) {
			t.Errorf("%s is %v, and in the vendor's type %v", key, v, is.(map[string]any)[key])
		}
	}
}

func TestEventThatPagerDutyDoesNotKnow(t *testing.T) {
	for name, p := range samples(t) {
		_, bodies := asked(t, "pagerduty", p)
		var e pagerduty.V2Event
		sameAs(t, bodies[0], &e)
		want := map[incident.Kind]string{incident.Resolved: "resolve", incident.Acknowledged: "acknowledge"}[p.Kind]
		if want == "" {
			want = "trigger"
		}
		if e.Action != want || e.DedupKey != p.Incident || len(bodies) != 1 || len(bodies[0]) > 512<<10 {
			t.Errorf("%s: %s of %s, %d bytes", name, e.Action, e.DedupKey, len(bodies[0]))
		}
		if e.Payload == nil {
			continue
		}
		if utf8.RuneCountInString(e.Payload.Summary) > 1024 || e.Payload.Source == "" ||
			!slices.Contains([]string{"critical", "error", "warning", "info"}, e.Payload.Severity) {
			t.Errorf("%s: %+v", name, e.Payload)
		}
		if _, err := time.Parse(time.RFC3339, e.Payload.Timestamp); err != nil {
			t.Error(err)
		}
	}
	long := incident.Page{Incident: strings.Repeat("i", 600)}
	other := incident.Page{Incident: strings.Repeat("i", 599) + "j"}
	if a, b := incidentKey(long.Incident, 255), incidentKey(other.Incident, 255); len(a) != 255 || a == b {
		t.Errorf("keys %s and %s", a, b)
	}
}

// The paths and bodies are those of the vendor's own client.
func TestAlertThatOpsgeniesClientWouldNotSend(t *testing.T) {
	for name, p := range samples(t) {
		requests, bodies := asked(t, "jsm", p)
		alias := p.Incident
		note := &jsm.AddNoteRequest{IdentifierType: jsm.ALIAS, IdentifierValue: alias, Note: "x"}
		switch p.Kind {
		case incident.Opened, incident.Updated:
			var c jsm.CreateAlertRequest
			sameAs(t, bodies[0], &c)
			if err := c.Validate(); err != nil || c.Alias != alias || utf8.RuneCountInString(c.Message) > 130 ||
				utf8.RuneCountInString(c.Description) > 15000 || utf8.RuneCountInString(c.Entity) > 512 || utf8.RuneCountInString(c.Source) > 100 {
				t.Errorf("%s: %v %+v", name, err, c)
			}
			if requests[0].URL.Path != c.ResourcePath() || requests[0].Method != c.Method() || len(requests) != map[incident.Kind]int{
				incident.Opened: 1, incident.Updated: 2}[p.Kind] {
				t.Errorf("%s: %d requests, the first %s %s", name, len(requests), requests[0].Method, requests[0].URL)
			}
			if p.Kind == incident.Updated {
				var n struct{ User, Source, Note string }
				sameNote(t, bodies[1], &n)
				samePath(t, requests[1], note.ResourcePath(), note.RequestParams())
			}
		case incident.Acknowledged:
			ack := &jsm.AcknowledgeAlertRequest{IdentifierType: jsm.ALIAS, IdentifierValue: alias}
			samePath(t, requests[0], ack.ResourcePath(), ack.RequestParams())
		case incident.Resolved:
			closing := &jsm.CloseAlertRequest{IdentifierType: jsm.ALIAS, IdentifierValue: alias}
			samePath(t, requests[0], closing.ResourcePath(), closing.RequestParams())
		}
		if got := requests[0].Header.Get("Authorization"); got != "GenieKey "+canary {
			t.Errorf("%s: authorization %q", name, got)
		}
	}
}

func sameNote(t *testing.T, body []byte, into any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Error(err)
	}
}

func samePath(t *testing.T, r *http.Request, path string, params map[string]string) {
	t.Helper()
	if r.URL.Path != path || r.URL.Query().Get("identifierType") != params["identifierType"] {
		t.Errorf("%s, and the vendor's client asks %s with %v", r.URL, path, params)
	}
}

func TestBlocksThatSlacksClientDoesNotKnow(t *testing.T) {
	for name, p := range samples(t) {
		_, bodies := asked(t, "slack", p)
		var m struct {
			Text   string
			Blocks slack.Blocks
		}
		if err := json.Unmarshal(bodies[0], &m); err != nil {
			t.Fatal(err)
		}
		var raw struct{ Blocks []map[string]any }
		again, err := json.Marshal(m.Blocks)
		if err != nil || json.Unmarshal(bodies[0], &raw) != nil {
			t.Fatal(err)
		}
		again = bytes.ReplaceAll(again, []byte(`,"border":0`), nil) // its types cannot leave it out
		var is []map[string]any
		if err := json.Unmarshal(again, &is); err != nil || !reflect.DeepEqual(is, raw.Blocks) {
			want, _ := json.Marshal(raw.Blocks)
			t.Errorf("%s: %v, the vendor's types read\n%s of\n%s", name, err, again, want)
		}
		head := m.Blocks.BlockSet[0].(*slack.HeaderBlock)
		if err := head.Text.Validate(); err != nil || utf8.RuneCountInString(head.Text.Text) > 150 || len(m.Blocks.BlockSet) > 50 {
			t.Errorf("%s: %v %d blocks", name, err, len(m.Blocks.BlockSet))
		}
		if utf8.RuneCountInString(m.Text) > 4000 || strings.ContainsAny(m.Text, "<>") {
			t.Errorf("%s: text %q", name, m.Text)
		}
	}
}

func TestCardThatTeamsDoesNotKnow(t *testing.T) {
	for name, p := range samples(t) {
		_, bodies := asked(t, "teams", p)
		var m adaptivecard.Message
		if err := json.Unmarshal(bodies[0], &m); err != nil {
			t.Fatal(err)
		}
		if err := m.Validate(); err != nil || len(bodies[0]) > 28<<10 || len(m.Attachments) != 1 {
			t.Errorf("%s: %v, %d bytes", name, err, len(bodies[0]))
		}
		for _, e := range m.Attachments[0].Content.Body {
			if e.Type != adaptivecard.TypeElementRichTextBlock { // a TextBlock reads Markdown
				t.Errorf("%s: an element %s", name, e.Type)
			}
		}
	}
	huge := *samples(t)["denied"]
	for _, r := range []string{"x", "日", "🙂", `"`, "\x01"} {
		huge.Summary, huge.Caller, huge.Rarity = strings.Repeat(r, 50_000), strings.Repeat(r, 50_000), strings.Repeat(r, 50_000)
		huge.RunKey, huge.ResolveRule, huge.AgentID, huge.Tenant = huge.Summary, huge.Summary, huge.Summary, huge.Summary
		for i := range huge.Contributions {
			huge.Contributions[i].Feature = "errors " + huge.Summary
		}
		for _, receiver := range []string{"teams", "pagerduty", "jsm", "slack", "incidentio", "oncall"} {
			_, bodies := asked(t, receiver, &huge)
			if limit := map[string]int{"teams": 28 << 10}[receiver]; len(bodies[0]) > max(limit, 200_000) || limit > 0 && len(bodies[0]) > limit {
				t.Errorf("%s: %d bytes", receiver, len(bodies[0]))
			}
			if !utf8.Valid(bodies[0]) || !bytes.Contains(bodies[0], []byte("…")) {
				t.Errorf("%s is cut without a mark", receiver)
			}
		}
	}
}

// No text of an agent is markup in any of the formats: the places where Slack and Teams read none, and the escapes elsewhere.
func TestTextOfAnAgentIsMarkup(t *testing.T) {
	p := samples(t)["hostile"]
	for _, receiver := range []string{"slack", "slack webhook", "pagerduty", "teams", "jsm", "incidentio", "oncall", "alertmanager"} {
		_, bodies := asked(t, receiver, p)
		for _, body := range bodies {
			var tree any
			if err := json.Unmarshal(body, &tree); err != nil {
				t.Fatal(err)
			}
			eachText(tree, func(path, s string) {
				for _, r := range s {
					if !unicode.IsPrint(r) && r != '\n' && r != '\u200b' {
						t.Errorf("%s %s contains %U: %q", receiver, path, r, s)
					}
				}
				for _, bad := range []string{"<!channel>", "<https://evil", "](http", "@everyone", "<script", "`c`", "javascript:"} {
					if strings.Contains(s, bad) {
						t.Errorf("%s %s contains %s: %q", receiver, path, bad, s)
					}
				}
			})
		}
	}
}

// eachText visits the strings of a JSON value.
func eachText(v any, visit func(path, s string)) {
	switch v := v.(type) {
	case string:
		visit("", v)
	case []any:
		for _, x := range v {
			eachText(x, func(path, s string) { visit("[]"+path, s) })
		}
	case map[string]any:
		for k, x := range v {
			visit("key", k)
			eachText(x, func(path, s string) { visit("."+k+path, s) })
		}
	}
}
