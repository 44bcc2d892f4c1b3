package decode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"
)

// place is the position of a value in a JSON document.
type place struct {
	name string
	set  func(v any)
	was  any
}

// places returns the positions in a document: its leaves, and its objects, to which a member can be added.
func places(v any, at string, set func(any)) (leaves []place, objects []map[string]any) {
	switch v := v.(type) {
	case map[string]any:
		objects = append(objects, v)
		for k, e := range v {
			l, o := places(e, at+"."+k, func(n any) { v[k] = n })
			leaves, objects = append(leaves, l...), append(objects, o...)
		}
	case []any:
		for i, e := range v {
			l, o := places(e, fmt.Sprintf("%s[%d]", at, i), func(n any) { v[i] = n })
			leaves, objects = append(leaves, l...), append(objects, o...)
		}
	case string:
		// A document in a text is a document too.
		var inner any
		if strings.HasPrefix(v, "{") && json.Unmarshal([]byte(v), &inner) == nil {
			again := func(any) { b, _ := json.Marshal(inner); set(string(b)) }
			l, o := places(inner, at+"(text)", func(n any) { inner = n; again(nil) })
			for i := range l {
				one := l[i].set
				l[i].set = func(n any) { one(n); again(nil) }
			}
			leaves, objects = append(leaves, l...), append(objects, o...)
		}
		leaves = append(leaves, place{at, set, v})
	default:
		leaves = append(leaves, place{at, set, v})
	}
	return leaves, objects
}

// eachChange calls its function with every record of every format, with one value changed or one member added.
func eachChange(t *testing.T, values []any, names []string, each func(file, what string, value []byte)) {
	t.Helper()
	for _, file := range fixtures(t) {
		for _, r := range records(t, file) {
			if !json.Valid(r) {
				eachWord(string(r), values, func(what, line string) { each(file, what, []byte(line)) })
				continue
			}
			var doc any
			d := json.NewDecoder(bytes.NewReader(r))
			d.UseNumber()
			if err := d.Decode(&doc); err != nil {
				t.Fatal(err)
			}
			leaves, objects := places(doc, "", func(n any) { doc = n })
			for _, l := range leaves {
				for _, v := range values {
					l.set(v)
					b, err := json.Marshal(doc)
					if err != nil {
						t.Fatal(err)
					}
					each(file, l.name, b)
				}
				l.set(l.was)
			}
			for _, o := range objects {
				for _, name := range names {
					if _, there := o[name]; there {
						continue
					}
					o[name] = canary + " and more"
					b, err := json.Marshal(doc)
					if err != nil {
						t.Fatal(err)
					}
					delete(o, name)
					each(file, "member "+name, b)
				}
			}
		}
	}
}

// eachWord changes each word and each quoted text of a line. A text with a space is inserted only between quotes.
func eachWord(line string, values []any, each func(what, line string)) {
	for i, part := range strings.FieldsFunc(line, func(c rune) bool { return c == ' ' || c == '"' }) {
		for _, v := range values {
			if text := fmt.Sprint(v); !strings.Contains(text, " ") {
				each(fmt.Sprintf("word %d", i), strings.Replace(line, part, text, 1))
			}
		}
	}
	parts := strings.Split(line, `"`)
	for i := 1; i < len(parts); i += 2 {
		was := parts[i]
		for _, v := range values {
			parts[i] = fmt.Sprint(v)
			each(fmt.Sprintf("quoted %d", i/2), strings.Join(parts, `"`))
		}
		parts[i] = was
	}
}

// A secret in any member of any format, or in an additional member with any name, must not appear in any result of the record.
func TestNoSecretIsKeptOfAnyFormat(t *testing.T) {
	p := pipelineWithRules(t)
	var values []any
	for _, s := range secretForms {
		values = append(values, s)
	}
	n, dead := 0, 0
	eachChange(t, values, secretNames, func(file, what string, value []byte) {
		calls, died := p.Decode(&Record{Topic: "in", Timestamp: kafkaTime, Key: []byte(canary), Value: value}, nil)
		n++
		dead += len(died)
		for i := range calls {
			if at := holds(reflect.ValueOf(calls[i]), "Call"); at != "" {
				t.Errorf("%s %s: %s holds the secret: %s", filepath.Base(file), what, at, AppendJSON(nil, &calls[i]))
			}
		}
		for _, d := range died {
			if strings.Contains(d.Detail, canary) {
				t.Errorf("%s %s: detail %q", file, what, d.Detail)
			}
		}
	})
	t.Logf("%d records with a secret in them, %d dead letters", n, dead)
}

// Producers may write any value in a record of any format: an invalid number, one out of range, a list, an object or null in place of a
// text, a text that is not UTF-8, a path of a million bytes. Each record becomes calls or dead letters with a reason, without a panic.
func TestBadValuesOfAnyFormat(t *testing.T) {
	long := "/" + strings.Repeat("x", 1_000_000)
	values := []any{nil, "", "-", true, json.Number("9223372036854775808"), json.Number("-1"), json.Number("1e400"), json.Number("0.0000001"),
		"NaN", "Infinity", "-5", "007",
		[]any{}, []any{"a", "b"}, map[string]any{}, map[string]any{"a": []any{nil}}, "\xff\xfe", "\u0000", "12:30", strings.Repeat("9", 400)}
	p := pipelineWithRules(t)
	began := time.Now()
	n := 0
	check := func(file, what string, value []byte) {
		n++
		calls, dead := p.Decode(&Record{Topic: "in", Timestamp: kafkaTime, Value: value}, nil)
		for _, d := range dead {
			if d.Reason == Panicked || d.Detail == "" {
				t.Errorf("%s %s: %s %s: %.300s", filepath.Base(file), what, d.Reason, d.Detail, value)
			}
		}
		for i := range calls {
			c := &calls[i]
			if c.DurationNs < -1 || c.CostUSD < 0 || math.IsNaN(c.CostUSD) || c.Status > 999 || len(c.Path) > 4096 || c.Start <= 0 {
				t.Errorf("%s %s: %s", filepath.Base(file), what, AppendJSON(nil, c))
			}
			if !json.Valid(AppendJSON(nil, c)) {
				t.Errorf("%s %s: no JSON of it", filepath.Base(file), what)
			}
		}
	}
	eachChange(t, values, nil, check)
	some := 0
	eachChange(t, []any{long}, nil, func(file, what string, value []byte) {
		if some++; some%37 == 0 { // a million bytes each
			check(file, what, value)
		}
	})
	t.Logf("%d records in %s", n, time.Since(began).Round(time.Millisecond))
}
