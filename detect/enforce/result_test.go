package enforce

import (
	"encoding/json"
	"testing"
)

// The words are stored in snapshots and in the audit trail, whose hashes include them: a changed
// word breaks the trail of every deployment.
func TestWordsOfResultsStayAsStored(t *testing.T) {
	for code, word := range map[ResultCode]string{
		Applied: "applied", Recorded: "recorded", Rejected: "refused", Malformed: "malformed",
		TripWithheld: "trip_withheld", TripExcepted: "excepted", NoBreaker: "no_breaker", IfMatchFailed: "if_match_failed",
		ForcedOpenStays: "forced_open_stands", ProbeNotDue: "probe_not_due", NoBypass: "no_bypass", TooManyBypasses: "too_many_bypasses",
		ApprovalAsked: "asked", AlreadyAsked: "already_asked", TooManyQuestions: "too_many_questions", ApprovalGranted: "granted",
		GrantUsed: "used", NotPending: "not_pending", NoSuchGate: "no_such_gate",
		TaskDeclared: "declared", TaskEnded: "ended", TaskExists: "already_declared", TaskOver: "already_over",
		NoSuchTask: "no_such_task", TooManyTasks: "too_many_tasks",
		Leased: "leased", QuotaSpent: "spent", NotInWindow: "window_over", TooManySpenders: "too_many_own", NoSuchQuota: "no_such_quota",
		InForce: "in_force", ManifestDropped: "dropped", NoSuchManifest: "no_such_manifest", SettingsExist: "settings_stand",
		Armed: "armed", Disarmed: "disarmed", ArmingCleared: "cleared", NoSuchArming: "no_order_about_pattern",
		TooManyPatterns: "too_many_patterns", ExceptionAdded: "added", ExceptionRemoved: "removed",
		NoSuchException: "no_such_exception", TooManyExceptions: "too_many_exceptions",
		RoutePinned: "pinned", RouteUndone: "undone", RouteCleared: "route_cleared", NoSuchRoute: "no_order_about_route",
		TooManyRoutes:   "too_many_routes",
		VerdictRecorded: "judged", BaselineOrdered: "ordered", CredentialConfirmed: "confirmed",
	} {
		b, err := json.Marshal(Result{Code: code, Generation: 7, Ref: "r", Units: 2, Detail: "d"})
		want := `{"outcome":"` + word + `","generation":7,"ref":"r","units":2,"detail":"d"}`
		if err != nil || string(b) != want {
			t.Errorf("%s, want %s (%v)", b, want, err)
		}
	}
	if ApprovalRefused != "refused" {
		t.Error(ApprovalRefused)
	}
}

func TestGenerationIsTheOffsetPlusOne(t *testing.T) {
	for offset, want := range map[int64]uint64{-1: 0, 0: 1, 1 << 40: 1<<40 + 1} {
		if got := (LogPosition{Offset: offset}).Generation(); got != want {
			t.Errorf("%d: %d", offset, got)
		}
	}
}
