package clickhouse

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"flyball/schema"
)

// notStored are fields without a column: the view derives route_key, and
// the routing key is the run's actor.
// AskedOnly changes the column counted of rows of the check only.
var notStored = map[string]bool{"RouteKey": true, "RoutingKey": true, "AskedOnly": true}

func TestRowOfTheCheckCountsOnlyIfNobodyElseLoggedIt(t *testing.T) {
	for name, c := range map[string]struct {
		call schema.Call
		want bool
	}{
		"line":               {schema.Call{ObserverKind: schema.ObserverGateway}, true},
		"further line":       {schema.Call{ObserverKind: schema.ObserverSidecar, Duplicate: true}, false},
		"asked":              {schema.Call{ObserverKind: schema.ObserverGate}, false},
		"asked only":         {schema.Call{ObserverKind: schema.ObserverGate, AskedOnly: true}, true},
		"line that was late": {schema.Call{ObserverKind: schema.ObserverGateway, LoggedLate: true}, false},
	} {
		if got := c.call.Counted(); got != c.want {
			t.Errorf("%s: counted %v, want %v", name, got, c.want)
		}
		// The value is in the block also where it is the type's default value: the engine would compute
		// another one from the other columns.
		block := native(&c.call)
		if !bytes.Contains(block, append([]byte("\x07counted\x04Bool"), map[bool]byte{true: 1}[c.want])) {
			t.Errorf("%s: the column is not in the block, or not %v", name, c.want)
		}
	}
}

func TestFieldForgottenInTheBlock(t *testing.T) {
	nothing := native(&schema.Call{Start: 1})
	eachField(t, reflect.TypeFor[schema.Call](), func(name string, set func(reflect.Value)) {
		c := schema.Call{Start: 1}
		set(reflect.ValueOf(&c).Elem())
		if changed := !bytes.Equal(native(&c), nothing); changed == notStored[name] {
			t.Errorf("Call.%s: in the block: %v", name, changed)
		}
	})
	empty := RunsTable.NewBlock()
	empty.Append(&schema.RunSnapshot{})
	eachField(t, reflect.TypeFor[schema.RunSnapshot](), func(name string, set func(reflect.Value)) {
		var s schema.RunSnapshot
		set(reflect.ValueOf(&s).Elem())
		b := RunsTable.NewBlock()
		b.Append(&s)
		if bytes.Equal(b.AppendNative(nil), empty.AppendNative(nil)) {
			t.Errorf("RunSnapshot.%s is not in the block", name)
		}
	})
}

func native(c *schema.Call) []byte {
	b := CallsTable.NewBlock()
	b.Append(c)
	return b.AppendNative(nil)
}

// eachField calls f for every field, including the fields of struct fields, with a function
// that sets the field to a value other than zero.
func eachField(t *testing.T, typ reflect.Type, f func(name string, set func(reflect.Value))) {
	t.Helper()
	for i := range typ.NumField() {
		sf := typ.Field(i)
		if k := sf.Type.Kind(); k == reflect.Struct && sf.Type != reflect.TypeFor[netip.Addr]() {
			eachField(t, sf.Type, func(name string, set func(reflect.Value)) {
				f(sf.Name+"."+name, func(v reflect.Value) { set(v.Field(i)) })
			})
			continue
		}
		f(sf.Name, func(v reflect.Value) { something(t, v.Field(i)) })
	}
}

func something(t *testing.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		v.SetString("x")
	case reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(3)
	case reflect.Int32, reflect.Int64:
		v.SetInt(5e6)
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Array:
		something(t, v.Index(0))
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		if e := v.Index(0); e.Kind() == reflect.Struct {
			something(t, e.Field(0))
		} else {
			something(t, e)
		}
	case reflect.Struct:
		v.Set(reflect.ValueOf(netip.MustParseAddr("10.0.0.1")))
	default:
		t.Fatal(v.Kind())
	}
}

func TestBlockKeepsWhatWasReset(t *testing.T) {
	b := CallsTable.NewBlock()
	for i := range 50 {
		c := rich(i)
		b.Append(&c)
	}
	b.Reset()
	if b.Rows() != 0 || b.AppendNative(nil) != nil {
		t.Fatal("rows after Reset")
	}
	c := rich(7)
	b.Append(&c)
	if !bytes.Equal(b.AppendNative(nil), native(&c)) {
		t.Fatal("a block that was reset differs from a new one")
	}
	once := b.AppendNative(nil)
	if !bytes.Equal(b.AppendNative(nil), once) {
		t.Fatal("encoding a block changes it")
	}
}

