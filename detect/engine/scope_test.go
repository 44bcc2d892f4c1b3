package engine

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/detect/model/scope"
	"flyball/detect/policy"
	"flyball/schema"
	"flyball/schema/wire"
)

// taught activates a baseline: two agents refund orders of one account.
func (l *log) taught() {
	l.t.Helper()
	var runs []*scope.TrainingRun
	for i := range 20 {
		r := &scope.TrainingRun{ID: fmt.Sprint(i), Agent: fmt.Sprint("shop/", i%2), Group: "shop", Task: "refund",
			Names: []string{"GET /orders/{}", "POST /refunds"}}
		r.Calls = []scope.Access{scope.NewAccess(r.Names[0], false, nil), scope.NewAccess(r.Names[1], true,
			[]schema.Resource{{Type: "account", ID: "main"}})}
		runs = append(runs, r)
	}
	body := baseline.New("default")
	body.Version, body.Scopes = "default/1", scope.LearnModel(runs)
	body.Calibration = calibrate.FitScores(nil, nil)
	value, err := wire.EncodeDocument(wire.BaselineVersion, body)
	if err != nil {
		l.t.Fatal(err)
	}
	if err := l.client.ProduceSync(context.Background(), &kgo.Record{Topic: wire.BaselinesTopic, Key: []byte(body.Version),
		Value: value}).FirstErr(); err != nil {
		l.t.Fatal(err)
	}
	l.write(wire.EncodeMarks(nil, &wire.Marks{Activate: []wire.Activation{{What: "baseline", Version: body.Version}}}))
}

// calls writes a run's calls: "POST /refunds account main".
func (l *log) calls(from int64, change func(*schema.Call), calls ...[3]string) {
	l.t.Helper()
	var list []*schema.Call
	for i, c := range calls {
		n := from + int64(i)
		call := &schema.Call{Source: schema.Source{Topic: "gw", TopicID: schema.TopicID{7}}, Pos: schema.Position{Offset: n}, Tenant: "default",
			RoutingKey: "g:shop/0", CredentialID: "k", RunKey: fmt.Sprint("run-", from),
			AgentID: "shop/0", AgentTrust: schema.TrustInfrastructure, TaskID: "refund", TaskTrust: schema.TrustAsserted,
			Start: time.Now().UnixNano() + n*1e6, DurationNs: 1e6, Method: c[0], RouteKey: c[1], Effect: schema.EffectRead}
		if c[2] != "" {
			call.Resources = []schema.Resource{{Type: "account", ID: c[2]}}
		}
		change(call)
		list = append(list, call)
	}
	var enc wire.CallsEncoder
	l.write(enc.Encode(nil, list))
}

