package approval

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"flyball/detect/enforce"
	"flyball/schema"
)

const sec = int64(1e9)

type log struct {
	*State
	n, clock int64
}

func (l *log) do(kind schema.CommandKind, g schema.Gate, change func(*schema.Command)) (enforce.ResultCode, *schema.Gate) {
	l.n++
	c := &schema.Command{Kind: kind, Tenant: "t", By: "ann", Reason: "r", Gate: &g}
	if change != nil {
		change(c)
	}
	at := enforce.LogPosition{Offset: l.n - 1, Time: l.clock}
	l.Advance(at)
	r, events := l.Apply(at, c)
	if len(events) > 0 {
		return r.Code, events[0].Gate
	}
	out, _ := l.Get(r.Ref)
	return r.Code, out
}

func question(resource string) schema.Gate {
	return schema.Gate{Binding: schema.BindingAll, Holder: "run:1", Route: "DELETE /orders/{id}", Resource: resource, Mode: schema.ModeArmed,
		CredentialID: "k", AgentID: "a", RunKey: "r"}
}

func query(resource string) *Query {
	return &Query{Tenant: "t", Holder: "run:1", Route: "DELETE /orders/{id}", Resource: resource}
}

func TestStormOfOneRunAndRouteIsOneQuestion(t *testing.T) {
	l := &log{State: New()}
	_, first := l.do(schema.CommandAsk, question("order:1"), nil)
	for i := range 1000 {
		if o, g := l.do(schema.CommandAsk, question(fmt.Sprint("order:", i)), nil); o != enforce.AlreadyAsked || g.ID != first.ID {
			t.Fatalf("%s %v", o, g)
		}
	}
	if n, _ := l.Pending(); n != 1 {
		t.Fatalf("%d questions", n)
	}
}

func TestGrantIsBoundToItsResourceAndUsedOnce(t *testing.T) {
	l := &log{State: New()}
	_, g := l.do(schema.CommandAsk, question("order:1"), nil)
	if _, usable := l.Find(query("order:1"), l.clock); usable {
		t.Fatal("usable before anybody said yes")
	}
	if o, _ := l.do(schema.CommandGrant, schema.Gate{ID: g.ID}, nil); o != enforce.ApprovalGranted {
		t.Fatal(o)
	}
	if _, usable := l.Find(query("order:2"), l.clock); usable {
		t.Fatal("a yes to order 1 was used for order 2")
	}
	for name, other := range map[string]Query{"run": {Tenant: "t", Holder: "run:2", Route: g.Route, Resource: "order:1"},
		"route":  {Tenant: "t", Holder: g.Holder, Route: "DELETE /x", Resource: "order:1"},
		"tenant": {Tenant: "u", Holder: g.Holder, Route: g.Route, Resource: "order:1"}} {
		if _, usable := l.Find(&other, l.clock); usable {
			t.Errorf("a yes was used by another %s", name)
		}
	}
	have, usable := l.Find(query("order:1"), l.clock)
	if !usable || have.ID != g.ID {
		t.Fatal("the yes cannot be used")
	}
	if o, _ := l.do(schema.CommandUse, schema.Gate{ID: g.ID}, nil); o != enforce.GrantUsed {
		t.Fatal(o)
	}
	if o, _ := l.do(schema.CommandUse, schema.Gate{ID: g.ID}, nil); o != enforce.NotPending {
		t.Fatalf("replayed: %s", o)
	}
	if o, again := l.do(schema.CommandAsk, question("order:1"), nil); o != enforce.ApprovalAsked || again.ID == g.ID {
		t.Fatalf("the next call must ask anew: %s", o)
	}
}

