package scope

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"flyball/schema"
)

// call parses a call such as "POST /refunds order:7".
func call(text string) (Access, string) {
	words := strings.Fields(text)
	name := words[0] + " " + words[1]
	var named []schema.Resource
	for _, w := range words[2:] {
		kind, id, _ := strings.Cut(w, ":")
		named = append(named, schema.Resource{Type: kind, ID: id})
	}
	return NewAccess(name, words[0] != "GET", named), name
}

func run(agent, task string, calls ...string) *TrainingRun {
	group, _, _ := strings.Cut(strings.TrimPrefix(agent, "~"), "/")
	r := &TrainingRun{ID: agent + task, Agent: agent, Group: group, Task: task}
	for _, text := range calls {
		c, name := call(text)
		r.Calls, r.Names = append(r.Calls, c), append(r.Names, name)
	}
	return r
}

// of makes n runs with the calls that the function returns for each.
func of(n int, agent, task string, calls func(i int) []string) (out []*TrainingRun) {
	for i := range n {
		r := run(agent, task, calls(i)...)
		r.ID = fmt.Sprint(r.ID, i)
		out = append(out, r)
	}
	return out
}

func refunds(int) []string { return []string{"GET /orders/{} order:1", "POST /refunds account:main"} }

// guard makes a guard from a model that was encoded and decoded, as it is published.
func guard(t *testing.T, runs ...[]*TrainingRun) *Guard {
	t.Helper()
	var all []*TrainingRun
	for _, list := range runs {
		all = append(all, list...)
	}
	text, err := json.Marshal(LearnModel(all))
	if err != nil {
		t.Fatal(err)
	}
	var b Model
	if err := json.Unmarshal(text, &b); err != nil {
		t.Fatal(err)
	}
	return NewGuard(&b)
}

func (g *Guard) ask(agent, task, text string, change ...func(*Query)) Assessment {
	c, _ := call(text)
	group, _, _ := strings.Cut(strings.TrimPrefix(agent, "~"), "/")
	in := Query{Agent: agent, Group: group, Logged: task, Trust: schema.TrustInfrastructure, Access: &c}
	for _, f := range change {
		f(&in)
	}
	return g.Assess(in)
}

func TestWhoseScopeItGoesBy(t *testing.T) {
	g := guard(t, of(12, "shop/own", "refund", refunds), of(6, "shop/b", "refund", refunds), of(60, "shop/busy", "", refunds),
		of(9, "shop/few", "stock", refunds), of(1, "shop/own", "once", refunds))
	for name, tc := range map[string]struct {
		agent, task, call string
		is                Placement
		from, why         string
		runs              uint32
	}{
		"own runs of the task":              {"shop/own", "refund", "POST /refunds account:main", Inside, SourceOwnTask, "", 12},
		"a write that none has made":        {"shop/own", "refund", "POST /users", WriteOutside, SourceOwnTask, "", 12},
		"a target that none has written to": {"shop/own", "refund", "POST /refunds account:thief", TargetOutside, SourceOwnTask, "", 12},
		"a read outside is evidence":        {"shop/own", "refund", "GET /users/{} user:1", ReadOutside, SourceOwnTask, "", 12},
		"another order is no other target":  {"shop/own", "refund", "GET /orders/{} order:2", Inside, SourceOwnTask, "", 12},
		"an agent without runs of the task": {"shop/new", "refund", "POST /users", WriteOutside, SourcePeersTask, "", 18},
		"own runs where no task is known":   {"shop/busy", "", "POST /users", WriteOutside, SourceOwnAny, "", 60},
		"a task that nobody has seen":       {"shop/busy", "never", "POST /refunds account:main", Inside, SourceOwnAny, "", 60},
		"an agent with no history abstains": {"bank/x", "refund", "POST /users", Abstain, SourceNobody, WhyNoHistory, 0},
		"a task seen once abstains":         {"shop/own", "once", "POST /users", Abstain, SourceNobody, WhyFewRuns, 0},
		"a task seen nine times abstains":   {"shop/few", "stock", "POST /users", Abstain, SourceNobody, WhyFewRuns, 0},
	} {
		if a := g.ask(tc.agent, tc.task, tc.call); a.Placement != tc.is || a.Source != tc.from || a.Why != tc.why || a.Runs != tc.runs {
			t.Errorf("%s: %+v, %s", name, a, a.Placement)
		}
	}
}

