package schemaregistry

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/hamba/avro/v2"
)

// avroDecoder reads the binary encoding of one Avro schema.
type avroDecoder struct {
	schema avro.Schema
	api    avro.API
}

// maxAvro is the maximum size of a payload in bytes: a map of it needs fifty times as much memory.
const maxAvro = 2 << 20

func newAvro(text string, parts map[string]string) (decoder, error) {
	// References may refer to each other: a part that does not parse yet is tried again after the others.
	cache := &avro.SchemaCache{}
	left := parts
	for len(left) > 0 {
		again := map[string]string{}
		var failed error
		for name, part := range left {
			if _, err := avro.ParseWithCache(part, "", cache); err != nil {
				again[name], failed = part, fmt.Errorf("reference %q: %w", name, err)
			}
		}
		if len(again) == len(left) {
			return nil, failed
		}
		left = again
	}
	s, err := avro.ParseWithCache(text, "", cache)
	if err != nil {
		return nil, err
	}
	if recursive(s, map[string]bool{}, 0) {
		return nil, errors.New("it contains itself: such records have no bounded depth")
	}
	api := avro.Config{MaxByteSliceSize: maxPayload, MaxSliceAllocSize: 1 << 16}.Freeze()
	return avroDecoder{s, api}, nil
}

// recursive reports whether a schema contains itself, or is nested deeper than any record of a log.
func recursive(s avro.Schema, above map[string]bool, depth int) bool {
	if depth > 48 {
		return true
	}
	switch s := s.(type) {
	case *avro.RefSchema:
		return recursive(s.Schema(), above, depth+1)
	case *avro.RecordSchema:
		name := s.FullName()
		if above[name] {
			return true
		}
		above[name] = true
		defer delete(above, name)
		for _, f := range s.Fields() {
			if recursive(f.Type(), above, depth+1) {
				return true
			}
		}
	case *avro.ArraySchema:
		return recursive(s.Items(), above, depth+1)
	case *avro.MapSchema:
		return recursive(s.Values(), above, depth+1)
	case *avro.UnionSchema:
		for _, t := range s.Types() {
			if recursive(t, above, depth+1) {
				return true
			}
		}
	}
	return false
}

func (d avroDecoder) json(payload []byte) (out []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = nil, fmt.Errorf("the payload made its reader fail (%T)", p)
		}
	}()
	if len(payload) > maxAvro {
		return nil, fmt.Errorf("%d bytes, at most %d are read", len(payload), maxAvro)
	}
	var v any
	if err := d.api.Unmarshal(d.schema, payload, &v); err != nil {
		return nil, errors.New("the payload is none of that Avro schema, or is cut off")
	}
	return json.Marshal(plain(v, d.schema))
}

// plain returns a value that json.Marshal writes as a log would: unions without the name of their branch, times in RFC 3339, numbers of
// decimals as text.
func plain(v any, s avro.Schema) any {
	if ref, ok := s.(*avro.RefSchema); ok {
		s = ref.Schema()
	}
	switch v := v.(type) {
	case map[string]any:
		if u, ok := s.(*avro.UnionSchema); ok {
			return branch(v, u)
		}
		for k, e := range v {
			v[k] = plain(e, member(s, k))
		}
	case []any:
		items := avro.Schema(nil)
		if a, ok := s.(*avro.ArraySchema); ok {
			items = a.Items()
		}
		for i, e := range v {
			v[i] = plain(e, items)
		}
	case time.Time:
		return v.UTC().Format(time.RFC3339Nano)
	case time.Duration:
		return v.String()
	case *big.Rat:
		return v.FloatString(9)
	case []byte:
		return string(v)
	}
	return v
}

// branch returns the value of a union without the name of its branch, which is there only for named types.
func branch(v map[string]any, u *avro.UnionSchema) any {
	for _, t := range u.Types() {
		if ref, ok := t.(*avro.RefSchema); ok {
			t = ref.Schema()
		}
		name := string(t.Type())
		if named, ok := t.(avro.NamedSchema); ok {
			name = named.FullName()
		}
		if inner, ok := v[name]; ok && len(v) == 1 {
			return plain(inner, t)
		}
	}
	for _, t := range u.Types() { // without a name: the only record or map of the union
		if ref, ok := t.(*avro.RefSchema); ok {
			t = ref.Schema()
		}
		if t.Type() == avro.Record || t.Type() == avro.Map {
			return plain(v, t)
		}
	}
	return v
}

// member returns the schema of a member of a record or of a map; nil if there is none.
func member(s avro.Schema, name string) avro.Schema {
	switch s := s.(type) {
	case *avro.RecordSchema:
		for _, f := range s.Fields() {
			if f.Name() == name {
				return f.Type()
			}
		}
	case *avro.MapSchema:
		return s.Values()
	}
	return nil
}
