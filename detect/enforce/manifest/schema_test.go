package manifest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"flyball/schema"
)

// Flyball accepts what an editor accepts with the JSON Schema, and refuses what the schema refuses.
// The schema cannot check patterns, time zones and sums: only Flyball refuses those.
func TestSchemaAgreesWithTheReader(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(string(Schema)))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("manifest.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("manifest.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	valid := func(text string) bool {
		raw, err := yaml.YAMLToJSON([]byte(text))
		if err != nil {
			return false
		}
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(string(raw)))
		if err != nil {
			t.Fatal(err)
		}
		return s.Validate(v) == nil
	}
	if !valid(refunds) {
		t.Error("the example of these tests is underlined")
	}
	proposed, err := Propose("bot", "ann", history(), Totals{Calls: 100, Runs: 10, PeakHour: 20})
	if err != nil || !valid(string(proposed)) {
		t.Errorf("a proposal is underlined: %v\n%s", err, proposed)
	}
	readerOnly := map[string]bool{"agent:": true, "comes last": true, "hours.timezone": true, "quotas[0].per": true, "twice": true}
	for text, want := range wrong {
		if valid(text) != readerOnly[want] {
			t.Errorf("%.80q: the schema says %v, the reader refuses it for %s", text, valid(text), want)
		}
	}
}

func history() []Usage {
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	return []Usage{
		{Method: "POST", Route: "/v1/refunds", Reversibility: schema.Irreversible, Calls: 40, Runs: 30, LastAt: at, WithAmount: 40, MaxAmount: 80,
			P95Amount: 41.3, DayAmount: 300, Currency: "EUR", ResourceTypes: []string{"refund"}},
		{Method: "DELETE", Route: "/v1/orders/{id}", Reversibility: schema.Irreversible, Calls: 3, Runs: 3, LastAt: at,
			ResourceTypes: []string{"order"}},
		{Method: "PATCH", Route: "/v1/orders/{id}", Reversibility: schema.Reversible, Calls: 50, Runs: 10, LastAt: at,
			ResourceTypes: []string{"order"}},
		{Tool: "search", Reversibility: schema.ReadOnly, Calls: 70, Runs: 10, LastAt: at},
		{Method: "GET", Route: "/v1/orders", Reversibility: schema.ReadOnly, Calls: 700, Runs: 10, LastAt: at},
	}
}

func TestProposalGrantsWhatWasDoneAndLittleMore(t *testing.T) {
	text, err := Propose("bot", "", history(), Totals{Calls: 863, Runs: 40, Days: 9, PeakHour: 123, PeakIrreversible: 7})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`owner: ""  # nobody is registered`, "alone_below: 42, per_day: 450, currency: EUR",
		`routes: ["DELETE /v1/orders/{id}"], ask: always`, "calls: 250, per: 1h", "irreversible: 14, per: 24h", `"order:*"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	m := must(t, string(text))
	r := m.Check("bot", history())
	if len(r.Unused) > 0 {
		t.Errorf("lines that its own evidence does not use: %v", r.Unused)
	}
	// It asks only for irreversible calls in its evidence and for the large refund.
	if len(r.Violations) != 2 || r.Fits != 820 {
		t.Errorf("%+v", r)
	}
	if a := m.EvaluateUsage("bot", &Usage{Method: "PUT", Route: "/v1/users/{id}",
		Reversibility: schema.Reversible}); a.Action != schema.ActionGate {
		t.Errorf("what was never done is granted: %+v", a)
	}
}

func TestManyReadsAreGrantedByTheirPrefix(t *testing.T) {
	var used []Usage
	for i := range 60 {
		used = append(used, Usage{Method: "GET", Route: "/v1/things" + string(rune('a'+i%26)) + "/{id}/x" + string(rune('a'+i/26)),
			Reversibility: schema.ReadOnly, Calls: 1, Runs: 1})
	}
	text, err := Propose("bot", "x", used, Totals{Calls: 60})
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "GET "); n > 40 {
		t.Errorf("%d lines of reads:\n%s", n, text)
	}
}

func TestReviewSpeaksFromAnswersOnly(t *testing.T) {
	m := must(t, `version: 1
agent: bot
scope: {routes: [GET /v1/**, POST /v1/refunds, "DELETE /v1/orders/{id}", PUT /v1/never]}
autonomy:
  - {routes: [POST /v1/refunds], alone_below: 50, currency: EUR}
  - {routes: ["DELETE /v1/orders/{id}"], ask: always}
`)
	gates := []ApprovalHistory{
		{Route: "POST /v1/refunds", Asked: 8, Granted: 8, MaxAmount: 71, Currency: "EUR"},
		{Route: "DELETE /v1/orders/{id}", Asked: 8, Granted: 7, Refused: 1},
		{Route: "POST /v1/other", Asked: 3, Granted: 3},
	}
	list := m.Review("bot", history(), gates)
	if len(list) != 2 || list[0].Line != "autonomy[0].alone_below" || list[1].Kind != "narrow" || list[1].Line != "scope.routes[3]" {
		t.Fatalf("%+v", list)
	}
	diff, after, err := m.Diff(list)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"-    alone_below: 50", "+    alone_below: 72", "-    - PUT /v1/never"} {
		if !strings.Contains(diff, want) {
			t.Errorf("%q is not in\n%s", want, diff)
		}
	}
	if next := must(t, string(after)); next.Document.Autonomy[0].AloneBelow != 72 || m.Document.Autonomy[0].AloneBelow != 50 {
		t.Error("the change was not made, or made in place")
	}
	gates[0].Findings = 1
	if list := m.Review("bot", history(), gates); len(list) != 1 {
		t.Errorf("widened although something was found since: %+v", list)
	}
}

func TestManifestsSurviveJSON(t *testing.T) {
	m := must(t, refunds)
	text, err := m.Document.Text()
	if err != nil {
		t.Fatal(err)
	}
	again := must(t, string(text))
	a, _ := json.Marshal(m.Document)
	b, _ := json.Marshal(again.Document)
	if string(a) != string(b) {
		t.Errorf("%s\n%s", a, b)
	}
}