func TestAgentThatAssertsAWiderTaskGetsNoWiderScope(t *testing.T) {
	admin := func(int) []string { return []string{"DELETE /users/{} team:all"} }
	g := guard(t, of(60, "shop/clerk", "refund", refunds), of(12, "shop/root", "admin", admin), of(12, "shop/root2", "admin", admin))
	asserted := func(in *Query) { in.Trust = schema.TrustAsserted }
	if a := g.ask("shop/clerk", "admin", "DELETE /users/{} team:all", asserted); a.Placement != WriteOutside || a.Source != SourceOwnAny {
		t.Errorf("a clerk that calls its task admin: %s by %s", a.Placement, a.Source)
	}
	if a := g.ask("shop/clerk", "admin", "POST /refunds account:main", asserted); a.Placement != WriteOutside || a.Source != SourcePeersTask {
		t.Errorf("what the task does not do: %s by %s", a.Placement, a.Source)
	}
	declared := func(in *Query) { in.Trust, in.Declared = schema.TrustAsserted, &schema.Task{Type: "admin"} }
	if a := g.ask("shop/clerk", "refund", "DELETE /users/{} team:all", declared); a.Placement != Inside || a.Task != "admin" {
		t.Errorf("a task that an orchestrator declared: %s by %s of %s", a.Placement, a.Source, a.Task)
	}
}

func TestAssertedNameNeitherTeachesNorUsesTheEstablishedOnes(t *testing.T) {
	wide := func(int) []string { return []string{"DELETE /users/{} team:all"} }
	g := guard(t, of(12, "shop/a", "refund", refunds), of(12, "shop/b", "refund", refunds), of(30, "~shop/a", "refund", wide),
		of(30, "~shop/c", "refund", wide))
	if a := g.ask("shop/new", "refund", "DELETE /users/{} team:all"); a.Placement != WriteOutside {
		t.Errorf("asserted names taught their peers: %s by %s, %d runs", a.Placement, a.Source, a.Runs)
	}
	if a := g.ask("~shop/a", "refund", "POST /refunds account:main"); a.Placement != WriteOutside || a.Runs != 30 {
		t.Errorf("a name that was only asserted: %s by %s, %d runs", a.Placement, a.Source, a.Runs)
	}
}

func TestTargetsThatNeverRecurHoldNothing(t *testing.T) {
	fresh := func(i int) []string { return []string{fmt.Sprint("POST /orders/{}/ship order:", i)} }
	g := guard(t, of(40, "shop/a", "ship", fresh))
	if a := g.ask("shop/a", "ship", "POST /orders/{}/ship order:999"); a.Placement != Inside || a.Why != WhyTargetsNew {
		t.Errorf("a new id where ids are new each time: %s, %q", a.Placement, a.Why)
	}
	half := func(i int) []string { return []string{fmt.Sprint("POST /orders/{}/ship order:", i/2*(i%4))} }
	if a := guard(t, of(40, "shop/a", "ship", half)).ask("shop/a", "ship", "POST /orders/{}/ship order:999"); a.Placement != Inside {
		t.Errorf("ids that come back in too few runs: %s", a.Placement)
	}
	rare := func(i int) []string {
		if i < 4 {
			return []string{"POST /refunds account:main", "PUT /limits limit:day"}
		}
		return []string{"POST /refunds account:main"}
	}
	if a := guard(t, of(12, "shop/a", "t", rare)).ask("shop/a", "t", "PUT /limits limit:night"); a.Placement != Inside ||
		a.Why != WhyTargetsUnseen {
		t.Errorf("targets that four runs have named: %s, %q", a.Placement, a.Why)
	}
	more := of(8, "shop/b", "other", func(int) []string { return []string{"PUT /limits limit:day"} })
	if a := guard(t, of(12, "shop/a", "t", rare), more).ask("shop/a", "t", "PUT /limits limit:night"); a.Placement != TargetOutside {
		t.Errorf("targets whose like recur among peers: %s, %q", a.Placement, a.Why)
	}
}

