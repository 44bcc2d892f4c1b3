package query

import "testing"

// Calls of another caller with a run's trace id do not belong to that run.
func TestPlantedTraceIdMakesNoCallsOfAnothersRun(t *testing.T) {
	victim := &Run{RunID: "v", AgentID: "team/victim", CredentialID: "k_victim"}
	established := func(run, agent, credential string) caller {
		return caller{OtherCaller: OtherCaller{RunID: run, AgentID: agent, CredentialID: credential, Calls: 5}, agentEstablished: true}
	}
	var l linkedRuns
	l.divide(victim, []caller{
		established("planted by an agent", "team/b", "team/b"),
		{OtherCaller: OtherCaller{RunID: "planted by a proven credential", CredentialID: "k_b"}, proven: true},
		{OtherCaller: OtherCaller{RunID: "planted by a certificate", CredentialID: "spiffe://b"}, credentialEstablished: true},
		{OtherCaller: OtherCaller{RunID: "of a service that names nobody"}},
		{OtherCaller: OtherCaller{RunID: "of two callers"}},
		established("of two callers", "team/b", ""),
		established("the agent again", "team/victim", "k_other"),
		{OtherCaller: OtherCaller{RunID: "its own key again", CredentialID: "k_victim"}, proven: true},
	})
	if got := len(l.others); got != 4 {
		t.Errorf("%d other callers, want 4: %+v", got, l.others)
	}
	want := []string{"of a service that names nobody", "the agent again", "its own key again"}
	if len(l.behalf) != len(want) {
		t.Fatalf("on its behalf: %q, want %q", l.behalf, want)
	}
	for i := range want {
		if l.behalf[i] != want[i] {
			t.Errorf("on its behalf: %q, want %q", l.behalf, want)
		}
	}
}
