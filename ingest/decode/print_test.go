package decode

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"flyball/schema"
)

// fill sets every field of a value to a value that is not zero.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Int:
		v.SetInt(7)
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i))
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Field(i).CanSet() {
				fill(v.Field(i))
			}
		}
	}
}

func printedFields(t *testing.T, c *schema.Call) map[string]any {
	t.Helper()
	var out map[string]any
	if err := json.Unmarshal(AppendJSON(nil, c), &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// Without this test, a field that is added to a call and missing in the JSON form would be stored but never shown.
func TestNoFieldOfACallIsForgotten(t *testing.T) {
	// These describe how the call was transported, and how it was bound after decoding.
	elsewhere := map[string]bool{"RoutingKey": true, "KafkaTime": true, "Segment": true, "CallsPart": true, "CallsOffset": true,
		"ActorHash": true, "Duplicate": true, "AskedOnly": true, "LoggedLate": true}
	var whole schema.Call
	fill(reflect.ValueOf(&whole).Elem())
	whole.ClientIP = address("192.0.2.1")
	all := printedFields(t, &whole)
	for i := range reflect.TypeOf(whole).NumField() {
		f := reflect.TypeOf(whole).Field(i)
		if elsewhere[f.Name] {
			continue
		}
		without := whole
		reflect.ValueOf(&without).Elem().Field(i).SetZero()
		if reflect.DeepEqual(printedFields(t, &without), all) {
			t.Errorf("%s is not printed", f.Name)
		}
	}
}

// A field that is missing is unknown: an empty call has no invented values.
func TestNothingIsMadeUp(t *testing.T) {
	c := schema.Call{DurationNs: -1, Format: "f"}
	for name, v := range printedFields(t, &c) {
		switch name {
		case "start_time", "format", "op_kind", "source_partition", "source_offset", "item":
		default:
			t.Errorf("%s: %v", name, v)
		}
	}
	c.DurationNs = 0
	if v, ok := printedFields(t, &c)["duration_ns"]; !ok || v != 0.0 {
		t.Error("a duration of 0 is known")
	}
}

func TestHowACallIsPrinted(t *testing.T) {
	c := schema.Call{Start: 1790933415_000_000_120, DurationNs: 5, ArgsDigest: 10, ArgsDigestBasis: schema.DigestURL, CostUSD: math.NaN(),
		Resources: []schema.Resource{{Type: "order", ID: "7", Source: schema.ProvenancePath}}, Attrs: []schema.Attr{{Key: "a", Value: "<b>"}}}
	c.TraceID[15] = 1
	got := string(AppendJSON([]byte("before "), &c))
	for _, want := range [...]string{`before {"start_time":"2026-10-02T09:30:15.000000120Z"`, `"duration_ns":5`,
		`"args_digest":"000000000000000a"`, `"trace_id":"00000000000000000000000000000001"`,
		`"resources":["order:7"]`, `"resource_sources":["path"]`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
}