func TestReadThatLeavesForAnotherSiteIsHeld(t *testing.T) {
	page := func(int) []string { return []string{"GET /pages url:https://www.shop.example/help?page=1"} }
	g := guard(t, of(12, "shop/a", "t", page))
	for to, want := range map[string]Placement{"url:http://shop.example/other": Inside, "url:shop.example": Inside,
		"url:https://evil.example/?q=secret":    TargetOutside,
		"url:https://evil.example/shop.example": TargetOutside, "url:https://shop.example@evil.example/": TargetOutside, "order:5": Inside} {
		if a := g.ask("shop/a", "t", "GET /pages "+to); a.Placement != want {
			t.Errorf("%s: %s", to, a.Placement)
		}
	}
}

func TestDeclaredTargetsStandInPlaceOfLearnedOnes(t *testing.T) {
	g := guard(t, of(12, "shop/a", "refund", refunds))
	a := g.ask("shop/a", "refund", "POST /refunds account:other", func(in *Query) {
		in.Declared = &schema.Task{Type: "refund", Targets: []string{"account:other"}}
	})
	if a.Placement != Inside || a.Why != WhyDeclared {
		t.Errorf("%s, %q", a.Placement, a.Why)
	}
	if a := g.ask("shop/a", "refund", "POST /users",
		func(in *Query) { in.Declared = &schema.Task{Targets: []string{"user:*"}} }); a.Placement != WriteOutside {
		t.Errorf("declared targets widened the routes: %s", a.Placement)
	}
}

func TestHijackedRunDoesNotWidenTheScope(t *testing.T) {
	runs := append(of(20, "shop/a", "refund", refunds), of(20, "shop/b", "refund", refunds)...)
	bad := run("shop/a", "refund", "GET /orders/{} order:1", "POST /mail address:thief")
	j := NewLeaveOneOut(DefaultRules(), append(runs, bad))
	if !j.NeedsApproval(bad) {
		t.Error("a write that one run alone has made was not held")
	}
	for _, r := range runs {
		if j.NeedsApproval(r) {
			t.Fatalf("%s was held", r.ID)
		}
	}
	bad.ConfirmedBenign = true
	if NewLeaveOneOut(DefaultRules(), append(runs, bad)).NeedsApproval(bad) {
		t.Error("a run that a person vouched for was held")
	}
	alone := run("shop/a", "refund", "POST /mail address:thief")
	if a := guard(t, runs, []*TrainingRun{alone}).ask("shop/b", "refund", "POST /mail address:thief"); a.Placement != WriteOutside {
		t.Errorf("one hijacked run widened the scope: %s", a.Placement)
	}
	g := guard(t, runs, []*TrainingRun{bad})
	if a := g.ask("shop/a", "refund", "POST /mail address:thief"); a.Placement.NeedsApproval() {
		t.Errorf("what a person vouched for: %s", a.Placement)
	}
	// Two runs that use the same new route add it to the scope, and runs are learned from
	// when one in ten uses it.
	newer := of(4, "shop/a", "refund", func(int) []string { return []string{"POST /credits account:main"} })
	if j := NewLeaveOneOut(DefaultRules(), append(of(20, "shop/a", "refund", refunds), newer...)); j.NeedsApproval(newer[0]) {
		t.Error("a new way that four runs share teaches nothing")
	}
}

func TestTaskTypeIsOnlyWhatComesBack(t *testing.T) {
	seen := map[string]int{"refund": 3, "once": 2}
	n := func(id string) int { return seen[id] }
	for _, tc := range []struct {
		declared *schema.Task
		logged   string
		want     string
	}{{nil, "refund", "refund"}, {nil, "once", ""}, {nil, "", ""}, {&schema.Task{Type: "stock"}, "refund", "stock"}, {&schema.Task{},
		"refund", "refund"}} {
		if got := TaskType(tc.declared, tc.logged, n); got != tc.want {
			t.Errorf("%+v, %q: %q, want %q", tc.declared, tc.logged, got, tc.want)
		}
	}
}