// rich returns a call with values in every kind of column; calls with different i differ.
func rich(i int) schema.Call {
	n := fmt.Sprint(i)
	return schema.Call{
		Source: schema.Source{Topic: "gateway-logs", TopicID: schema.TopicID{1}, Partition: 3}, Pos: schema.Position{Offset: int64(i)},
		Format: "envoy_json/1", ObserverKind: schema.ObserverGateway, Observer: "edge", Tenant: "default",
		Start: 1772600000123000000 + int64(i)*1e6, KafkaTime: 1772600000200000000, DurationNs: 38e6, TSPrecision: schema.PrecisionMilli,
		TSBasis: schema.BasisStart,
		OpKind:  schema.OpHTTP, Method: "GET", Host: "orders.internal", Path: "/orders/" + n, QueryKeys: []string{"page"},
		Route: "/orders/{id}", RouteSource: schema.RouteHeuristic,
		API: "orders", Operation: "GET /orders/{id}", Status: 200, Outcome: schema.OutcomeOK, BytesIn: 120, BytesOut: uint64(3000 + i),
		ClientIP: netip.AddrFrom4([4]byte{10, 0, 3, byte(i)}), UserAgent: "python-httpx/0.27.0", UAProduct: "python-httpx",
		TraceID: [16]byte{9, byte(i)}, SpanID: [8]byte{8, byte(i)}, RequestID: fmt.Sprintf("1b4e28ba-2fa1-11d2-883f-%012x", i),
		AgentID: "agent-" + n, AgentSource: "header:x-agent-id", AgentTrust: schema.TrustAsserted, CallerKind: schema.CallerAgent,
		CallerConfidence: 50,
		RunKey:           "run-" + n, RunKeySource: "x_agent_run_id", RunID: schema.RunID{2, byte(i)}, RunRule: schema.RunExplicit,
		RunConfidence: 100, CallsOffset: int64(i),
		ArgsDigest: 77, ArgsDigestBasis: schema.DigestURL, ResultDigest: 66, ResultDigestBasis: schema.DigestOutcome,
		Effect: schema.EffectRead, EffectSource: schema.ProvenanceMethod, Reversibility: schema.ReadOnly,
		ReversibilitySource: schema.ProvenanceMethod,
		Resources:           []schema.Resource{{Type: "order", ID: n, Source: schema.ProvenancePath}},
		Attrs:               []schema.Attr{{Key: "protocol", Value: "HTTP/1.1"}, {Key: "upstream_host", Value: "10.1.2.3:8080"}},
	}
}

func TestWordsOfManyRowsComeBack(t *testing.T) {
	for _, distinct := range []int{1, 2, 255, 256, 257, 70000} {
		var w words
		w.put(3, "late") // rows 0-2 are empty
		for i := range distinct {
			w.put(4+i, fmt.Sprint("word-", i))
		}
		rows := 4 + distinct + 2
		got := readWords(t, w.encode(w.prefix(nil), rows), rows)
		for i, g := range got {
			want := ""
			switch {
			case i == 3:
				want = "late"
			case i > 3 && i < 4+distinct:
				want = fmt.Sprint("word-", i-4)
			}
			if g != want {
				t.Fatalf("%d distinct, row %d: %q, want %q", distinct, i, g, want)
			}
		}
	}
}

func readWords(t *testing.T, b []byte, rows int) []string {
	t.Helper()
	u64 := func() uint64 { v := binary.LittleEndian.Uint64(b); b = b[8:]; return v }
	if v := u64(); v != 1 {
		t.Fatalf("version %d", v)
	}
	width := 1 << (u64() & 0xff)
	dict := make([]string, u64())
	for i := range dict {
		n, k := binary.Uvarint(b)
		dict[i], b = string(b[k:k+int(n)]), b[k+int(n):]
	}
	if n := u64(); n != uint64(rows) || len(b) != rows*width {
		t.Fatalf("%d rows in %d bytes of width %d, want %d", n, len(b), width, rows)
	}
	out := make([]string, rows)
	for i := range out {
		var key [8]byte
		copy(key[:], b[i*width:(i+1)*width])
		out[i] = dict[binary.LittleEndian.Uint64(key[:])]
	}
	return out
}

