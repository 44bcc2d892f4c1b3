package fields

import (
	"encoding/json"
	"errors"
	"testing"
)

// The scanner must agree with encoding/json on what is one JSON object, except for the forms that it accepts intentionally.
func FuzzScannerAcceptsWhatTheLibraryDoes(f *testing.F) {
	f.Add([]byte(`[{"start_time":"2026-11-20T12:00:00Z","a":null},"\u00e9"]`))
	f.Add([]byte(`{"a":[1,{"b":"\\\""}],"c":-1.5e-7,"d":true}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if !json.Valid(b) {
			return
		}
		i := Space(b, 0)
		_, end, err := Scan(b, i, 0)
		if err != nil && !errors.Is(err, ErrDeep) || err == nil && Space(b, end) != len(b) {
			t.Errorf("%q: ends at %d, %v", b, end, err)
		}
	})
}