func TestInventedTasksRoutesAndTargetsAreBounded(t *testing.T) {
	var runs []*TrainingRun
	for task := range 40 {
		for i := range 12 {
			r := run("shop/a", fmt.Sprint("task-", task))
			for n := range 300 {
				c, name := call(fmt.Sprintf("POST /r%d x:%d", n, n*10+i%2))
				c2, name2 := call(fmt.Sprintf("PUT /one y:%d", n*5+i%5/4))
				r.Calls, r.Names = append(r.Calls, c, c2), append(r.Names, name, name2)
			}
			runs = append(runs, r)
		}
	}
	b := LearnModel(runs)
	if n := len(b.Own["shop/a"]); n > maxTasks+1 {
		t.Errorf("%d tasks of an agent", n)
	}
	for task, s := range b.Own["shop/a"] {
		if len(s.writes) > maxRoutes || len(s.touched) > maxTargets || len(s.recurs) > maxRecurrences {
			t.Fatalf("%s: %d routes, %d targets, %d recurring", task, len(s.writes), len(s.touched), len(s.recurs))
		}
		if !s.routesCut {
			t.Fatal("routes were cut and it does not say so")
		}
	}
	if a := NewGuard(b).ask("shop/a", "task-0", "POST /never"); a.Placement != Abstain || a.Why != WhyManyRoutes {
		t.Errorf("a route that may have been cut: %s, %q", a.Placement, a.Why)
	}
}

func TestScopesComeBackAsTheyWerePublished(t *testing.T) {
	b := LearnModel(append(of(12, "shop/a", "refund", refunds), of(60, "shop/b", "", refunds)...))
	first, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	var back Model
	if err := json.Unmarshal(first, &back); err != nil {
		t.Fatal(err)
	}
	second, _ := json.Marshal(&back)
	if !reflect.DeepEqual(first, second) {
		t.Errorf("%s\n%s", first, second)
	}
	for name, text := range map[string]string{"half a hash": `{"runs":1,"writes":[],"targets":"AAAA"}`, "no " +
		"base64": `{"runs":1,"writes":[],"targets":"#"}`} {
		if err := json.Unmarshal([]byte(text), &LearnedScope{}); err == nil {
			t.Errorf("%s was read", name)
		}
	}
	if NewGuard(nil) != nil {
		t.Error("a guard without a body")
	}
}

func TestScopeOfAnAgentIsSmall(t *testing.T) {
	size := func(agents int) int {
		var runs []*TrainingRun
		for a := range agents {
			runs = append(runs, of(12, fmt.Sprint("g/agent-", a), "refund", func(i int) []string {
				var calls []string
				for n := range 12 {
					calls = append(calls, fmt.Sprintf("POST /v1/things/{}/part%d thing:%d", n, n),
						fmt.Sprintf("PUT /v1/orders/{}/part%d order:%d", n, 100*i+n))
				}
				return calls
			})...)
		}
		text, err := json.Marshal(LearnModel(runs))
		if err != nil {
			t.Fatal(err)
		}
		return len(text)
	}
	if each := (size(60) - size(30)) / 30; each > 4<<10 {
		t.Errorf("%d bytes an agent with one task of 24 routes", each)
	} else {
		t.Logf("%d bytes an agent", each)
	}
}

func BenchmarkAnswer(b *testing.B) {
	g := NewGuard(LearnModel(append(of(12, "shop/own", "refund", refunds), of(60, "shop/own", "", refunds)...)))
	c, _ := call("POST /refunds account:main")
	in := Query{Agent: "shop/own", Group: "shop", Logged: "refund", Access: &c}
	b.ReportAllocs()
	for b.Loop() {
		if a := g.Assess(in); a.Placement != Inside {
			b.Fatal(a)
		}
	}
}
