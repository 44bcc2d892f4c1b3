package wire

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"flyball/schema"
)

// fill sets every encoded field of a call to a random value, so that the test fails if the
// codec omits a field.
func fill(r *rand.Rand, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("s%d", r.IntN(50)))
	case reflect.Uint8:
		v.SetUint(uint64(r.IntN(4)))
	case reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(r.IntN(60000)))
	case reflect.Int32, reflect.Int64:
		v.SetInt(r.Int64N(1<<40) - 5)
	case reflect.Float64:
		v.SetFloat(r.Float64())
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1+r.IntN(3), 3))
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[netip.Addr]() {
			v.Set(reflect.ValueOf([]netip.Addr{{}, netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("2001:db8::7")}[r.IntN(3)]))
			return
		}
		for i := range v.NumField() {
			fill(r, v.Field(i))
		}
	default:
		panic(v.Kind())
	}
}

func randomCalls(seed uint64, n int) []schema.Call {
	r := rand.New(rand.NewPCG(seed, 7))
	source := schema.Source{Topic: "gateway-logs", TopicID: schema.TopicID{1, 2, 3}, Partition: 5}
	calls := make([]schema.Call, n)
	for i := range calls {
		fill(r, reflect.ValueOf(&calls[i]).Elem())
		c := &calls[i]
		c.Source = source
		// The fields that stitching sets are not encoded.
		c.RunID, c.RunRule, c.RunConfidence, c.Segment, c.CallsPart, c.CallsOffset, c.Late, c.Duplicate = schema.RunID{}, 0, 0, 0, 0, 0, false,
			false
		c.AskedOnly, c.LoggedLate, c.ActorHash = false, false, 0
	}
	return calls
}

func pointers(calls []schema.Call) []*schema.Call {
	out := make([]*schema.Call, len(calls))
	for i := range calls {
		out[i] = &calls[i]
	}
	return out
}

// A call of a decoder that was used before has no field of the call that was decoded into its memory before, or set in it since.
func TestFieldOfTheCallBefore(t *testing.T) {
	var enc CallsEncoder
	var dec CallsDecoder
	if _, err := dec.Decode(enc.Encode(nil, pointers(randomCalls(3, 40)))); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(4, 7))
	for i := range dec.calls {
		for dec.calls[i].Duplicate = false; !dec.calls[i].Duplicate; { // until the random flag is set, too
			fill(r, reflect.ValueOf(&dec.calls[i]).Elem())
		}
		dec.calls[i].Late, dec.calls[i].AskedOnly, dec.calls[i].LoggedLate = true, true, true
	}
	want := []schema.Call{{Source: schema.Source{Topic: "other"}, Pos: schema.Position{Offset: 9}}, {Source: schema.Source{Topic: "other"}}}
	got, err := dec.Decode(enc.Encode(nil, pointers(want)))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
}

func TestFieldForgottenInTheBlock(t *testing.T) {
	var enc CallsEncoder
	var dec CallsDecoder
	for seed := range uint64(20) {
		want := randomCalls(seed, 1+int(seed)*13%MaxBlock)
		got, err := dec.Decode(enc.Encode(nil, pointers(want)))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(want) {
			t.Fatalf("%d calls, want %d", len(got), len(want))
		}
		for i := range want {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Fatalf("seed %d call %d:\ngot  %+v\nwant %+v", seed, i, got[i], want[i])
			}
		}
	}
}

func TestNewerVersionIsRefusedNotGuessed(t *testing.T) {
	var enc CallsEncoder
	block := enc.Encode(nil, pointers(randomCalls(1, 3)))
	block[1] = CallsVersion + 1
	var dec CallsDecoder
	if _, err := dec.Decode(block); !errors.Is(err, ErrNewerVersion) {
		t.Fatalf("got %v", err)
	}
}

func TestTruncatedBlockIsMalformed(t *testing.T) {
	var enc CallsEncoder
	block := enc.Encode(nil, pointers(randomCalls(1, 5)))
	var dec CallsDecoder
	for n := range block {
		if _, err := dec.Decode(block[:n]); !errors.Is(err, ErrMalformed) {
			t.Fatalf("first %d bytes: got %v", n, err)
		}
	}
	if _, err := dec.Decode(append(block, 0)); !errors.Is(err, ErrMalformed) {
		t.Fatalf("trailing byte: got %v", err)
	}
}

func TestJournalAndMarksComeBack(t *testing.T) {
	j := Journal{CallsTopicID: schema.TopicID{9}, CallsPart: 3, From: 10, To: 12, MinStart: -4, MaxStart: 1 << 60,
		Sections: []Section{{Table: "calls_store", Rows: 2, Native: []byte{1, 2, 3}}, {Table: "runs_store", Rows: 0, Native: []byte{}}}}
	got, err := DecodeJournal(EncodeJournal(nil, &j))
	if err != nil || !reflect.DeepEqual(got, j) {
		t.Fatalf("got %+v, %v", got, err)
	}
	m := Marks{Progress: []Progress{{Source: schema.Source{Topic: "t", Partition: 1}, EventTime: 5, CurrentAt: 7}},
		Activate: []Activation{{"route", "v2"}}}
	gm, err := DecodeMarks(EncodeMarks(nil, &m))
	if err != nil || !reflect.DeepEqual(gm, m) {
		t.Fatalf("got %+v, %v", gm, err)
	}
}

