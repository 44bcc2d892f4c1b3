package ocsf

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"flyball/schema"
)

var producer = Producer{Version: "1.2.3", Deployment: "d_01020304", Key: []byte(strings.Repeat("k", 32))}

// hostile is what an agent can put into a path, a User-Agent or its name.
const hostile = "a|b=c\\d\nCEF:0|x|x|1|1|owned|10|\r\u2028e\u202e<script>\x1b[31m\x00\"'%0a ; cs1=other"

func validator(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	f, err := os.Open("testdata/" + name + ".schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(name+".json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// check validates an event against the schema of its class, and its integrity after a way through JSON.
func check(t *testing.T, class string, e Event, err error) Event {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	text, err := e.JSON()
	if err != nil {
		t.Fatal(err)
	}
	if strings.ContainsAny(string(text), "\n\r") {
		t.Errorf("the event has a line break: %q", text)
	}
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	if err := validator(t, class).Validate(doc); err != nil {
		t.Errorf("%s\n%#v", text, err)
	}
	var read Event
	if err := json.Unmarshal(text, &read); err != nil {
		t.Fatal(err)
	}
	if err := Verify(read, producer.Key); err != nil {
		t.Error(err)
	}
	return read
}

func finding() *schema.Finding {
	return &schema.Finding{ID: "f_abc", Version: 7, Tenant: "default", RunID: schema.RunID{1, 2, 3}, RunKey: "run-1", AgentID: "billing/bot",
		AgentTrust: schema.TrustInfrastructure, CredentialID: "k_aaaa", PrincipalID: "mallory@example.org", Family: schema.FamilyDestroy,
		Level: schema.LevelTrip, OpenedAt: 1_764_460_800_000_000_000, UpdatedAt: 1_764_460_801_000_000_000, OnsetAt: 1_764_460_799_000_000_000,
		Score: 31.5, ExpectedRate: 4.6e-189, ExpectedOf: "own", Baseline: "v3", Summary: "deleted 31 orders in 2 s",
		Evidence: []schema.Contribution{{Feature: "deletes", Observed: 31, Usual: 0, Peers: schema.Unknown, Humans: 1}},
		Exposure: schema.Exposure{Calls: 31, Irreversible: 30}, Touched: schema.Touched{Irreversible: 30},
		Decision: &schema.Decision{ID: "d_1", Why: "narrowest", Scope: schema.Scope{Kind: schema.ScopeAgent, Value: "billing/bot"}}}
}

func TestFindingIsAValidDetectionFinding(t *testing.T) {
	for name, change := range map[string]func(*schema.Finding){
		"opened":    func(f *schema.Finding) { f.UpdatedAt = f.OpenedAt },
		"updated":   func(*schema.Finding) {},
		"closed":    func(f *schema.Finding) { f.State, f.Reason = schema.FindingClosed, "the run ended" },
		"exception": func(f *schema.Finding) { f.Exception = "nightly" },
		"rule":      func(f *schema.Finding) { f.ExpectedOf, f.ExpectedRate, f.Evidence = "", 0, nil },
		"empty":     func(f *schema.Finding) { *f = schema.Finding{} },
		"hostile": func(f *schema.Finding) {
			f.AgentID, f.Summary, f.PrincipalID, f.RunKey = hostile, hostile, hostile, hostile
			f.Evidence[0].Feature = hostile
			f.Score = 1e300
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := finding()
			change(f)
			e, err := producer.Finding(f)
			check(t, "detection_finding", e, err)
			if strings.ContainsAny(e.CEF(), "\n\r\x1b\x00\u2028\u202e") {
				t.Errorf("%q", e.CEF())
			}
		})
	}
}

func call() *Call {
	return &Call{ID: "gateway-logs/0/17/0", Tenant: "default", Start: time.UnixMilli(1_764_460_800_123), DurationNs: 5_000_000,
		Method: "DELETE",
		Scheme: "https", Host: "api.example.org", Path: "/orders/7", Route: "/orders/{id}", Effect: "delete", Reverse: "irreversible",
		Outcome: "ok", Status: 204, BytesIn: 12, BytesOut: 1, RequestID: "r-1", ClientIP: "192.0.2.1", UserAgent: "bot/1",
		TraceID: strings.Repeat("1", 32), SpanID: strings.Repeat("2", 16), RunID: "0102", AgentID: "billing/bot", AgentTrust: "infrastructure",
		CallerKind: "agent", CredentialID: "k_aaaa", PrincipalID: "mallory@example.org", Resources: []string{"order:7"}, Model: "m-1"}
}

func TestCallIsAValidAPIActivity(t *testing.T) {
	for name, change := range map[string]func(*Call){
		"delete":       func(*Call) {},
		"empty":        func(c *Call) { *c = Call{} },
		"tool":         func(c *Call) { c.Tool, c.Method, c.Effect = "pay_invoice", "", "pay" },
		"own method":   func(c *Call) { c.Method = "FROBNICATE" },
		"credential":   func(c *Call) { c.PrincipalID, c.AgentID = "", "" },
		"human":        func(c *Call) { c.CallerKind = "human" },
		"failed":       func(c *Call) { c.Outcome, c.Status, c.Error = "denied", 403, "denied by the check" },
		"many":         func(c *Call) { c.Count, c.End = 12, c.Start.Add(time.Minute) },
		"no duration":  func(c *Call) { c.DurationNs = -1 },
		"before epoch": func(c *Call) { c.Start = time.Time{} },
		"hostile": func(c *Call) {
			c.Path, c.UserAgent, c.Host, c.AgentID, c.Error, c.Route, c.Tool = hostile, hostile, hostile, hostile, hostile, hostile, hostile
			c.Resources = []string{hostile, "", ":"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := call()
			change(c)
			e, err := producer.Call(c)
			read := check(t, "api_activity", e, err)
			if _, has := read["ai_agent"]; has == (name == "human" || name == "credential" || name == "empty") {
				t.Errorf("ai_agent: %v", read["ai_agent"])
			}
		})
	}
}

func TestRecordIsAValidAPIActivity(t *testing.T) {
	for name, c := range map[string]schema.Call{
		"empty": {DurationNs: -1},
		"whole": {Source: schema.Source{Topic: "edge", Partition: 3}, Pos: schema.Position{Offset: 17, Item: 2}, Tenant: "default",
			Start: 1_764_460_800_123_000_000, DurationNs: 5e6, Method: "DELETE", Scheme: "https", Host: "api.example.org", Path: "/orders/7",
			Route: "/orders/{id}", Effect: schema.EffectDelete, Reversibility: schema.Irreversible, Outcome: schema.OutcomeOK, Status: 204,
			ClientIP: netip.MustParseAddr("::ffff:192.0.2.1"), TraceID: [16]byte{1}, SpanID: [8]byte{2}, AgentID: "billing/bot",
			AgentTrust: schema.TrustInfrastructure, CallerKind: schema.CallerAgent, CredentialID: "k_aaaa", PrincipalID: "mallory@example.org",
			RunID: schema.RunID{1}, Resources: []schema.Resource{{Type: "order", ID: "7"}}},
		"hostile": {Path: hostile, UserAgent: hostile, Host: hostile, AgentID: hostile, ErrorMessage: hostile, Route: hostile, Method: hostile,
			ClientIP: netip.MustParseAddr("fe80::1%eth0")},
	} {
		t.Run(name, func(t *testing.T) {
			in := FromRecord(&c)
			e, err := producer.Call(&in)
			read := check(t, "api_activity", e, err)
			if name == "whole" && (read.ID() != "edge/3/17/2" || fmt.Sprint(read["src_endpoint"]) != "map[ip:192.0.2.1]") {
				t.Errorf("%v", read)
			}
		})
	}
}

// The extract of the schema refuses what it does not know: a test against a schema that accepts everything proves nothing.
func TestSchemaRefusesAWrongEvent(t *testing.T) {
	for name, wrong := range map[string]func(Event){
		"unknown attribute": func(e Event) { e["flyball"] = 1 },
		"missing required":  func(e Event) { delete(e, "src_endpoint") },
		"value of enum":     func(e Event) { e["activity_id"] = 17 },
		"type":              func(e Event) { e["time"] = "now" },
		"empty agent":       func(e Event) { e["ai_agent"] = object{} },
		"no fingerprint":    func(e Event) { e["attestation_list"] = list(object{}) },
	} {
		e, err := producer.Call(call())
		if err != nil {
			t.Fatal(err)
		}
		wrong(e)
		text, _ := e.JSON()
		doc, _ := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
		if validator(t, "api_activity").Validate(doc) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestRepeatIsAnotherEvent(t *testing.T) {
	a, _ := producer.Finding(finding())
	b, _ := producer.Finding(finding())
	if !reflect.DeepEqual(a, b) || a.ID() == "" {
		t.Errorf("two events of one version of a finding: %q and %q", a.ID(), b.ID())
	}
	later := finding()
	later.Version++
	if c, _ := producer.Finding(later); c.ID() == a.ID() {
		t.Error("two versions of a finding have one id: a receiver would drop the second")
	}
}

func TestChangedEventPassesForTheWrittenOne(t *testing.T) {
	e, err := producer.Finding(finding())
	read := check(t, "detection_finding", e, err)
	read["message"] = "nothing happened"
	if Verify(read, nil) == nil || Verify(read, producer.Key) == nil {
		t.Error("a changed event was verified")
	}
	e, _ = producer.Finding(finding())
	text, _ := e.JSON()
	read = nil
	_ = json.Unmarshal(text, &read)
	if Verify(read, []byte(strings.Repeat("x", 32))) == nil {
		t.Error("the signature fits another key")
	}
}

// parseCEF is a reader of CEF: it splits the header at pipes and the extension at keys, both where they are not escaped.
func parseCEF(t *testing.T, line string) (head []string, fields map[string]string) {
	t.Helper()
	var part strings.Builder
	rest := ""
	for i := 0; i < len(line); i++ {
		if line[i] == '\\' && i+1 < len(line) {
			i++
			part.WriteByte(line[i])
			continue
		}
		if line[i] == '|' {
			head = append(head, part.String())
			part.Reset()
			if len(head) == 7 {
				rest = line[i+1:]
				break
			}
			continue
		}
		part.WriteByte(line[i])
	}
	fields = map[string]string{}
	// A key is a word before an equals sign that is not escaped.
	var key, value string
	var word strings.Builder
	for i := 0; i < len(rest); i++ {
		switch {
		case rest[i] == '\\' && i+1 < len(rest):
			i++
			word.WriteByte(map[byte]byte{'n': '\n', 'r': '\r'}[rest[i]] | map[bool]byte{true: rest[i]}[rest[i] != 'n' && rest[i] != 'r'])
		case rest[i] == '=':
			at := strings.LastIndexByte(word.String(), ' ')
			if key != "" {
				value = word.String()[:at]
				fields[key] = value
			}
			key = word.String()[at+1:]
			word.Reset()
		default:
			word.WriteByte(rest[i])
		}
	}
	fields[key] = word.String()
	return head, fields
}

func TestAgentWritesFieldsIntoCEF(t *testing.T) {
	c := call()
	c.Path, c.UserAgent, c.Tool, c.AgentID = hostile, hostile, hostile, "bot cs2=forged|"
	e, err := producer.Call(c)
	if err != nil {
		t.Fatal(err)
	}
	line := e.Syslog("host name")
	if strings.ContainsAny(line, "\n\r\x1b\x00\u2028\u202e") {
		t.Fatalf("%q", line)
	}
	head, fields := parseCEF(t, line)
	if len(head) != 7 || head[4] != "api_activity" || head[6] != "5" || !strings.HasPrefix(head[0], "<110>1 ") {
		t.Errorf("header %q", head)
	}
	if fields["cs2"] != "0102" || fields["cs1"] != "bot cs2=forged|" || fields["requestMethod"] != "DELETE" || fields["outcome"] != "success" {
		t.Errorf("fields %q", fields)
	}
	if want := "a|b=c\\d\nCEF:0|x|x|1|1|owned|10|\r e <script> [31m \"'%0a ; cs1=other"; fields["request"] != want {
		t.Errorf("path %q\nwant %q", fields["request"], want)
	}
}
