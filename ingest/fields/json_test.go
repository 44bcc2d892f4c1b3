package fields

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// documents are objects that both readers accept.
var documents = []string{
	`{}`, ` {"a":1}`, `{ "a" : 1 , "b" : [ ] , "c" : { } }`, "{\"a\":\t-0,\r\n\"b\":1.5e-7}",
	`{"a":"\\","b":"\"","c":"\\\"}"}`, `{"a":"{","b":"]","c":[{"d":"}"}]}`, `{"a":"eight byt","b":"eight by\\","c":"12345678\"90"}`,
	`{"a":true,"b":false,"c":null}`, `{"a":1,"a":2,"a":{"a":3}}`, `{"é":"\u00e9","日":"\ud83d\ude00"}`, `{"a":"","b":"   "}`,
	`{"a":[[[[[]]]],{"b":[{}]}],"c":"x"}`, `{"a":"` + strings.Repeat("x", 1000) + `\n"}`,
}

// The scanner returns the same members and texts as encoding/json.
func TestTheScannerReadsWhatTheLibraryReads(t *testing.T) {
	for _, doc := range documents {
		var want map[string]json.RawMessage
		if err := json.Unmarshal([]byte(doc), &want); err != nil {
			t.Fatal(doc, err)
		}
		var keys Keys
		b := []byte(doc)
		pairs, end, err := keys.Object(b, Space(b, 0), nil)
		if err != nil || end != len(b) || len(pairs) != len(want) {
			t.Errorf("%s: %d members up to %d, %v; the library %d", doc, len(pairs), end, err, len(want))
		}
		for _, p := range pairs {
			if !bytes.Equal(p.Val.Raw, want[p.Name]) {
				t.Errorf("%s: %s is %s, the library's %s", doc, p.Name, p.Val.Raw, want[p.Name])
			}
			var text string
			if p.Val.Kind == '"' && (json.Unmarshal(p.Val.Raw, &text) != nil || string(Unquote(p.Val.Raw)) != text) {
				t.Errorf("%s: %q, the library's %q", doc, Unquote(p.Val.Raw), text)
			}
		}
	}
}

// A document that is incomplete, or whose structure is damaged, is an error.
func TestTheScannerAcceptsNoPartOfADocument(t *testing.T) {
	for _, doc := range documents {
		doc = strings.TrimSpace(doc)
		for cut := range len(doc) {
			if v, end, err := Scan([]byte(doc[:cut]), 0, 0); err == nil {
				t.Errorf("%s: %s up to %d of its first %d bytes", doc, v.Raw, end, cut)
			}
		}
	}
	for _, doc := range []string{
		``, `}`, `]`, `,`, `{]`, `[}`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{,"a":1}`, `{a:1}`, `{'a':1}`, `{"a" 1}`, `{"a":1 "b":2}`,
		`[1,]`, `[,1]`, `[1 2]`, `["a":1]`, `{1:2}`, `-`, `-a`, `+1`, `.5`, `nul`, `tru`, `"`, `"\"`, `[nope]`,
	} {
		if json.Valid([]byte(doc)) {
			t.Fatalf("%s is JSON", doc)
		}
		if v, _, err := Scan([]byte(doc), 0, 0); !errors.Is(err, ErrSyntax) {
			t.Errorf("%s: %q, %v", doc, v.Raw, err)
		}
	}
}

// Words that some loggers write for an invalid number are values without text.
func TestTheScannerReadsNotANumber(t *testing.T) {
	for _, word := range []string{"NaN", "nan", "Infinity", "-Infinity", "-inf"} {
		v, end, err := Scan([]byte(word+","), 0, 0)
		if err != nil || end != len(word) || v.Text() != "" {
			t.Errorf("%s: %q up to %d, %v", word, v.Text(), end, err)
		}
		if n, ok := v.Int(); ok {
			t.Errorf("%s is the number %d", word, n)
		}
	}
}

