package config

import (
	"encoding"
	"fmt"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"flyball/schema"
	"flyball/schema/document"
)

// shape compares a document with the types of the configuration, key by key. Its errors name the key
// and say how to write its value; those of the YAML library name neither.
type shape struct{ errs []error }

func (s *shape) add(key, format string, args ...any) {
	s.errs = append(s.errs, fmt.Errorf("%s: %w", key, fmt.Errorf(format, args...)))
}

// compare checks the value at a key. A key without a value keeps its default.
func (s *shape) compare(key string, value any, t reflect.Type) {
	switch {
	case value == nil:
	case t.Kind() == reflect.Pointer:
		s.compare(key, value, t.Elem())
	case isText(t):
		s.text(key, value, t)
	case t.Kind() == reflect.Struct:
		s.section(key, value, t)
	case t.Kind() == reflect.Slice:
		s.list(key, value, t)
	case t.Kind() == reflect.Map:
		s.mapping(key, value, t)
	default:
		s.scalar(key, value, t.Kind())
	}
}

func (s *shape) section(key string, value any, t reflect.Type) {
	values, ok := value.(map[string]any)
	if !ok {
		s.add(key, "%s stands where keys are expected; write %s: {KEY: VALUE}, with one of %s", kindOf(value), lastKey(key),
			strings.Join(sortedKeys(fields(t)), ", "))
		return
	}
	known := fields(t)
	for _, k := range sortedKeys(values) {
		f, ok := known[k]
		if !ok {
			s.errs = append(s.errs, fmt.Errorf("unknown key %s%s; did you mean %s%s?",
				prefix(key), k, prefix(key), document.Nearest(k, sortedKeys(known))))
			continue
		}
		s.compare(prefix(key)+k, values[k], f.Type)
	}
}

// mapping checks a section whose keys are names of the operator's own.
func (s *shape) mapping(key string, value any, t reflect.Type) {
	values, ok := value.(map[string]any)
	if !ok {
		s.add(key, "%s stands where names are expected; write %s: {NAME: VALUE}", kindOf(value), lastKey(key))
		return
	}
	for _, name := range sortedKeys(values) {
		s.compare(fmt.Sprintf("%s[%q]", key, name), values[name], t.Elem())
	}
}

func (s *shape) list(key string, value any, t reflect.Type) {
	items, ok := value.([]any)
	if !ok {
		s.add(key, "%s stands where a list is expected; write %s: [%s]", kindOf(value), lastKey(key), inList(value, t.Elem()))
		return
	}
	for i, item := range items {
		at := fmt.Sprintf("%s[%d]", key, i)
		if item == nil {
			s.add(at, "empty; give it a value or remove it")
			continue
		}
		s.compare(at, item, t.Elem())
	}
}

// text checks a value that its type reads from text.
func (s *shape) text(key string, value any, t reflect.Type) {
	if !s.single(key, value, t == reflect.TypeFor[schema.Secret]()) {
		return
	}
	into := reflect.New(t).Interface().(encoding.TextUnmarshaler)
	if err := into.UnmarshalText(fmt.Append(nil, value)); err != nil {
		s.add(key, "%w", err)
	}
}

func (s *shape) scalar(key string, value any, kind reflect.Kind) {
	if !s.single(key, value, false) {
		return
	}
	text := fmt.Sprint(value)
	switch kind {
	case reflect.Bool:
		if _, ok := value.(bool); !ok {
			s.add(key, "%q is neither true nor false", text)
		}
	case reflect.Int:
		if _, err := strconv.Atoi(text); err != nil {
			s.add(key, "%q is not a whole number", text)
		}
	case reflect.Float64:
		if _, err := strconv.ParseFloat(text, 64); err != nil {
			s.add(key, "%q is not a number", text)
		}
	}
}

// single reports a list or a mapping that stands where a single value is expected. In a list inside
// braces, a value such as host:9092 is read as a mapping unless it is in quotes. The error does not
// show a secret.
func (s *shape) single(key string, value any, secret bool) bool {
	switch v := value.(type) {
	case map[string]any:
		if text, ok := pairText(v); ok && !secret {
			s.add(key, "%s is read as a key and its value here; write it in quotes: %q", text, text)
		} else {
			s.add(key, "keys stand where a single value is expected")
		}
		return false
	case []any:
		s.add(key, "a list stands where a single value is expected")
		return false
	}
	return true
}

// pairText returns the text of a mapping with one key and a single value, such as host:9092.
func pairText(v map[string]any) (string, bool) {
	if len(v) != 1 {
		return "", false
	}
	for k, value := range v {
		switch value.(type) {
		case map[string]any, []any:
			return "", false
		case nil:
			return k + ":", true
		}
		return fmt.Sprintf("%s:%v", k, value), true
	}
	return "", false
}

// kindOf names the kind of a value. It does not show the value: where a section is expected, it may be
// a secret.
func kindOf(value any) string {
	switch value.(type) {
	case map[string]any:
		return "a mapping"
	case []any:
		return "a list"
	}
	return "a single value"
}

// inList returns a value as the item of a list.
func inList(value any, element reflect.Type) string {
	switch value.(type) {
	case map[string]any, []any:
		return "{…}"
	}
	if element.Kind() != reflect.String {
		return "{KEY: VALUE}"
	}
	return fmt.Sprint(value)
}

func lastKey(key string) string { return key[strings.LastIndexByte(key, '.')+1:] }

var errorPlace = regexp.MustCompile(`^\[(\d+):(\d+)\]`)
var keyBefore = regexp.MustCompile(`([A-Za-z_]+):[^,{}]*$`)

// syntaxHint returns advice for a document that is no YAML, with the key before the place that the
// error names.
func syntaxHint(text []byte, err error) string {
	said := err.Error()
	switch {
	case strings.Contains(said, "already defined"):
		return "each key stands once"
	case strings.Contains(said, "'\t'"):
		return "indent with spaces, not with tabs"
	}
	near := ""
	if m := errorPlace.FindStringSubmatch(said); m != nil {
		row, _ := strconv.Atoi(m[1])
		column, _ := strconv.Atoi(m[2])
		if lines := strings.Split(string(text), "\n"); row <= len(lines) {
			line := lines[row-1]
			if found := keyBefore.FindStringSubmatch(line[:min(max(column-1, 0), len(line))]); found != nil {
				near = "at the key " + found[1] + ": "
			}
		}
	}
	return near + "a space follows each colon, braces and brackets are closed, and text that begins with *, &, !, @, % or ` is in quotes"
}