func TestGrantOfArgumentsIsOfTheseArguments(t *testing.T) {
	l := &log{State: New()}
	q := question("")
	q.ArgsDigest = "abc"
	_, g := l.do(schema.CommandAsk, q, nil)
	l.do(schema.CommandGrant, schema.Gate{ID: g.ID}, nil)
	other := query("")
	other.ArgsDigest = "abd"
	if _, usable := l.Find(other, 0); usable {
		t.Fatal("a yes to one refund was used for another")
	}
	other.ArgsDigest = "abc"
	if _, usable := l.Find(other, 0); !usable {
		t.Fatal("the yes cannot be used")
	}
}

func TestNoAnswerIsNoAndIsNotAskedAgainAtOnce(t *testing.T) {
	l := &log{State: New()}
	_, g := l.do(schema.CommandAsk, question("order:1"), nil)
	l.clock = approvalTimeout
	l.Advance(enforce.LogPosition{Offset: 49, Time: l.clock})
	if have, usable := l.Find(query("order:1"), l.clock); usable || have == nil || have.State != schema.GateTimedOut {
		t.Fatalf("%+v", have)
	}
	if o, _ := l.do(schema.CommandGrant, schema.Gate{ID: g.ID}, nil); o != enforce.NotPending {
		t.Fatalf("granted after it had timed out: %s", o)
	}
	if o, _ := l.do(schema.CommandAsk, question("order:1"), nil); o != enforce.AlreadyAsked {
		t.Fatalf("asked again at once: %s", o)
	}
	l.clock += refusalTTL
	if o, _ := l.do(schema.CommandAsk, question("order:1"), nil); o != enforce.ApprovalAsked {
		t.Fatalf("a no stands for ever: %s", o)
	}
}

func TestGrantEnds(t *testing.T) {
	l := &log{State: New()}
	_, g := l.do(schema.CommandAsk, question("order:1"), nil)
	l.do(schema.CommandGrant, schema.Gate{ID: g.ID, Uses: 5}, func(c *schema.Command) { c.TTL = 10 * sec })
	if _, usable := l.Find(query("order:1"), 10*sec); usable {
		t.Fatal("used after its end")
	}
	l.clock = 10 * sec
	if o, _ := l.do(schema.CommandUse, schema.Gate{ID: g.ID}, nil); o != enforce.NotPending {
		t.Fatal(o)
	}
}

func TestEndOfTheTaskEndsItsGrants(t *testing.T) {
	l := &log{State: New()}
	_, g := l.do(schema.CommandAsk, question("order:1"), nil)
	l.do(schema.CommandGrant, schema.Gate{ID: g.ID}, nil)
	if e := l.EndRun(enforce.LogPosition{Offset: 8, Time: l.clock}, "t", "a", "r"); len(e) != 1 {
		t.Fatal("no event")
	}
	if _, usable := l.Find(query("order:1"), l.clock); usable {
		t.Fatal("a yes outlived its task")
	}
}

func TestInventedRunsDoNotFillTheQueue(t *testing.T) {
	l := &log{State: New()}
	outcomes := map[enforce.ResultCode]int{}
	for i := range 5000 {
		q := question("order:1")
		q.Holder = fmt.Sprint("run:", i)
		o, _ := l.do(schema.CommandAsk, q, nil)
		outcomes[o]++
	}
	if outcomes[enforce.ApprovalAsked] != maxPendingPerCredential || len(l.byID) != maxPendingPerCredential {
		t.Fatalf("%v", outcomes)
	}
	other := question("order:1")
	other.CredentialID, other.Holder = "k2", "run:other"
	if o, _ := l.do(schema.CommandAsk, other, nil); o != enforce.ApprovalAsked {
		t.Fatalf("another credential is kept from asking: %s", o)
	}
	// In the end all gates are removed.
	for range 3 {
		l.clock += approvalTimeout + refusalTTL
		l.Advance(enforce.LogPosition{Offset: 9998, Time: l.clock})
	}
	if len(l.byID)+len(l.at)+len(l.order)+len(l.byAsker) != 0 {
		t.Fatalf("%d %d %d %d left", len(l.byID), len(l.at), len(l.order), len(l.byAsker))
	}
}