// findings returns the findings of a family, after n calls are applied.
func (l *log) findings(family string, n int) (out []*schema.Finding) {
	l.t.Helper()
	l.rows(n)
	c, err := kgo.NewClient(append(l.opts, kgo.ConsumeTopics(wire.EventsTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(50*time.Millisecond))...)
	if err != nil {
		l.t.Fatal(err)
	}
	defer c.Close()
	for quiet := 0; quiet < 2; quiet++ {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		for _, r := range c.PollFetches(ctx).Records() {
			if e, err := wire.DecodeEvent(r.Value); err == nil && e.Finding != nil && e.Finding.Family == family {
				out, quiet = append(out, e.Finding), 0
			}
		}
		cancel()
	}
	return out
}

func same(*schema.Call) {}

func TestWriteOutsideOpensOneFindingAndReadOutsideNone(t *testing.T) {
	l := newLog(t)
	l.taught()
	l.start(func(c *Config) { c.Rules.Arming = policy.ParseArming(false, []string{"family:scope"}) })
	l.calls(0, same, [3]string{"GET", "/orders/{}", ""}, [3]string{"GET", "/users", ""}, [3]string{"POST", "/refunds", "main"})
	l.calls(10, same, [3]string{"POST", "/users", ""}, [3]string{"GET", "/secrets", ""}, [3]string{"POST", "/refunds", "thief"},
		[3]string{"POST", "/users", ""}, [3]string{"POST", "/refunds", "thief"})
	got := l.findings(schema.FamilyScope, 8)
	if len(got) != 3 { // at the first, the second and the fourth
		t.Fatalf("%d versions: %+v", len(got), got)
	}
	f, last := got[0], got[2]
	if f.RunKey != "run-10" || f.Level != schema.LevelAlert || f.ID != last.ID || f.Decision == nil ||
		f.Decision.Action != schema.ActionGate || f.Decision.Mode != schema.ModeArmed || last.Decision != nil {
		t.Errorf("%+v, decided %+v", f, f.Decision)
	}
	if last.Exposure.Calls != 4 || last.Evidence[0].Feature != "scope.write_outside POST /users" || last.Evidence[1].Observed != 10 ||
		last.Evidence[2].Feature != "scope.read_outside" {
		t.Errorf("%+v", last)
	}
}

func TestScopeOfAnotherFamilyIsNotArmedByTheAgent(t *testing.T) {
	l := newLog(t)
	l.taught()
	l.start(func(c *Config) {
		c.Rules.Arming = policy.ParseArming(true, []string{"shop/*"})
		c.Rules.Arming.ExplicitOnly = []string{schema.FamilyScope}
	})
	l.calls(0, same, [3]string{"POST", "/users", ""})
	if got := l.findings(schema.FamilyScope, 1); len(got) != 1 || got[0].Decision == nil || got[0].Decision.Mode != schema.ModeObserve {
		t.Fatalf("%+v", got)
	}
}

func TestAgentWithoutHistoryAndScopesThatAreOffOpenNothing(t *testing.T) {
	for name, unscoped := range map[string]bool{"no history": false, "off": true} {
		l := newLog(t)
		l.taught()
		_, stop := l.start(func(c *Config) { c.Unscoped = unscoped })
		l.calls(0, func(c *schema.Call) {
			if !unscoped {
				c.AgentID = "bank/1"
			}
		}, [3]string{"POST", "/users", ""})
		if got := l.findings(schema.FamilyScope, 1); len(got) != 0 {
			t.Errorf("%s: %+v", name, got[0])
		}
		_ = stop()
	}
}

func TestScopeFindingGoesOnAfterARestart(t *testing.T) {
	l := newLog(t)
	l.taught()
	_, stop := l.start()
	l.calls(0, same, [3]string{"POST", "/users", ""})
	l.calls(1, func(c *schema.Call) { c.RunKey = "run-0" }, [3]string{"GET", "/secrets", ""})
	l.rows(2)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	l.start()
	l.calls(2, func(c *schema.Call) { c.RunKey = "run-0" }, [3]string{"POST", "/users", ""})
	got := l.findings(schema.FamilyScope, 3)
	if len(got) != 2 || got[1].Exposure.Calls != 2 || got[1].Evidence[0].Calls[0] != got[0].Call.String() || len(got[1].Evidence) != 3 {
		t.Fatalf("%+v", got)
	}
}

func TestTaskThatTheCheckSawDeclaredIsTheOneToGoBy(t *testing.T) {
	l := newLog(t)
	l.taught()
	l.start()
	l.calls(0, func(c *schema.Call) {
		c.TaskID, c.RunKey = "", "declared"
		if c.Pos.Offset == 0 {
			c.ObserverKind = schema.ObserverGate
			c.SetAttr(schema.AttrTaskType, "refund")
			c.SetAttr(schema.AttrTaskTargets, "declared")
		}
	}, [3]string{"POST", "/refunds", "main"}, [3]string{"POST", "/refunds", "new"}, [3]string{"POST", "/users", ""})
	if got := l.findings(schema.FamilyScope, 3); len(got) != 1 || got[0].Exposure.Calls != 1 {
		t.Fatalf("%+v", got)
	}
}

func TestDisputedIdentityIsOneFindingARun(t *testing.T) {
	l := newLog(t)
	l.start()
	l.calls(0, func(c *schema.Call) { c.AgentAsserted = "billing/bot" }, [3]string{"GET", "/a", ""}, [3]string{"GET", "/b", ""})
	l.calls(10, same, [3]string{"GET", "/a", ""})
	l.calls(20, func(c *schema.Call) {
		if c.Pos.Offset == 20 {
			c.AgentID, c.AgentTrust = "somebody", schema.TrustAsserted
		}
	}, [3]string{"GET", "/a", ""}, [3]string{"GET", "/b", ""})
	l.calls(30, func(c *schema.Call) { c.AgentAsserted, c.ParentAgent = "helper", "shop/0" }, [3]string{"GET", "/a", ""})
	l.calls(40, func(c *schema.Call) {
		c.PrincipalID, c.PrincipalTrust = fmt.Sprint("person-", c.Pos.Offset), schema.TrustVerified
	}, [3]string{"GET", "/a", ""}, [3]string{"GET", "/b", ""})
	got := l.findings(schema.FamilyIdentity, 8)
	var reported []string
	for _, f := range got {
		reported = append(reported, f.RunKey+" "+f.Evidence[0].Feature)
		if alert := f.RunKey == "run-40"; alert != (f.Level == schema.LevelAlert) {
			t.Errorf("%s is told at %s", f.Evidence[0].Feature, f.Level)
		}
	}
	slices.Sort(reported)
	want := []string{"run-0 identity.asserted_name billing/bot", "run-20 identity.asserted_name somebody",
		"run-40 identity.another_principal_on_run_key person-41"}
	if !slices.Equal(reported, want) {
		t.Fatalf("%q, want %q", reported, want)
	}
}
