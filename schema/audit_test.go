package schema

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// membersOf1 is a file with the members of commands that points of feature number 1 keep, from
// the release before feature number 2.
const membersOf1 = "testdata/command_members_1.txt"

// fill sets every member to a value that JSON does not omit.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i))
			}
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	case reflect.Float32, reflect.Float64:
		v.SetFloat(1)
	}
}

// A point of the version before drops members that it does not know, and would compute another
// audit trail: until all points know new members, digests must not include them.
func TestDigestOfTheVersionBeforeIsOfNoNewMember(t *testing.T) {
	text, err := os.ReadFile(membersOf1)
	if err != nil {
		t.Fatal(err)
	}
	old := strings.Fields(string(text))
	var c Command
	fill(reflect.ValueOf(&c).Elem())
	// Members of kinds with feature numbers 2, 3 and 4.
	c.Settings, c.Arming, c.Exception, c.Ack, c.Silence, c.Hold, c.Purge, c.Route = nil, nil, nil, nil, nil, nil, nil, nil
	known := c
	known.forgetSince2()
	b, err := json.Marshal(&known)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	var walk func(prefix string, m map[string]any)
	walk = func(prefix string, m map[string]any) {
		for name, v := range m {
			if !slices.Contains(old, prefix+name) {
				t.Errorf("%s%s is in the digest, and points of the version before do not keep it", prefix, name)
			}
			if inner, ok := v.(map[string]any); ok {
				walk(prefix+name+".", inner)
			}
		}
	}
	walk("", m)
	if known.Digest(1) != c.Digest(1) || c.Digest(1) == c.Digest(2) {
		t.Error("digests of feature numbers 1 and 2")
	}
}

func TestStandingAndCommandWordsReadBack(t *testing.T) {
	for i := range CommandKindWords {
		var k CommandKind
		if text, _ := CommandKind(i).MarshalText(); k.UnmarshalText(text) != nil || k != CommandKind(i) {
			t.Errorf("%d: %s", i, text)
		}
	}
	for i := range StandingWords {
		var s Standing
		if text, _ := Standing(i).MarshalText(); s.UnmarshalText(text) != nil || s != Standing(i) {
			t.Errorf("%d: %s", i, text)
		}
	}
}

// A hold or a purge that says nothing of its run or principal in its digest could be changed in the log.
func TestDigestOfAHoldLeavesOutWhatItHolds(t *testing.T) {
	for _, pair := range [][2]Command{
		{{Kind: CommandHold, Hold: &HoldOrder{RunID{1}}}, {Kind: CommandHold, Hold: &HoldOrder{RunID{2}}}},
		{{Kind: CommandPurge, Purge: &PurgeOrder{Principal: "p_a"}}, {Kind: CommandPurge, Purge: &PurgeOrder{Principal: "p_b"}}},
		{{Kind: CommandRoutePin, Route: &RouteOrder{"GET /a/{b}"}}, {Kind: CommandRoutePin, Route: &RouteOrder{"GET /c/{d}"}}},
	} {
		if pair[0].Digest(1) == pair[1].Digest(1) {
			t.Errorf("%s: two orders have one digest", pair[0].Kind)
		}
	}
	if a, b := (&Command{Kind: CommandTrip}).Digest(2), (&Command{Kind: CommandTrip, Hold: &HoldOrder{}}).Digest(2); a != b {
		t.Error("a member of a newer kind changes the digest of a trip, which points of the version before compute without it")
	}
}

// Points of the versions before with feature number 2 do not keep the route by words of a decision.
func TestDigestOfATripIsOfItsRouteByWords(t *testing.T) {
	trip := func(words string) *Command {
		return &Command{Kind: CommandTrip, Decision: &Decision{Route: "GET /a/{slug}", RouteByWords: words}}
	}
	for _, feature := range []int{1, 2} {
		if trip("").Digest(feature) != trip("GET /a/b").Digest(feature) {
			t.Errorf("feature number %d: versions before compute another audit trail", feature)
		}
	}
}