// An anonymous caller asks with a new key for each question, under the name of an agent that has a
// manifest: the questions of that agent and of all others are still asked.
func TestGateStormOfClaimedCallersTakesNobodysQuestions(t *testing.T) {
	claimed, proven, established := schema.StandingClaimed, schema.StandingProven, schema.StandingEstablished
	l := &log{State: New()}
	outcomes := map[enforce.ResultCode]int{}
	for i := range 5000 {
		q := question("order:1")
		q.Holder, q.CredentialID, q.AgentID, q.Standing = fmt.Sprint("run:", i), fmt.Sprint("invented", i), "reg/bot", &claimed
		if i%2 == 0 {
			q.CredentialID = "" // counted by its agent's name
		}
		o, _ := l.do(schema.CommandAsk, q, nil)
		outcomes[o]++
	}
	if outcomes[enforce.ApprovalAsked] != maxPending[claimed] {
		t.Errorf("%v; claimed callers have %d", outcomes, maxPending[claimed])
	}
	for _, of := range []*schema.Standing{&proven, &established, nil} {
		for i := range maxPendingPerCredential {
			q := question("order:1")
			q.Holder, q.CredentialID, q.AgentID, q.Standing = fmt.Sprint("real:", of, i), "", "reg/bot", of
			if of == nil {
				q.AgentID = "other/bot"
			}
			if o, _ := l.do(schema.CommandAsk, q, nil); o != enforce.ApprovalAsked {
				t.Fatalf("question %d of %v: %s", i, of, o)
			}
		}
	}
	restored := Restore(l.Snapshot())
	if !reflect.DeepEqual(restored.pending, l.pending) || !reflect.DeepEqual(restored.byAsker, l.byAsker) {
		t.Error("a restart counts otherwise")
	}
}

func TestObservedQuestionAsksNobody(t *testing.T) {
	l := &log{State: New()}
	q := question("order:1")
	q.Mode = schema.ModeObserve
	if o, _ := l.do(schema.CommandAsk, q, nil); o != enforce.Recorded {
		t.Fatal(o)
	}
	if n, _ := l.Pending(); n != 0 {
		t.Fatal("somebody is asked")
	}
}

func TestWiderGrantIsWhatItsGiverSays(t *testing.T) {
	l := &log{State: New()}
	_, g := l.do(schema.CommandAsk, question("order:1"), nil)
	l.do(schema.CommandGrant, schema.Gate{ID: g.ID, Uses: 2, Resource: "order:1*"}, nil)
	for resource, want := range map[string]bool{"order:12": true, "order:2": false, "": false} {
		if _, usable := l.Find(query(resource), l.clock); usable != want {
			t.Errorf("%q: %v", resource, usable)
		}
	}
}

// A grant of the version that bound fewer properties covers no call now: the call needs a new
// question.
func TestYesOfTheVersionBeforeIsAskedForAnew(t *testing.T) {
	old := question("order:1")
	old.Binding = 0
	old.ID, old.Tenant, old.State, old.Uses, old.Expires = "g_old", "t", schema.GateGranted, 3, 100*sec
	waiting := old
	waiting.ID, waiting.State, waiting.Uses, waiting.Holder = "g_waits", schema.GatePending, 0, "run:2"
	l := &log{State: Restore([]*schema.Gate{&old, &waiting}), clock: sec}
	if have, usable := l.Find(query("order:1"), l.clock); usable || have != nil {
		t.Fatalf("an old yes passes: %+v", have)
	}
	if o, g := l.do(schema.CommandAsk, question("order:1"), nil); o != enforce.ApprovalAsked || g.ID == "g_old" {
		t.Fatalf("not asked anew: %s", o)
	}
	// A question that waits can be answered; the grant then binds the same few properties.
	if o, _ := l.do(schema.CommandGrant, schema.Gate{ID: "g_waits"}, nil); o != enforce.ApprovalGranted {
		t.Fatal(o)
	}
	second := query("order:1")
	second.Holder = "run:2"
	if _, usable := l.Find(second, l.clock); usable {
		t.Fatal("an old question's yes passes")
	}
}

