package notice

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"
	"time"

	"flyball/detect/enforce"
	"flyball/schema"
)

const second = int64(time.Second)

func at(n int64) enforce.LogPosition { return enforce.LogPosition{Offset: n, Time: n * second} }

func ack(link string, until int64) *schema.Command {
	return &schema.Command{ID: "o_1", Kind: schema.CommandAck, Tenant: "t", By: "ana", Reason: "mine",
		Ack: &schema.AckOrder{Incident: "f_1", Link: link, LinkUntil: until}}
}

func silence(id string, ttl time.Duration, m schema.Matchers) *schema.Command {
	return &schema.Command{ID: "o_" + id, Kind: schema.CommandSilence, Tenant: "t", By: "ana", Reason: "deploy", TTL: int64(ttl),
		Silence: &schema.SilenceOrder{Matchers: m}}
}

func end(id string) *schema.Command {
	return &schema.Command{ID: "o_end", Kind: schema.CommandSilenceEnd, Tenant: "t", By: "bo", Reason: "done",
		Silence: &schema.SilenceOrder{ID: id}}
}

func TestLinkWorksTwice(t *testing.T) {
	s := New()
	until := 100 * second
	for i, tc := range []struct {
		at   int64
		c    *schema.Command
		want enforce.ResultCode
	}{
		{1, ack("p_1", until), enforce.Acknowledged}, {2, ack("p_1", until), enforce.LinkUsed}, {3, ack("p_2", until), enforce.Acknowledged},
		{4, ack("", 0), enforce.Acknowledged}, {101, ack("p_3", until), enforce.LinkExpired},
		{102, ack("p_4", 102*second+int64(maxLinkLife)+1), enforce.LinkExpired},
	} {
		s.Advance(at(tc.at))
		got, events := s.Apply(at(tc.at), tc.c)
		if got.Code != tc.want || (len(events) == 1) != (tc.want == enforce.Acknowledged) {
			t.Errorf("%d: %s, %d events, want %s", i, got.Code, len(events), tc.want)
		}
	}
	if len(s.links) != 0 {
		t.Errorf("%d used links are kept after they expired", len(s.links))
	}
}

func TestAcknowledgementCannotBeTakenBack(t *testing.T) {
	s := New()
	c := ack("", 0)
	c.Kind, c.Reason, c.By = schema.CommandAckUndo, "not mine", "bo"
	r, events := s.Apply(at(2), c)
	if r.Code != enforce.AckUndone || r.Ref != "f_1" || len(events) != 1 {
		t.Fatalf("%+v, %d events", r, len(events))
	}
	if a := events[0].Ack; !a.Undone || a.Incident != "f_1" || a.By != "bo" || a.Why != "not mine" || a.Generation != 3 {
		t.Errorf("%+v", a)
	}
	c.Reason = ""
	if r, events := s.Apply(at(3), c); r.Code != enforce.Rejected || len(events) != 0 {
		t.Errorf("without a reason: %+v", r)
	}
}

// After a restart from a snapshot, a used link is still used, and a silence in force.
func TestRestartForgetsUsedLinks(t *testing.T) {
	s := New()
	s.Apply(at(1), ack("p_1", 100*second))
	s.Apply(at(2), silence("a", time.Minute, schema.Matchers{Agent: "billing/*"}))
	text, err := json.Marshal(s.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	var from Snapshot
	if err := json.Unmarshal(text, &from); err != nil {
		t.Fatal(err)
	}
	again, err := Restore(&from)
	if err != nil || !reflect.DeepEqual(again, s) {
		t.Fatalf("%v: %+v, want %+v", err, again, s)
	}
	if r, _ := again.Apply(at(3), ack("p_1", 100*second)); r.Code != enforce.LinkUsed {
		t.Errorf("%s", r.Code)
	}
	if New().Snapshot() != nil {
		t.Error("a snapshot without silences and links cannot be read by the version before")
	}
}

func TestSilenceEndsByTheLogsClockOrByCommand(t *testing.T) {
	s := New()
	r, events := s.Apply(at(10), silence("a", time.Minute, schema.Matchers{Family: "runaway.*"}))
	if r.Code != enforce.Silenced || r.Ref != "s_a" || len(events) != 1 ||
		events[0].Silence.Until != 70*second || events[0].Silence.By != "ana" {
		t.Fatalf("%+v %+v", r, events)
	}
	s.Advance(at(69))
	if len(s.Silences("t")) != 1 || len(s.Silences("other")) != 0 {
		t.Error("it is not in force, or in another tenant")
	}
	s.Advance(at(70))
	if len(s.Silences("t")) != 0 {
		t.Error("it is in force after its end")
	}
	if r, _ := s.Apply(at(71), end("s_a")); r.Code != enforce.NoSuchSilence {
		t.Errorf("%s", r.Code)
	}
	s.Apply(at(72), silence("b", time.Hour, schema.Matchers{Tag: "pci"}))
	other := end("s_b")
	other.Tenant = "other"
	if r, _ := s.Apply(at(73), other); r.Code != enforce.NoSuchSilence {
		t.Errorf("another tenant ends it: %s", r.Code)
	}
	r, events = s.Apply(at(73), end("s_b"))
	if r.Code != enforce.SilenceEnded || len(events) != 1 || events[0].Silence.EndedBy != "bo" || events[0].Silence.Generation != 74 {
		t.Errorf("%+v %+v", r, events)
	}
}

func TestSilencesAreUnbounded(t *testing.T) {
	s := New()
	for i := range maxSilences + 1 {
		r, _ := s.Apply(at(int64(i+1)), silence(fmt.Sprint(i), time.Hour, schema.Matchers{Family: "*"}))
		if want := i < maxSilences; (r.Code == enforce.Silenced) != want {
			t.Fatalf("%d: %s", i, r.Code)
		}
	}
	for name, c := range map[string]*schema.Command{
		"longer than 30 days": silence("x", MaxSilence+1, schema.Matchers{Family: "*"}),
		"without an end":      silence("x", 0, schema.Matchers{Family: "*"}),
		"without a matcher":   silence("x", time.Hour, schema.Matchers{}),
		"a broken pattern":    silence("x", time.Hour, schema.Matchers{Agent: "["}),
		"an unknown level":    silence("x", time.Hour, schema.Matchers{Level: "page"}),
		"owner of a claimed":  silence("x", time.Hour, schema.Matchers{Claimed: true, Owner: "x"}),
	} {
		if r, events := New().Apply(at(1), c); r.Code != enforce.Rejected || events != nil {
			t.Errorf("%s: %s", name, r.Code)
		}
	}
	anonymous := silence("x", time.Hour, schema.Matchers{Family: "*"})
	anonymous.By = ""
	if r, _ := New().Apply(at(1), anonymous); r.Code != enforce.Rejected {
		t.Errorf("without an author: %s", r.Code)
	}
}
