package wire

import (
	"errors"
	"testing"
)

// The body is cut out of a document as EncodeDocument writes it; any other JSON of the same meaning is read, and no other is.
func TestDocumentInAnotherFormIsLostOrMisread(t *testing.T) {
	type body struct {
		A int    `json:"a"`
		S string `json:"s"`
	}
	plain, err := EncodeDocument(2, &body{7, `}`})
	if err != nil || string(plain) != `{"v":2,"body":{"a":7,"s":"}"}}` {
		t.Fatalf("%s, %v", plain, err)
	}
	for _, value := range []string{string(plain), " " + string(plain) + "\n",
		`{"v": 2, "body": {"a":7,"s":"}"}}`, `{"body":{"a":7,"s":"}"},"v":2}`,
		`{"v":2,"body":{"a":7,"s":"}"},"more":{"a":8}}`, `{"v":2,"body":{"a":1},"body":{"a":7,"s":"}"}}`,
		`{"v":9,"body":{"a":7,"s":"}"},"v":2}`, `{"v":2,"more":{"v":9,"body":{}},"body":{"a":7,"s":"}"}}`} {
		if got, err := DecodeDocument[body]([]byte(value), 2); err != nil || got != (body{7, "}"}) {
			t.Errorf("%s: %+v, %v", value, got, err)
		}
	}
	for value, want := range map[string]error{
		`{"v":3,"body":{"a":7}}`: ErrNewerVersion, `{"v":99999999,"body":{"a":7}}`: ErrNewerVersion, `{"v":3,"body":{"a":"x"}}`: ErrNewerVersion,
		`{"v":2,"body":{"a":7},"v":3}`: ErrNewerVersion, `{"v":0,"body":{"a":7}}`: ErrMalformed, `{"v":02,"body":{"a":7}}`: ErrMalformed,
		`{"v":,"body":{"a":7}}`: ErrMalformed, `{"v":2,"body":{"a":7}`: ErrMalformed, `{"v":2,"body":{"a":7}}}`: ErrMalformed,
		`{"v":2,"body":{"a":"x"}}`: ErrMalformed, `{"v":2,"body":}`: ErrMalformed, ``: ErrMalformed, `{"body":{"a":7}}`: ErrMalformed,
	} {
		if got, err := DecodeDocument[body]([]byte(value), 2); !errors.Is(err, want) {
			t.Errorf("%s: %+v, %v, want %v", value, got, err, want)
		}
	}
}
