package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math"
	"reflect"
	"regexp"

	"flyball/schema"
)

// JSON prints a value as indented JSON, in which characters that a terminal does not show are
// escaped. A number that JSON cannot represent (NaN, ∞) is
// printed as null.
func JSON(w io.Writer, v any) error {
	text, err := marshal(v)
	var unsupported *json.UnsupportedValueError
	if errors.As(err, &unsupported) {
		text, err = marshal(withStandIns(reflect.ValueOf(v)).Interface())
		text = standInAlone.ReplaceAll(text, []byte("${1}null$2"))
	}
	if err != nil {
		return err
	}
	_, err = w.Write(schema.VisibleJSON(text))
	return err
}

// JSONLine prints a value as JSON on one line, otherwise as JSON does.
func JSONLine(w io.Writer, v any) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	var unsupported *json.UnsupportedValueError
	if errors.As(err, &unsupported) {
		var wide bytes.Buffer
		if err = JSON(&wide, v); err != nil {
			return err
		}
		b.Reset()
		if err = json.Compact(&b, wide.Bytes()); err == nil {
			b.WriteByte('\n')
		}
	}
	if err != nil {
		return err
	}
	_, err = w.Write(schema.VisibleJSON(b.Bytes()))
	return err
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	return b.Bytes(), err
}

// standIn temporarily replaces numbers that JSON cannot represent; no measured value is so
// large.
const standIn = math.MaxFloat64

// standInAlone matches a line of indented JSON with standIn as its value.
var standInAlone = regexp.MustCompile(`(?m)^(\s*(?:"(?:[^"\\]|\\.)*": )?)1\.7976931348623157e\+308(,?)$`)

// withStandIns returns a copy of a value with standIn in place of each NaN and ∞.
func withStandIns(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Float64:
		if f := v.Float(); math.IsNaN(f) || math.IsInf(f, 0) {
			return reflect.ValueOf(standIn).Convert(v.Type())
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			inner := withStandIns(v.Elem())
			if v.Kind() == reflect.Interface {
				return inner
			}
			out := reflect.New(v.Type().Elem())
			out.Elem().Set(inner)
			return out
		}
	case reflect.Slice:
		if !v.IsNil() {
			out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
			for i := range v.Len() {
				out.Index(i).Set(withStandIns(v.Index(i)))
			}
			return out
		}
	case reflect.Map:
		if !v.IsNil() {
			out := reflect.MakeMapWithSize(v.Type(), v.Len())
			for _, k := range v.MapKeys() {
				out.SetMapIndex(k, withStandIns(v.MapIndex(k)))
			}
			return out
		}
	case reflect.Struct:
		out := reflect.New(v.Type()).Elem()
		out.Set(v)
		for i := range v.NumField() {
			if out.Field(i).CanSet() {
				out.Field(i).Set(withStandIns(v.Field(i)))
			}
		}
		return out
	}
	return v
}
