package wire

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"flyball/schema"
)

// A binary that is put back must refuse what the newer one wrote, and say what to do: a record that it guesses at is lost or wrong.
func TestRecordOfTheNextVersionIsRead(t *testing.T) {
	document := func(version int) []byte { return fmt.Appendf(nil, `{"v":%d,"body":{}}`, version) }
	value := func(kind byte) func(int) []byte {
		return func(version int) []byte { return []byte{kind, byte(version), 0, 0} }
	}
	for name, tc := range map[string]struct {
		newest int
		value  func(version int) []byte
		decode func([]byte) error
	}{
		"calls":    {CallsVersion, value(KindCalls), func(b []byte) error { _, err := (&CallsDecoder{}).Decode(b); return err }},
		"marks":    {MarksVersion, value(KindMarks), func(b []byte) error { _, err := DecodeMarks(b); return err }},
		"journal":  {JournalVersion, value(KindJournal), func(b []byte) error { _, err := DecodeJournal(b); return err }},
		"bindings": {BindingVersion, value(KindBinding), func(b []byte) error { _, err := DecodeBinding(b); return err }},
		"events":   {EventVersion, document, func(b []byte) error { _, err := DecodeEvent(b); return err }},
		"commands": {CommandVersion, document, func(b []byte) error { _, err := DecodeCommand(b); return err }},
		"points": {PointVersion, document, func(b []byte) error {
			_, err := DecodeDocument[schema.PointState](b, PointVersion)
			return err
		}},
	} {
		err := tc.decode(tc.value(tc.newest + 1))
		if !errors.Is(err, ErrNewerVersion) {
			t.Errorf("%s of version %d: %v", name, tc.newest+1, err)
			continue
		}
		for _, want := range []string{fmt.Sprint("version ", tc.newest+1), fmt.Sprint(" ", tc.newest), "upgrade this binary"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", name, err, want)
			}
		}
	}
}
