package schema

import (
	"encoding/json"
	"math"
	"testing"
)

// Ids of findings, decisions, pages, gates and events are stored and sent to pagers: they must
// be the same in every release.
func TestIDsStayWhatTheyAre(t *testing.T) {
	run := RunID{1, 2, 3}
	finding := &Finding{ID: FindingID(run, FamilyLoop), Version: 7, Call: CallRef{3, 40, 2}}
	for name, got := range map[string]string{
		"finding":  FindingID(run, FamilyLoop),
		"decision": DecisionID("f_1", 2),
		"page":     PageID("f_1", "opened"),
		"incident": IncidentID("f_1", "default"),
		"gate":     GateID("default", "run:1", "DELETE /orders/{id}", 1),
		"task":     TaskID("default", "billing/bot", "task-7"),
		"event":    FindingEvent(finding).ID,
		"breaker":  BreakerEvent(&Breaker{Tenant: "default", Scope: Scope{ScopeRun, "r"}, Generation: 9, State: BreakerOpen}).ID,
		"bypass":   BypassEvent(&Bypass{Tenant: "default", Generation: 9}).ID,
		"of agent": BypassEvent(&Bypass{Tenant: "default", Agent: "bot", Generation: 9}).ID,
	} {
		if want := goldenIDs[name]; got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if FindingID(run, "a") == FindingID(run, "b") || PageID("f_1", "2") == PageID("f_12", "") {
		t.Error("two things have one id")
	}
}

var goldenIDs = map[string]string{
	"finding": "f_zbs72pshmagncdsn", "decision": "d_fvkrmb4cufwiyrpy", "page": "p_2wkrp4zkbj3xzmfh",
	"incident": "i_iiy46fql4ud7p3iz", "gate": "g_2spgftsaa2mdeqj6",
	"task":  "t_jgr7xdpqakja3o6k",
	"event": "e_5tib2uyctih5uc7t", "breaker": "e_cpkqc6pwfpcmrmwg", "bypass": "e_rfimworv6ws2kgef", "of agent": "e_pgwomnv5346bgchm",
}

// JSON omits an unknown number, and reading the JSON gives an unknown number again. A real
// zero is not lost, and an infinity does not make the document invalid.
func TestUnknownNumbersAreLeftOut(t *testing.T) {
	for name, c := range map[string]struct {
		in   Contribution
		want string
	}{
		"unknown": {Contribution{Feature: "f", Observed: Unknown, Usual: Unknown, Peers: Unknown, Humans: Unknown, Score: Unknown},
			`{"feature":"f"}`},
		"zero": {Contribution{Feature: "f", Observed: 0, Usual: 1.5, Peers: Unknown, Humans: Unknown, Score: Unknown},
			`{"feature":"f","observed":0,"usual":1.5}`},
	} {
		b, err := json.Marshal(&c.in)
		if err != nil || string(b) != c.want {
			t.Errorf("%s: %s, want %s; %v", name, b, c.want, err)
		}
		var back Contribution
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if again, err := json.Marshal(&back); err != nil || string(again) != c.want {
			t.Errorf("%s: read and written again %s; %v", name, again, err)
		}
		if math.IsNaN(float64(back.Observed)) != math.IsNaN(float64(c.in.Observed)) {
			t.Errorf("%s: observed is %v", name, back.Observed)
		}
	}
	var c Contribution
	if err := json.Unmarshal([]byte(`{"feature":"f","observed":null}`), &c); err != nil || !c.Observed.IsZero() {
		t.Errorf("null reads as %v, %v", c.Observed, err)
	}
	for _, v := range []float64{math.Inf(1), math.Inf(-1)} {
		b, err := json.Marshal(&Contribution{Feature: "f", Observed: OptionalFloat(v)})
		if err != nil {
			t.Errorf("%v: %v", v, err)
		}
		var back Contribution
		if err := json.Unmarshal(b, &back); err != nil || !back.Observed.IsZero() {
			t.Errorf("%v is written as %s and read as %v; %v", v, b, back.Observed, err)
		}
	}
}

// Versions grow with the position in the log, and an item number that is too large does not
// change the offset.
func TestVersionsGrowWithTheLog(t *testing.T) {
	var last uint64
	for i, r := range []CallRef{{0, 0, 1}, {0, 0, 511}, {0, 1, 0}, {0, 1, 511}, {0, 2, 0}} {
		if v := r.Version(); v <= last {
			t.Errorf("%d: version %d of %s is not above %d", i, v, r, last)
		} else {
			last = v
		}
	}
	if (CallRef{0, 1, 9999}).Version() >= (CallRef{0, 2, 0}).Version() {
		t.Error("a far item is above the next offset")
	}
}
