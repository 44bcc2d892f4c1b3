package app

import (
	"fmt"
	"testing"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/schema"
)

// control.without_manifest: ask_while_learning asks for those whom the detector does not know either.
func TestCheckKnowsOtherAgentsThanTheDetector(t *testing.T) {
	b := baseline.New("t")
	learn := func(agent, version string, n int) {
		for i := range n {
			var m feature.RunMemory
			in := feature.Input{Route: feature.RouteHash("GET /v1/orders")}
			b.Learn(&baseline.TrainingRun{ID: fmt.Sprint(agent, version, i), Agent: agent, Version: version, Group: baseline.PeerGroup(agent, 0),
				Features: []feature.CallFeatures{m.Add(&in)}, Routes: []string{"GET /v1/orders"}})
		}
	}
	learn("shop/a", "1", baseline.MinAgentRuns)
	learn("shop/a", "2", 1)
	learn("shop/b", "", baseline.MinAgentRuns-1)
	learn("~shop/a", "", 1)
	b.Finish()
	b.Status = map[string]baseline.AgentStatus{"shop/a": {Group: "shop", State: schema.BaselineLearning, Why: baseline.WhyNewVersion},
		"cloud/only called": {Group: "cloud"}}
	var l learned
	if !l.isLearning("shop/a") {
		t.Error("before the first version an agent is known")
	}
	l.setKnown(b)
	for _, agent := range []string{"shop/a", "shop/b", "~shop/a", "cloud/only called", "nobody", ""} {
		known := b.Acquaintance(agent, b.AgentGroup(agent)) == schema.KnownAgent
		if l.isLearning(agent) == known || known != (agent == "shop/a") {
			t.Errorf("%q: the check says it learns: %v; the detector knows it: %v", agent, l.isLearning(agent), known)
		}
	}
}