// A command that a point of the previous version writes is applied by the rule of that version: all
// points that read the log reach the same state.
func TestQuestionOfTheVersionBeforeIsFoldedAsItWas(t *testing.T) {
	l := &log{State: New()}
	old := question("order:1")
	old.Binding = 0
	_, g := l.do(schema.CommandAsk, old, nil)
	l.do(schema.CommandGrant, schema.Gate{ID: g.ID}, nil)
	if o, have := l.do(schema.CommandAsk, old, nil); o != enforce.AlreadyAsked || have.ID != g.ID {
		t.Fatalf("%s", o)
	}
	other := old
	other.Resource = "order:2"
	if o, _ := l.do(schema.CommandAsk, other, nil); o != enforce.ApprovalAsked {
		t.Fatalf("another resource: %s", o)
	}
}

func TestYesHoldsWhateverWasKnown(t *testing.T) {
	full := question("order:1")
	full.ArgsDigest, full.QueryDigest, full.Amount, full.Currency = "a", "q", "60", "EUR"
	known := *queryOf(&full)
	known.Tenant = "t"
	for what, change := range map[string]func(*Query){
		"amount": func(q *Query) { q.Amount = "999999" }, "amount unknown": func(q *Query) { q.Amount = "" },
		"currency": func(q *Query) { q.Currency = "KWD" }, "currency unknown": func(q *Query) { q.Currency = "" },
		"query": func(q *Query) { q.QueryDigest = "r" }, "arguments": func(q *Query) { q.ArgsDigest = "b" },
		"arguments unknown": func(q *Query) { q.ArgsDigest = "" }, "resource": func(q *Query) { q.Resource = "order:2" },
		"resource unknown": func(q *Query) { q.Resource = "" }, "route": func(q *Query) { q.Route = "DELETE /x" },
	} {
		l := &log{State: New()}
		_, g := l.do(schema.CommandAsk, full, nil)
		l.do(schema.CommandGrant, schema.Gate{ID: g.ID}, nil)
		other := known
		change(&other)
		if _, usable := l.Find(&other, 0); usable {
			t.Errorf("another %s passes", what)
		}
		if _, usable := l.Find(&known, 0); !usable {
			t.Errorf("%s: the call that the yes is of does not pass", what)
		}
	}
}

// A route has other names after learning, an order or a declaration: nobody is asked again, and a refusal stays.
func TestRenamedRouteIsAskedAgain(t *testing.T) {
	const pinned, otherNames = "DELETE /shop/{kind}/{name}", "DELETE /shop/{a}/{b}"
	const byWords, narrower = "DELETE /shop/items/sale", "DELETE /shop/items/{x}"
	call := func(name string, spellings ...string) *Query {
		return &Query{Tenant: "t", Holder: "run:1", Route: name, Spellings: spellings, Resource: "of " + name, ArgsDigest: "d"}
	}
	with := func(q *Query, change func(*Query)) *Query {
		change(q)
		return q
	}
	for what, tc := range map[string]struct {
		q              *Query
		found, granted bool
	}{
		"the same name":                 {call(pinned), true, true},
		"other names of parameters":     {call(otherNames), true, true},
		"cleared":                       {call(byWords, otherNames), true, true},
		"learned narrower":              {call(narrower, byWords, pinned), true, true},
		"other arguments":               {with(call(byWords, pinned), func(q *Query) { q.ArgsDigest = "e" }), true, false},
		"another resource":              {with(call(pinned), func(q *Query) { q.Resource = "x" }), true, false},
		"a name that it never had":      {call(byWords), false, false},
		"another method":                {call("PUT /shop/{a}/{b}", "PUT /shop/{kind}/{name}"), false, false},
		"another run":                   {with(call(otherNames, pinned), func(q *Query) { q.Holder = "run:2" }), false, false},
		"another tenant":                {with(call(otherNames, pinned), func(q *Query) { q.Tenant = "u" }), false, false},
		"a tool of the same characters": {call("tool:DELETE /shop/{kind}/{name}"), false, false},
	} {
		for _, answer := range []schema.CommandKind{0, schema.CommandGrant, schema.CommandRefuse} {
			l := &log{State: New()}
			asked := question("of " + pinned)
			asked.Route, asked.ArgsDigest = pinned, "d"
			_, g := l.do(schema.CommandAsk, asked, nil)
			if answer != 0 {
				l.do(answer, schema.Gate{ID: g.ID}, nil)
			}
			have, usable := Restore(l.Snapshot()).Find(tc.q, l.clock)
			if want := answer == schema.CommandGrant && tc.granted; usable != want {
				t.Errorf("%s, answer %v: usable %v", what, answer, usable)
			}
			if want := tc.found && answer != schema.CommandGrant || usable; (have != nil) != want {
				t.Errorf("%s, answer %v: found %+v", what, answer, have)
			}
		}
	}
}

