package api

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"

	"flyball/detect/enforce"
)

// "404 Not Found: no_breaker" was all that a person read who reset a breaker whose time was over.
func TestRefusalIsOnlyACode(t *testing.T) {
	// Results that mean success, or that the state describes, or that no request of a person has.
	described := map[enforce.ResultCode]string{enforce.Applied: "", enforce.Recorded: "", enforce.Rejected: "", enforce.Malformed: "",
		enforce.ApprovalAsked: "", enforce.AlreadyAsked: "", enforce.ApprovalGranted: "", enforce.GrantUsed: "",
		enforce.TaskDeclared: "", enforce.TaskEnded: "", enforce.InForce: "", enforce.ManifestDropped: "", enforce.Armed: "",
		enforce.Disarmed: "", enforce.ArmingCleared: "", enforce.ExceptionAdded: "", enforce.ExceptionRemoved: "", enforce.RoutePinned: "",
		enforce.RouteUndone: "", enforce.RouteCleared: "", enforce.Acknowledged: "", enforce.AckUndone: "", enforce.Silenced: "",
		enforce.SilenceEnded: "", enforce.VerdictRecorded: "", enforce.BaselineOrdered: "", enforce.CredentialConfirmed: "",
		enforce.RunHeld: "", enforce.HoldReleased: "", enforce.PurgeRecorded: "",
		// Of points and their leases.
		enforce.ProbeNotDue: "", enforce.SettingsExist: "", enforce.Leased: "", enforce.QuotaSpent: "", enforce.NotInWindow: "",
		enforce.TooManySpenders: "", enforce.NoSuchQuota: ""}
	seen := 0
	file, err := parser.ParseFile(token.NewFileSet(), "../result.go", nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 {
			return true
		}
		word, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
		if err != nil {
			t.Fatal(err)
		}
		seen++
		code := enforce.ResultCode(word)
		if _, ok := described[code]; !ok && !strings.Contains(outcomeAdvice[code], "flyball ") {
			t.Errorf("%s: nothing says what it means and which command to type: %q", v.Names[0].Name, outcomeAdvice[code])
		}
		return true
	})
	if seen < 60 {
		t.Errorf("only %d results were found", seen)
	}
	for r, want := range map[enforce.Result]string{
		{Code: enforce.NoBreaker}:                              "no_breaker: no breaker is open about this target",
		{Code: enforce.Rejected, Detail: "no reason"}:          "refused: no reason",
		{Code: enforce.ResultCode("of_a_newer_point")}:         "of_a_newer_point",
		{Code: enforce.NoSuchSilence, Detail: "s_1 was ended"}: "no_such_silence: s_1 was ended: no silence has this id",
	} {
		if got := refusedText(r); !strings.HasPrefix(got, want) {
			t.Errorf("%+v: %q, want %q", r, got, want)
		}
	}
}