func TestRequestIDComesBackOtherwise(t *testing.T) {
	for id, asUUID := range map[string]bool{
		"1b4e28ba-2fa1-11d2-883f-0016d3cca427": true,
		"1B4E28BA-2FA1-11D2-883F-0016D3CCA427": false, // the view would return it in lower case
		"00000000-0000-0000-0000-000000000000": false, // means that there is none
		"1b4e28ba-2fa1-11d2-883f-0016d3cca42g": false,
		"1b4e28ba2fa111d2883f0016d3cca427----": false,
		"84a1-77":                              false, "": false,
	} {
		c := schema.Call{RequestID: id}
		if u := requestUUID(&c); (u != [16]byte{}) != asUUID || (requestText(&c) == id) == asUUID {
			t.Errorf("%q: uuid %x, text %q", id, u, requestText(&c))
		}
	}
}

func TestSecretIsPrinted(t *testing.T) {
	o := Options{Addrs: []string{"h:1"}, Password: "hunter2"}
	for _, s := range []string{fmt.Sprintf("%v %+v %#v %s", o, o, o, o.Password), fmt.Sprint(o.Password)} {
		if strings.Contains(s, "hunter2") {
			t.Error(s)
		}
	}
}

func TestAppendAllocates(t *testing.T) {
	calls := make([]schema.Call, 900)
	for i := range calls {
		calls[i] = rich(i)
	}
	b, touches := CallsTable.NewBlock(), TouchesTable.NewBlock()
	var buf []byte
	round := func() {
		for i := range calls {
			b.Append(&calls[i])
			touches.AppendValue(schema.Touch{Tenant: "default", Resource: calls[i].Resources[0], RunID: calls[i].RunID})
		}
		buf = touches.AppendNative(b.AppendNative(buf[:0]))
		b.Reset()
		touches.Reset()
	}
	round()
	if n := testing.AllocsPerRun(5, round); n > 9 {
		t.Errorf("%.0f allocations for 900 calls", n)
	}
}

func TestRowsAddedTogetherDiffer(t *testing.T) {
	calls := make([]schema.Call, 50)
	rows := make([]*schema.Call, len(calls))
	for i := range calls {
		if rows[i] = &calls[i]; i%3 > 0 { // others have default values only
			calls[i] = rich(i)
		}
	}
	one, all := CallsTable.NewBlock(), CallsTable.NewBlock()
	traces, allTraces := LegacyTraceCallsTable.NewBlock(), LegacyTraceCallsTable.NewBlock()
	for _, c := range rows {
		one.Append(c)
		traces.Append(c)
	}
	for from, n := 0, 1; from < len(rows); from, n = from+n, min(n+1, len(rows)-from-n) {
		all.AppendAll(rows[from : from+n])
		allTraces.AppendAll(rows[from : from+n])
	}
	if !bytes.Equal(one.AppendNative(nil), all.AppendNative(nil)) || !bytes.Equal(traces.AppendNative(nil), allTraces.AppendNative(nil)) {
		t.Error("the blocks differ")
	}
	if one.Rows() != len(rows) || traces.Rows() == 0 || traces.Rows() == len(rows) {
		t.Error(one.Rows(), traces.Rows())
	}
}

func BenchmarkAppendCall(b *testing.B) {
	calls := make([]schema.Call, 900)
	for i := range calls {
		calls[i] = rich(i)
	}
	blk := CallsTable.NewBlock()
	var buf []byte
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		blk.Append(&calls[i%900])
		if i%900 == 899 {
			buf = blk.AppendNative(buf[:0])
			blk.Reset()
		}
	}
	b.ReportMetric(float64(len(buf))/900, "bytes/call")
}

// BenchmarkAppendCalls is BenchmarkAppendCall with the calls of a record of flyball.calls at a time.
func BenchmarkAppendCalls(b *testing.B) {
	for _, at := range []int{5, 30, 180} {
		b.Run(strconv.Itoa(at), func(b *testing.B) {
			calls := make([]schema.Call, 900)
			rows := make([]*schema.Call, 900)
			for i := range calls {
				calls[i] = rich(i)
				rows[i] = &calls[i]
			}
			blk := CallsTable.NewBlock()
			var buf []byte
			b.ReportAllocs()
			for i := 0; i < b.N; i += at {
				blk.AppendAll(rows[i%900 : i%900+at])
				if (i+at)%900 == 0 {
					buf = blk.AppendNative(buf[:0])
					blk.Reset()
				}
			}
		})
	}
}
