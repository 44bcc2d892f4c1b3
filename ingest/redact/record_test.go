package redact

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

const canary = "c4naryS3cret0987654321"

func TestRecordThatNobodyCouldReadIsShownWithoutItsSecrets(t *testing.T) {
	for name, in := range map[string]string{
		"member":              `{"method":"GET","authorization":"Bearer CANARY","path":"/a"}`,
		"any type":            `{"token":["CANARY"],"secret":{"a":"CANARY"},"password":12345,"a":1}`,
		"blanks and escapes":  "{ \"\\u0061uthorization\" : \"CANARY\" , \"a\" : 1 }",
		"cut in the value":    `{"method":"GET","x_api_key":"CANARY`,
		"cut in an object":    `{"cookie":{"a":"CANARY","b":`,
		"no comma":            `{"a":1 "authorization":"CANARY" "b":2`,
		"single quotes":       `{'authorization': 'CANARY', 'a': 1}`,
		"a line in a member":  `{"log":"GET /a?k=CANARY HTTP/1.1"}`,
		"JSON in a member":    `{"message":"{\"authorization\":\"CANARY\",\"n\":\"{\\\"token\\\":\\\"CANARY\\\"}\"}"}`,
		"array":               `["Bearer CANARY", "sk-live-CANARY"]`,
		"body":                `{"request_body":"card of CANARY","a":1}`,
		"OTLP body":           `{"body":{"stringValue":"GET /a?k=CANARY"},"attributes":[]}`,
		"query":               `10.0.0.1 - - "GET /a?api_key=CANARY HTTP/1.1" 200`,
		"userinfo":            `connect to https://bob:CANARY@host/a`,
		"bearer":              `level=info authorization="Bearer CANARY" msg=x`,
		"key=value":           `time=1 token=CANARY path=/a`,
		"header line":         "GET / HTTP/1.1\r\nCookie: a=CANARY; b=CANARY\r\nHost: h",
		"header of a proxy":   "Proxy-Authorization: Digest CANARY, x=\"CANARY\"",
		"prefix before JSON":  `<34>1 host app - - {"authorization":"CANARY"}`,
		"path of a vendor":    `{"path":"/keys/sk-live-CANARY/x"}`,
		"not UTF-8":           "\x0a\xff\x22authorization\x12\x16CANARY\x01\x02abcd",
		"binary bearer":       "\x00\x01GET /a?x=CANARY\x00Bearer CANARY\x00",
		"JSON web token":      `{"x":"eyJhbGciOiJub25lIn0.eyJzdWIiOiJCANARYIn0.c2ln"}`,
		"deeply nested texts": nested(8),
	} {
		in = strings.ReplaceAll(in, "CANARY", canary)
		out := Record([]byte(in))
		if bytes.Contains(out, []byte(canary)) || !bytes.Contains(out, []byte(redacted)) {
			t.Errorf("%s: %q", name, out)
		}
		if json.Valid([]byte(in)) && !json.Valid(out) {
			t.Errorf("%s: was JSON, is %q", name, out)
		}
	}
}

// nested is a text in a text, with a secret in the innermost.
func nested(depth int) string {
	s := `{"token":"CANARY"}`
	for range depth {
		b, _ := json.Marshal(s)
		s = `{"message":` + string(b) + `}`
	}
	return s
}

// What is no secret stays, so that people see why a record could not be read.
func TestRestOfABrokenRecordStays(t *testing.T) {
	in := `{"authorization":"Bearer ` + canary + `","method":"GET","path":"/v1/orders/7","status":200,"broken`
	if out := string(Record([]byte(in))); out != `{"authorization":"[redacted]","method":"GET","path":"/v1/orders/7","status":200,"broken` {
		t.Errorf("%s", out)
	}
}

func TestRecordWithoutASecretIsTheSameBytes(t *testing.T) {
	for _, in := range []string{"", "{", `{"no":"idea"}`, `{"moat":1,"when":"2026-01-01T00:00:00Z","what":"/orders/1","code":200}`, "no log line",
		`{"usage":{"total_tokens":12},"n":[1,2,{"a":"b"}]}`, "\x00\x01\x02\xffabc\x00", `"`, `{"a":"\ud800"}`, `[[[[`} {
		b := []byte(in)
		if out := Record(b); string(out) != in || len(in) > 0 && &out[0] != &b[0] {
			t.Errorf("%q became %q", in, out)
		}
	}
}

func FuzzRecord(f *testing.F) {
	for _, s := range []string{`{"authorization":"x","a":[1,{"token":"y"}]}`, `{"a":"\\"`, "Cookie: a=b", "\x00token\x00abcd\x00", `{"token":`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		was := bytes.Clone(b)
		out := Record(b)
		if !bytes.Equal(b, was) {
			t.Errorf("%q was changed to %q", was, b)
		}
		if json.Valid(was) && !json.Valid(out) {
			t.Errorf("%q was JSON, is %q", was, out)
		}
		// A member with the name of a secret, whatever stands before it.
		with := append(bytes.Clone(b), `{"authorization":"`+canary+`"}`...)
		if json.Valid(b) && bytes.Contains(Record(with), []byte(canary)) {
			t.Errorf("%q shows the secret", Record(with))
		}
	})
}