// Whoever widened a grant did so for the route that the page showed: it is no grant of another route that a path could have.
func TestWidenedGrantPassesAnotherRoute(t *testing.T) {
	l := &log{State: New()}
	asked := question("item:1")
	asked.Route = "DELETE /shop/items/{slug}"
	_, g := l.do(schema.CommandAsk, asked, nil)
	l.do(schema.CommandGrant, schema.Gate{ID: g.ID, Uses: 9, Resource: "*"}, nil)
	for name, want := range map[string]bool{"DELETE /shop/items/{slug}": true, "DELETE /shop/items/{name}": true,
		"DELETE /shop/items/sale": false} {
		q := &Query{Tenant: "t", Holder: "run:1", Route: name, Spellings: []string{asked.Route}, Resource: "item:sale"}
		if _, usable := l.Find(q, l.clock); usable != want {
			t.Errorf("%s: %v", name, usable)
		}
	}
}

// The version before wrote these gates: they are found by all names of their routes.
func TestGatesOfTheVersionBeforeAreNotFound(t *testing.T) {
	var gates []*schema.Gate
	if err := json.Unmarshal([]byte(`[{"gate_id":"g_2ip2oikskzvj5wib","tenant":"t","holder":"run:1","run_key":"r","agent_id":"a","credential_id":"k",
		"route":"DELETE /shop/{kind}/{name}","resource":"shop:sale","binding":2,"args_digest":"d","why":"","so_far":{"calls":0,"irreversible":0},
		"mode":"armed","state":"granted","generation":2,"asked_at_ns":1,"expires_ns":900000000001,"by":"ann","reason":"r","uses":1},
		{"gate_id":"g_x","tenant":"t","holder":"run:1","route":"DELETE /shop/items/{slug}","binding":2,"why":"","so_far":{"calls":0,"irreversible":0},
		"mode":"armed","state":"refused","generation":3,"asked_at_ns":1,"expires_ns":900000000001}]`), &gates); err != nil {
		t.Fatal(err)
	}
	s := Restore(gates)
	q := &Query{Tenant: "t", Holder: "run:1", Route: "DELETE /shop/{a}/{b}", ArgsDigest: "d"}
	if g, usable := s.Find(q, 1); !usable || g.ID != "g_2ip2oikskzvj5wib" {
		t.Errorf("the grant: %+v", g)
	}
	q = &Query{Tenant: "t", Holder: "run:1", Route: "DELETE /shop/items/sale", Spellings: []string{"DELETE /shop/items/{x}"}}
	if g, usable := s.Find(q, 1); usable || g == nil || g.State != schema.GateRefused {
		t.Errorf("the refusal: %+v", g)
	}
}
