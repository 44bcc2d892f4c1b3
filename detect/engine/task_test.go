package engine

import (
	"context"
	"fmt"
	"testing"

	"flyball/detect/feature"
	"flyball/detect/learn"
	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/detect/model/scope"
	"flyball/schema"
)

// archivists returns a baseline of agents whose runs look up four resources, except one run in ten,
// which was declared to work through an archive in sixty calls.
func archivists() *baseline.Baseline {
	var runs []*baseline.TrainingRun
	for i := range 2400 {
		r := &baseline.TrainingRun{ID: fmt.Sprint("r", i), Agent: fmt.Sprint("g/", i%8), Group: "g"}
		calls, task := 3+i%3, "look_up"
		if i/8%10 == 0 {
			calls, task = 55+i%11, "archive"
		}
		r.Scope = &scope.TrainingRun{ID: r.ID, Agent: r.Agent, Group: r.Group, Declared: task}
		var f feature.RunMemory
		for n := range calls {
			c := archived(n)
			var of feature.Input
			feature.Extract(&c, &of)
			r.Features, r.Routes = append(r.Features, f.Add(&of)), append(r.Routes, feature.RouteName(c.Method, c.RouteKey, c.Operation))
		}
		r.Resources = f.Resources()
		runs = append(runs, r)
	}
	learn.SetTaskTypes(runs)
	body := learn.Fit("default", runs)
	body.Version, body.Scopes = "default/1", nil
	return body
}

func archived(n int) schema.Call {
	return schema.Call{Tenant: "default", AgentID: "g/3", AgentTrust: schema.TrustVerified, Method: "GET", RouteKey: "/archives/{}",
		Outcome: schema.OutcomeOK, Effect: schema.EffectRead,
		ArgsDigest: uint64(n + 1), ArgsDigestBasis: schema.DigestLogged, ResultDigest: uint64(n + 1), ResultDigestBasis: schema.DigestLogged,
		BytesOut:  200,
		Resources: []schema.Resource{{Type: "archive", ID: fmt.Sprint(n % 3)}}}
}

// The same sixty calls are judged, depending on how the type of their task is known.
func TestCallerAssertsALaxerTask(t *testing.T) {
	body := archivists()
	score := func(declared, logged string, by schema.Trust) float64 {
		f, last := newFloor(t), 0.0
		f.detectors.Activate(body)
		for n := range 60 {
			if n == 30 {
				f.restart()
			}
			c := archived(n)
			c.RoutingKey, c.CredentialID, c.RunKey, c.CallerKind = "g:g/3", "k", "r1", schema.CallerAgent
			c.Start, c.DurationNs = night.UnixNano()+int64(n)*1e9, 1e6
			c.TaskID, c.TaskTrust = logged, by
			if n == 0 { // the request went to the check first
				c.ObserverKind = schema.ObserverGate
				c.SetAttr(schema.AttrTaskType, declared)
			}
			r := f.state.Apply(&c, int64(n))
			if err := f.judge(context.Background(), r, &c, schema.CallRef{Offset: int64(n)}); err != nil {
				t.Fatal(err)
			}
			last = r.Score
		}
		return last
	}
	whole, archive, lookUp := score("", "", schema.TrustNone), score("archive", "", schema.TrustNone), score("look_up", "", schema.TrustNone)
	if !(archive < whole && whole < lookUp) || lookUp < body.Calibration.Threshold(calibrate.AlertShare) {
		t.Fatalf("sixty calls score %.2f as an archive, %.2f as the agent, %.2f as a look-up: the test shows nothing", archive, whole, lookUp)
	}
	for _, tc := range []struct {
		name, declared, logged string
		by                     schema.Trust
		want                   float64
	}{
		{"a declared archive, another task asserted", "archive", "look_up", schema.TrustAsserted, archive},
		{"an archive that a token vouches for", "", "archive", schema.TrustVerified, archive},
		{"an archive that the caller asserts", "", "archive", schema.TrustAsserted, whole},
		{"a declared look-up, an archive that the caller asserts", "look_up", "archive", schema.TrustAsserted, lookUp},
		{"an invented task", "", "anything", schema.TrustVerified, whole},
	} {
		if got := score(tc.declared, tc.logged, tc.by); got != tc.want {
			t.Errorf("%s: %.3f, want %.3f", tc.name, got, tc.want)
		}
	}
}