// A store of schema version 4 knows none of the tables of version 5: it must wait at such a record, and not try to
// insert its rows. Records that it wrote itself are read.
func TestStoreOfVersion4InsertsIntoTablesThatItDoesNotHave(t *testing.T) {
	j := Journal{CallsTopicID: schema.TopicID{9}, From: 10, To: 12, Sections: []Section{{Table: "calls_v5", Rows: 1, Native: []byte{1}}}}
	value := EncodeJournal(nil, &j)
	if _, err := NewReader(value, KindJournal, 1); !errors.Is(err, ErrNewerVersion) || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("version 4 reads the record: %v", err)
	}
	// A record of version 4: kind and version, topic, partition 3, offsets 10 to 12, times -4 and 5, one section.
	old, err := hex.DecodeString("4a0109000000000000000000000000000000061418070a010b63616c6c735f73746f726502020102")
	if err != nil {
		t.Fatal(err)
	}
	want := Journal{CallsTopicID: schema.TopicID{9}, CallsPart: 3, From: 10, To: 12, MinStart: -4, MaxStart: 5,
		Sections: []Section{{Table: "calls_store", Rows: 2, Native: []byte{1, 2}}}}
	if got, err := DecodeJournal(old); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("the record of version 4 is read as %+v, %v; this version writes %x", got, err, EncodeJournal(nil, &want))
	}
}

func FuzzDecodeBlock(f *testing.F) {
	var enc CallsEncoder
	f.Add(enc.Encode(nil, pointers(randomCalls(1, 3))))
	f.Add(EncodeJournal(nil, &Journal{Sections: []Section{{Table: "x", Native: []byte{1}}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		var dec CallsDecoder
		_, _ = dec.Decode(b)
		_, _ = DecodeJournal(b)
		_, _ = DecodeMarks(b)
	})
}

func BenchmarkEncodeBlock(b *testing.B) {
	calls := pointers(typicalCalls(MaxBlock))
	var enc CallsEncoder
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = enc.Encode(buf[:0], calls)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/MaxBlock, "ns/call")
	b.ReportMetric(float64(len(buf))/MaxBlock, "bytes/call")
}

func BenchmarkDecodeBlock(b *testing.B) {
	var enc CallsEncoder
	block := enc.Encode(nil, pointers(typicalCalls(MaxBlock)))
	var dec CallsDecoder
	b.ReportAllocs()
	for b.Loop() {
		if _, err := dec.Decode(block); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/MaxBlock, "ns/call")
}

func typicalCalls(n int) []schema.Call {
	r := rand.New(rand.NewPCG(3, 3))
	calls := make([]schema.Call, n)
	for i := range calls {
		id := fmt.Sprint(r.IntN(100000))
		agent := fmt.Sprint("agent-", r.IntN(10000))
		calls[i] = schema.Call{
			Source: schema.Source{Topic: "gw", TopicID: schema.TopicID{1}}, Pos: schema.Position{Offset: int64(i)},
			Format: "envoy_json/1", ObserverKind: schema.ObserverGateway, Tenant: "default",
			Start: 1795176000000000000 + int64(i)*1e6, KafkaTime: 1795176000000000000 + int64(i)*1e6, DurationNs: 38e6,
			TSPrecision: schema.PrecisionMilli, TSBasis: schema.BasisStart, OpKind: schema.OpHTTP, Method: "GET", Host: "orders.internal",
			Path: "/orders/" + id, Route: "/orders/{id}", RouteKey: "/orders/{}", RouteSource: schema.RouteHeuristic, API: "outbound|8080||orders",
			Operation: "GET /orders/{id}",
			Status:    200, Outcome: schema.OutcomeOK, BytesIn: 120, BytesOut: 3000, ClientIP: netip.MustParseAddr("10.0.3.4"),
			UserAgent: "python-httpx/0.27.0", UAProduct: "python-httpx",
			TraceID: [16]byte{1, byte(i)}, SpanID: [8]byte{byte(i)}, RequestID: "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
			AgentID: agent, AgentSource: "header", AgentTrust: schema.TrustAsserted, CallerKind: schema.CallerAgent, RunKey: "run-" + agent,
			RunKeySource: "x_agent_run_id",
			RoutingKey:   "s:" + agent + "|10.0.3.4", ArgsDigest: r.Uint64(), ArgsDigestBasis: schema.DigestURL, ResultDigest: r.Uint64(),
			ResultDigestBasis: schema.DigestOutcome,
			Effect:            schema.EffectRead, EffectSource: schema.ProvenanceMethod, Reversibility: schema.ReadOnly,
			ReversibilitySource: schema.ProvenanceMethod,
			Resources:           []schema.Resource{{Type: "order", ID: id, Source: schema.ProvenancePath}},
		}
	}
	return calls
}

func TestOlderAlertTakesWhatWasTakenBackForAnAcknowledgement(t *testing.T) {
	for name, tc := range map[string]struct {
		event schema.Event
		want  int
	}{
		"acknowledged": {schema.Event{Ack: &schema.Acknowledgement{Incident: "f_1"}}, 1},
		"taken back":   {schema.Event{Ack: &schema.Acknowledgement{Incident: "f_1", Undone: true}}, 2},
		"another kind": {schema.Event{Audit: &schema.AuditEntry{}}, 1},
	} {
		value, err := EncodeEvent(&tc.event)
		if err != nil || !strings.HasPrefix(string(value), fmt.Sprintf(`{"v":%d,`, tc.want)) {
			t.Errorf("%s: %s %v", name, value, err)
		}
		if e, err := DecodeEvent(value); err != nil || !reflect.DeepEqual(e, tc.event) {
			t.Errorf("%s: %+v %v", name, e, err)
		}
		if _, err := DecodeDocument[schema.Event](value, 1); errors.Is(err, ErrNewerVersion) != (tc.want == 2) {
			t.Errorf("%s: a reader of version 1: %v", name, err)
		}
	}
}