func TestTheScannerEndsAtItsBounds(t *testing.T) {
	for depth, want := range map[int]error{MaxDepth: nil, MaxDepth + 1: ErrDeep, 100_000: ErrDeep} {
		for _, b := range []string{strings.Repeat("[", depth) + strings.Repeat("]", depth),
			strings.Repeat(`{"a":`, depth) + "1" + strings.Repeat("}", depth)} {
			if _, _, err := Scan([]byte(b), 0, 0); !errors.Is(err, want) {
				t.Errorf("%d deep: %v, want %v", depth, err, want)
			}
		}
	}
	for members, want := range map[int]error{maxFields: nil, maxFields + 1: ErrFields} {
		var b strings.Builder
		for i := range members {
			fmt.Fprintf(&b, `,"m%d":1`, i)
		}
		var keys Keys
		if _, _, err := keys.Object([]byte("{"+b.String()[1:]+"}"), 0, nil); !errors.Is(err, want) {
			t.Errorf("%d members: %v, want %v", members, err, want)
		}
	}
	var keys Keys
	for i := range 3 * maxKeys {
		keys.Canonical(fmt.Appendf(nil, "Name-%d", i))
	}
	if len(keys.known) > maxKeys {
		t.Errorf("%d names are remembered, at most %d should be", len(keys.known), maxKeys)
	}
}

// Escapes that JSON does not define are kept unchanged; the others are decoded.
func TestAStringThatIsNoJSONIsReadAllTheSame(t *testing.T) {
	for raw, want := range map[string]string{
		`"a\x22b"`: `a\x22b`, "\"a\nb\"": "a\nb", `"a\x22\n\t\"\\\/"`: "a\\x22\n\t\"\\/", "\"a\\x22\xff\"": "a\\x22\uFFFD", `"\u00e9"`: "é",
	} {
		if got := string(Unquote([]byte(raw))); got != want {
			t.Errorf("%q: %q, want %q", raw, got, want)
		}
	}
}

// Names are compared in their canonical form. Of two spellings, the later value is used, but a null under another spelling does not
// replace a value.
func TestSpellingsOfANameAreOneMember(t *testing.T) {
	for doc, want := range map[string]string{
		`{"User-Agent":"a"}`: "a", `{":user_agent":"a"}`: "a", `{"\u0055ser-agent":"a"}`: "a",
		`{"user-agent":"a","user_agent":"b"}`:  "b",
		`{"user-agent":"a","user_agent":null}`: "a",
		`{"user-agent":"a","user-agent":null}`: "",
	} {
		var keys Keys
		pairs, _, err := keys.Object([]byte(doc), 0, nil)
		if err != nil || len(pairs) != 1 || Get(pairs, "user_agent").Text() != want {
			t.Errorf("%s: %v %v, want one member %q", doc, pairs, err, want)
		}
	}
	if v := Get(nil, "absent"); v.Kind != 0 || v.Text() != "" {
		t.Errorf("an absent member is %v", v)
	}
}

func TestElementsEndWhenTheFunctionReturnsFalse(t *testing.T) {
	b := []byte(`[1, "a" ,[2],{"b":3}] rest`)
	var all []string
	end, err := Elements(b, func(v Value) bool { all = append(all, string(v.Raw)); return true })
	if want := []string{"1", `"a"`, "[2]", `{"b":3}`}; err != nil || !slices.Equal(all, want) || string(b[end:]) != " rest" {
		t.Errorf("%q up to %d, %v", all, end, err)
	}
	n := 0
	if _, err := Elements(b, func(Value) bool { n++; return n < 2 }); err != nil || n != 2 {
		t.Errorf("%d elements, %v", n, err)
	}
	if _, err := Elements([]byte(`[1,`), func(Value) bool { return true }); err == nil {
		t.Error("a list that does not end has no error")
	}
}

func TestANumberIsReadWithinItsBounds(t *testing.T) {
	type number struct {
		n      int64
		ok     bool
		count  uint64
		small  uint32
		status uint16
	}
	got := map[string]number{}
	want := map[string]number{
		`200`: {200, true, 200, 200, 200}, `"200"`: {200, true, 200, 200, 200}, `200.9`: {200, true, 200, 200, 200},
		`-5`: {-5, true, 0, 0, 0}, `99`: {99, true, 99, 99, 0}, `1000`: {1000, true, 1000, 1000, 0},
		`9223372036854775807`: {1<<63 - 1, true, 1<<63 - 1, 1<<32 - 1, 0}, `9223372036854775808`: {}, `1e300`: {}, `"NaN"`: {}, `"-"`: {},
		`null`: {},
		`true`: {}, `[404,200]`: {404, true, 404, 404, 404}, `{"a":1}`: {}, `"12x"`: {},
	}
	for text := range want {
		v, _, err := Scan([]byte(text), 0, 0)
		if err != nil {
			t.Fatal(text, err)
		}
		n, ok := v.Int()
		got[text] = number{n, ok, v.Count(), v.Small(), v.Status()}
	}
	if !maps.Equal(got, want) {
		t.Errorf("%v\nwant %v", got, want)
	}
}
