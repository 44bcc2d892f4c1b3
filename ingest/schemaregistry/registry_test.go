package schemaregistry

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hamba/avro/v2"
	"google.golang.org/protobuf/encoding/protowire"
)

const avroCall = `{"type":"record","name":"Call","namespace":"gw.v1","fields":[
 {"name":"start_time","type":{"type":"long","logicalType":"timestamp-millis"}},
 {"name":"method","type":"string"},{"name":"path","type":["null","string"],"default":null},
 {"name":"response_code","type":"int"},{"name":"duration","type":"long"},{"name":"raw","type":"bytes"},
 {"name":"who","type":["null",{"type":"record","name":"Who","fields":[{"name":"user","type":"string"}]}]},
 {"name":"headers","type":{"type":"map","values":"string"}}]}`

const protoCall = `syntax = "proto3";
package gw.v1;
import "google/protobuf/timestamp.proto";
import "parts/who.proto";
message Other { string x = 1; }
message Batch {
  message Call {
    google.protobuf.Timestamp start_time = 1;
    string method = 2;
    string path = 3;
    int32 response_code = 4;
    int64 duration = 5;
    gw.parts.Who who = 6;
  }
}`

const protoWho = `syntax = "proto3"; package gw.parts; message Who { string user = 1; }`

// server answers as a registry does. asked counts the requests; while down is true it answers 503.
func server(t *testing.T, schemas map[int]string, down *atomic.Bool) (*httptest.Server, *atomic.Int64) {
	t.Helper()
	asked := &atomic.Int64{}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Content-Type", "application/vnd.schemaregistry.v1+json")
		if down != nil && down.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"error_code":50001,"message":"down"}`)
			return
		}
		var id int
		if _, err := fmt.Sscanf(r.URL.Path, "/schemas/ids/%d", &id); err == nil && schemas[id] != "" {
			fmt.Fprint(w, schemas[id])
			return
		}
		if r.URL.Path == "/subjects/who/versions/1" {
			b, _ := json.Marshal(map[string]any{"subject": "who", "version": 1, "id": 90, "schemaType": "PROTOBUF", "schema": protoWho})
			_, _ = w.Write(b)
			return
		}
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprint(w, `{"error_code":40403,"message":"Schema not found"}`)
	}))
	t.Cleanup(s.Close)
	return s, asked
}

func answer(kind, text string, references ...map[string]any) string {
	b, _ := json.Marshal(map[string]any{"schemaType": kind, "schema": text, "references": references})
	return string(b)
}

func registryOf(t *testing.T, s *httptest.Server, wait time.Duration, now func() time.Time) *Registry {
	t.Helper()
	r, err := New(Options{URLs: []string{s.URL}, Now: now, Wait: wait})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func framed(id uint32, payload []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0}, id), payload...)
}

func avroPayload(t testing.TB) []byte {
	t.Helper()
	b, err := avro.Marshal(avro.MustParse(avroCall), map[string]any{"start_time": time.UnixMilli(1790933415417).UTC(), "method": "GET",
		"path": "/orders/7", "response_code": 404, "duration": int64(38), "raw": []byte("x"),
		"who": map[string]any{"gw.v1.Who": map[string]any{"user": "kim"}}, "headers": map[string]any{"x-agent-run-id": "run-7"}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func protoPayload() []byte {
	var ts, who, call []byte
	ts = protowire.AppendVarint(protowire.AppendTag(ts, 1, protowire.VarintType), 1790933415)
	ts = protowire.AppendVarint(protowire.AppendTag(ts, 2, protowire.VarintType), 417_000_000)
	who = protowire.AppendString(protowire.AppendTag(who, 1, protowire.BytesType), "kim")
	call = protowire.AppendBytes(protowire.AppendTag(call, 1, protowire.BytesType), ts)
	call = protowire.AppendString(protowire.AppendTag(call, 2, protowire.BytesType), "GET")
	call = protowire.AppendString(protowire.AppendTag(call, 3, protowire.BytesType), "/orders/7")
	call = protowire.AppendVarint(protowire.AppendTag(call, 4, protowire.VarintType), 404)
	call = protowire.AppendVarint(protowire.AppendTag(call, 5, protowire.VarintType), 38)
	return protowire.AppendBytes(protowire.AppendTag(call, 6, protowire.BytesType), who)
}

func indexes(list ...int64) (out []byte) {
	out = protowire.AppendVarint(out, protowire.EncodeZigZag(int64(len(list))))
	for _, i := range list {
		out = protowire.AppendVarint(out, protowire.EncodeZigZag(i))
	}
	return out
}

func TestRecordBehindARegistryIsADeadLetter(t *testing.T) {
	s, asked := server(t, map[int]string{1: answer("", avroCall),
		2: answer("PROTOBUF", protoCall, map[string]any{"name": "parts/who.proto", "subject": "who", "version": 1}),
		3: answer("JSON", `{"type":"object"}`)}, nil)
	r := registryOf(t, s, 0, time.Now)
	for name, c := range map[string]struct {
		id      uint32
		payload []byte
		want    map[string]string
	}{
		"avro": {1, avroPayload(t), map[string]string{"start_time": "2026-10-02T09:30:15.417Z", "path": "/orders/7", "response_code": "404",
			"duration": "38", "who": "map[user:kim]", "headers": "map[x-agent-run-id:run-7]"}},
		"protobuf": {2, append(indexes(1, 0), protoPayload()...), map[string]string{"start_time": "2026-10-02T09:30:15.417Z",
			"path": "/orders/7", "response_code": "404", "duration": "38", "who": "map[user:kim]"}},
		"json": {3, []byte(`{"path":"/orders/7"}`), map[string]string{"path": "/orders/7"}},
	} {
		for range 3 {
			out, err := r.JSON(framed(c.id, c.payload))
			if err != nil {
				t.Fatal(name, err)
			}
			var got map[string]any
			if err := json.Unmarshal(out, &got); err != nil {
				t.Fatal(name, err)
			}
			for k, want := range c.want {
				if fmt.Sprint(got[k]) != want {
					t.Errorf("%s: %s is %v, want %s", name, k, got[k], want)
				}
			}
		}
	}
	if n := asked.Load(); n != 4 {
		t.Errorf("%d requests for three schemas and a reference", n)
	}
}

func TestBadPayloadStopsThePartitionOrShowsItsBytes(t *testing.T) {
	s, _ := server(t, map[int]string{1: answer("", avroCall),
		2: answer("PROTOBUF", protoCall, map[string]any{"name": "parts/who.proto", "subject": "who", "version": 1}),
		4: answer("", `{"type":"record","name":"N","fields":[{"name":"n","type":["null","N"]}]}`), 5: answer("", `{"type":`),
		6: answer("PROTOBUF", `syntax = "proto3"; import "nowhere.proto"; message A {}`),
		7: answer("", `{"type":"array","items":"null"}`)}, nil)
	r := registryOf(t, s, time.Second, time.Now)
	const secret = "s3cr3t-canary"
	for name, c := range map[string]struct {
		id      uint32
		payload []byte
		want    string
	}{
		"cut avro":         {1, avroPayload(t)[:9], "cut off"},
		"text as avro":     {1, []byte(secret), "schema 1"},
		"cut protobuf":     {2, append(indexes(1, 0), protoPayload()[:9]...), "cut off"},
		"no index":         {2, []byte{0xff, 0xff}, "message index"},
		"index of nothing": {2, append(indexes(7), secret...), "of no message"},
		"indexes":          {2, append(protowire.AppendVarint(nil, 1<<40), secret...), "message index"},
		"unknown id":       {77, []byte(secret), "Schema not found"},
		"contains itself":  {4, []byte{2, 2, 0}, "contains itself"},
		"no schema":        {5, []byte{2}, "cannot be used"},
		"import":           {6, []byte{0}, "nowhere.proto"},
		"a billion nulls":  {7, []byte{0xfe, 0xff, 0xff, 0xff, 0x07, 0}, "Avro"},
		"nothing":          {1, nil, "no payload"},
	} {
		out, err := r.JSON(framed(c.id, c.payload))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %s %v, want an error with %q", name, out, err, c.want)
		}
	}
}

// A registry that is away holds a record for a bounded time. Known schemas are read all the same, and the answer is asked for again.
func TestRegistryThatIsAwayLosesRecords(t *testing.T) {
	down := &atomic.Bool{}
	s, asked := server(t, map[int]string{1: answer("", avroCall), 2: answer("JSON", "{}")}, down)
	clock := time.Unix(1790933415, 0)
	r := registryOf(t, s, 300*time.Millisecond, func() time.Time { return clock })
	if _, err := r.JSON(framed(1, avroPayload(t))); err != nil {
		t.Fatal(err)
	}
	down.Store(true)
	if _, err := r.JSON(framed(1, avroPayload(t))); err != nil {
		t.Error("a known schema needs the registry:", err)
	}
	_, err := r.JSON(framed(2, []byte("{}  ")))
	if err == nil || !strings.Contains(err.Error(), "did not answer") {
		t.Fatal(err)
	}
	n := asked.Load()
	if _, err := r.JSON(framed(2, []byte("{}  "))); err == nil || asked.Load() != n {
		t.Errorf("asked again at once: %v", err)
	}
	down.Store(false)
	clock = clock.Add(askAgain + time.Second)
	if _, err := r.JSON(framed(2, []byte("{}  "))); err != nil {
		t.Error("not asked again:", err)
	}
}

// Ids come from the records: many unknown ones may neither fill the memory nor flood the registry.
func TestInventedIdsFloodTheRegistry(t *testing.T) {
	s, asked := server(t, nil, nil)
	clock := time.Unix(1790933415, 0)
	r := registryOf(t, s, time.Second, func() time.Time { return clock })
	for id := range uint32(5000) {
		if _, err := r.JSON(framed(id, []byte("payload"))); err == nil {
			t.Fatal("no error")
		}
	}
	if n := asked.Load(); n > 30 {
		t.Errorf("%d requests in a moment", n)
	}
	if len(r.schemas) > maxSchemas {
		t.Errorf("%d schemas are kept", len(r.schemas))
	}
}

func FuzzPayload(f *testing.F) {
	a, err := newAvro(avroCall, nil)
	if err != nil {
		f.Fatal(err)
	}
	p, err := newProtobuf(protoCall, map[string]string{"parts/who.proto": protoWho})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(avroPayload(f))
	f.Add(append(indexes(1, 0), protoPayload()...))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, d := range []decoder{a, p} {
			if out, err := d.json(b); err == nil && !json.Valid(out) {
				t.Errorf("%q is no JSON", out)
			}
		}
	})
}
