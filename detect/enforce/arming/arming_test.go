package arming

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"flyball/detect/enforce"
	"flyball/schema"
)

// after returns the state after commands: "+pattern" arms, "-pattern" disarms, "=pattern" clears.
func after(t *testing.T, commands ...string) *State {
	t.Helper()
	s := New()
	for i, c := range commands {
		command := schema.Command{Kind: schema.CommandArm, Tenant: "t", By: "ann", Reason: "test",
			Arming: &schema.ArmingOrder{Pattern: c[1:], Clear: c[0] == '='}}
		if c[0] == '-' {
			command.Kind = schema.CommandDisarm
		}
		if o := apply(s, int64(i), uint64(i+1), &command); o == enforce.Rejected || o == enforce.TooManyPatterns {
			t.Fatalf("%s: %s", c, o)
		}
	}
	return s
}

// apply applies a command at a time and returns its result.
func apply(s *State, time int64, generation uint64, c *schema.Command) enforce.ResultCode {
	r, _ := s.Apply(enforce.LogPosition{Offset: int64(generation) - 1, Time: time}, c)
	return r.Code
}

func TestMostSpecificOrderHoldsAndDisarmingAmongEquals(t *testing.T) {
	bot := Subject{Tenant: "t", Agent: "billing/bot", Trust: schema.TrustVerified, Tags: []string{"payments"}, Family: schema.FamilyLoop}
	for _, tc := range []struct {
		commands string
		file     bool
		want     bool
		why      string
	}{
		{"", false, false, whyFile},
		{"", true, true, whyFile},
		{"+*", false, true, whyAll},
		{"-*", true, false, whyAll},
		{"+* -family:runaway.*", false, false, whyFamily},
		{"-family:runaway.* +tag:payments", false, true, whyTag},
		{"+tag:payments -billing/*", true, false, whyPattern},
		{"-billing/* +billing/bot", false, true, whyAgent},
		{"-billing/bot +billing/* +tag:payments +family:runaway.* +*", true, false, whyAgent},
		{"+billing/* -*/bot", false, false, whyPattern},
		{"-*/bot +billing/*", false, false, whyPattern},
		{"+billing/bot -billing/bot", true, false, whyAgent},
		{"-billing/bot +billing/bot", false, true, whyAgent},
		{"+billing/bot =billing/bot", false, false, whyFile},
		{"+support/* +tag:other +family:fanout", false, false, whyFile},
	} {
		a := after(t, strings.Fields(tc.commands)...).Decide(bot, tc.file)
		if a.Armed != tc.want || a.Why != tc.why || (a.Order == nil) != (tc.why == whyFile) {
			t.Errorf("%q, in the file %v: %+v", tc.commands, tc.file, a)
		}
	}
}

func TestClaimingADisarmedNameIsNoEscape(t *testing.T) {
	claims := Subject{Tenant: "t", Agent: "batch/purge", Trust: schema.TrustAsserted, Tags: []string{"batch"}, Family: schema.FamilyDestroy}
	if a := after(t, "-batch/purge", "-batch/*", "-tag:batch").Decide(claims, true); !a.Armed {
		t.Errorf("who claims the name of a disarmed agent is not enforced: %+v", a)
	}
	if a := after(t, "+*", "-batch/purge").Decide(claims, false); !a.Armed || a.Why != whyAll {
		t.Errorf("%+v", a)
	}
	claims.Trust = schema.TrustInfrastructure
	if a := after(t, "-batch/purge").Decide(claims, true); a.Armed {
		t.Errorf("the agent itself: %+v", a)
	}
}

func TestArmingEverythingDoesNotArmLearnedScopes(t *testing.T) {
	scope := Subject{Tenant: "t", Agent: "billing/bot", Trust: schema.TrustVerified, Tags: []string{"x"}, Family: schema.FamilyScope}
	if a := after(t, "+*", "+billing/bot", "+tag:x").Decide(scope, false); a.Armed {
		t.Errorf("%+v", a)
	}
	if a := after(t, "+family:scope").Decide(scope, false); !a.Armed {
		t.Errorf("by its own name: %+v", a)
	}
	if a := after(t, "-*").Decide(scope, true); a.Armed {
		t.Errorf("disarming everything is everything: %+v", a)
	}
}

func TestOtherTenantsOrdersDoNotHold(t *testing.T) {
	if a := after(t, "+*").Decide(Subject{Tenant: "u", Agent: "billing/bot"}, false); a.Armed {
		t.Errorf("%+v", a)
	}
}

func TestTooManyPatternsAreRefusedAndTheOthersStay(t *testing.T) {
	s := New()
	for i := range maxOrders + 10 {
		c := schema.Command{Kind: schema.CommandArm, Tenant: "t", Reason: "r", Arming: &schema.ArmingOrder{Pattern: fmt.Sprint("a", i)}}
		if o, want := apply(s, 1, uint64(i), &c), enforce.Armed; i < maxOrders && o != want || i >= maxOrders && o != enforce.TooManyPatterns {
			t.Fatalf("%d: %s", i, o)
		}
	}
	c := schema.Command{Kind: schema.CommandDisarm, Tenant: "t", Reason: "r", Arming: &schema.ArmingOrder{Pattern: "a0"}}
	if o := apply(s, 1, 5000, &c); o != enforce.Disarmed || len(s.Orders("t")) != maxOrders {
		t.Errorf("%s, %d", o, len(s.Orders("t")))
	}
	if again := Restore(s.Snapshot()); !reflect.DeepEqual(again.Snapshot(), s.Snapshot()) {
		t.Error("a snapshot is not what it was made of")
	}
}

func TestPatternThatIsNoneIsRefused(t *testing.T) {
	for _, p := range []string{"", " ", "tag:", "family: ", "billing/[", `x\`, "a\x00b", "a\u202eb", "\xff", strings.Repeat("x", 257)} {
		c := schema.Command{Kind: schema.CommandArm, Tenant: "t", Reason: "r", Arming: &schema.ArmingOrder{Pattern: p}}
		if o := apply(New(), 1, 1, &c); o != enforce.Rejected {
			t.Errorf("%q: %s", p, o)
		}
	}
	if o := apply(New(), 1, 1, &schema.Command{Kind: schema.CommandArm, Tenant: "t",
		Arming: &schema.ArmingOrder{Pattern: "a"}}); o != enforce.Rejected {
		t.Errorf("without a reason: %s", o)
	}
}
