package ledger

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"flyball/detect/enforce"
	"flyball/detect/enforce/breaker"
	"flyball/schema"
)

func settingsCommand(id string, trips, percent *int, initial bool) *schema.Command {
	return &schema.Command{ID: id, Kind: schema.CommandSettings, Tenant: "t", By: "ann", Reason: "r",
		Settings: &schema.Settings{TripsPerHour: trips, AgentsPercent: percent, Initial: initial}}
}

func TestSettingsOfTheLogHoldAndInitialOnesOnlyWhereThereAreNone(t *testing.T) {
	s := New(breaker.DefaultBudget())
	three, four, all, bad := 3, 4, 100, 101
	for i, tc := range []struct {
		c    *schema.Command
		want enforce.ResultCode
		per  int
		pct  int
	}{
		{settingsCommand("1", nil, nil, true), enforce.Rejected, 5, 10},
		{settingsCommand("2", nil, &bad, false), enforce.Rejected, 5, 10},
		{settingsCommand("3", &three, &all, true), enforce.InForce, 3, 100},
		{settingsCommand("4", &four, &all, true), enforce.SettingsExist, 3, 100},
		{settingsCommand("5", &four, nil, false), enforce.InForce, 4, 100},
		{settingsCommand("5", &three, nil, false), enforce.InForce, 4, 100}, // a repeat of an id
	} {
		s.Apply(int64(i), sec, tc.c)
		r, _ := s.Result(tc.c.ID)
		v, want := s.Settings("t"), breaker.Budget{PerHour: tc.per, Percent: tc.pct}
		if r.Code != tc.want || v.TripsPerHour != tc.per || v.AgentsPercent != tc.pct || s.Breakers.BudgetFor("t") != want {
			t.Errorf("%d: %+v %+v", i, r, v)
		}
	}
	if v := s.Settings("other"); v.Generation != 0 || v.TripsPerHour != 5 {
		t.Errorf("settings of one tenant are those of another: %+v", v)
	}
	if s.Audit.Seq != 5 {
		t.Errorf("%d entries", s.Audit.Seq)
	}
}

// A restart reads the settings in force. The given budget is used only for a state of the previous
// version, which does not contain one.
func TestRestartKeepsTheSettingsWhateverItsOwnAre(t *testing.T) {
	s, two, all := New(breaker.DefaultBudget()), 2, 100
	s.Apply(0, sec, settingsCommand("1", &two, &all, false))
	for i := range 5 {
		s.Apply(int64(i+1), sec, tripOf(fmt.Sprint("d", i), runScope(byte(i)), nil))
	}
	b, err := json.Marshal(s.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	var from Snapshot
	if err := json.Unmarshal(b, &from); err != nil {
		t.Fatal(err)
	}
	again, err := Restore(breaker.Budget{PerHour: 1000, Percent: 100}, &from)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 { // the same commands on both
		c := tripOf(fmt.Sprint("e", i), runScope(byte(10+i)), nil)
		s.Apply(int64(i+6), 2*sec, c)
		again.Apply(int64(i+6), 2*sec, c)
	}
	if s.Audit != again.Audit || s.Settings("t") != again.Settings("t") || s.Settings("u") != again.Settings("u") {
		t.Errorf("%+v\n%+v", s.Audit, again.Audit)
	}
	if e, ok := again.EntryAt(3); !ok || e.Seq != 3 {
		t.Errorf("entry 3: %+v %v", e, ok)
	}
	// Version 2 is the same without the new members.
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"budget", "settings", "epoch", "recent_audit"} {
		delete(members, name)
	}
	if b, err = json.Marshal(members); err != nil {
		t.Fatal(err)
	}
	var old Snapshot
	if err := json.Unmarshal(b, &old); err != nil {
		t.Fatal(err)
	}
	before, err := Restore(breaker.Budget{PerHour: 7, Percent: 70}, &old)
	if err != nil {
		t.Fatal(err)
	}
	if v := before.Settings("t"); v.Generation != 0 || v.TripsPerHour != 7 || v.AgentsPercent != 70 {
		t.Errorf("of version 2: %+v", v)
	}
	if b := before.Snapshot().Budget; b == nil || b.PerHour != 7 {
		t.Errorf("it is forgotten at the next restart: %+v", b)
	}
}

func TestCommandsAfterALostTailAreNewOnes(t *testing.T) {
	s := New(breaker.DefaultBudget())
	for i := range 10 {
		s.Apply(int64(i), sec, tripOf(fmt.Sprint("d", i), runScope(byte(i)), nil))
	}
	end := s.Audit.Seq
	// The log lost the records from offset 4 on. New ones have another epoch.
	next := func(offset int64) int64 { return schema.PositionOffset(1, offset) }
	s.Skip(next(4), sec)
	s.Apply(next(5), sec, &schema.Command{ID: "f", Kind: schema.CommandForceOpen, Tenant: "t", Scope: runScope(200), Reason: "r"})
	r, ok := s.Result("f")
	if !ok || r.Code != "applied" || r.Generation <= 10 || s.Audit.Seq != end+1 || s.Position.Offset != next(5) {
		t.Fatalf("%+v %v, at %d", r, ok, s.Position.Offset)
	}
	again, err := Restore(breaker.DefaultBudget(), s.Snapshot())
	if err != nil || !reflect.DeepEqual(again.Snapshot(), s.Snapshot()) || again.Snapshot().Epoch != 1 {
		t.Fatalf("%v, at %d", err, again.Position.Offset)
	}
	again.Apply(next(6), sec, &schema.Command{Kind: schema.CommandTick})
	if again.Position.Offset != s.Position.Offset+1 {
		t.Errorf("%d after %d", again.Position.Offset, s.Position.Offset)
	}
}
