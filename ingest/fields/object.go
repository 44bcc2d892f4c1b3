package fields

import (
	"encoding/json"
)

// Pair is a member of an object. Name is the logged name, Key its canonical form (see Keys).
type Pair struct {
	Name string
	Key  string
	Val  Value
}

const maxFields = 512

// Keys converts names to their canonical form: lower case, underscores instead of dashes, no leading colon. The same names occur in every
// record, so names that need a change are cached; the cache is bounded.
type Keys struct{ known map[string]string }

const maxKeys = 1024

// Canonical returns the canonical form of a name.
func (k *Keys) Canonical(name []byte) string {
	for _, c := range name {
		if changes[c] {
			return k.changed(name)
		}
	}
	return View(name)
}

var changes = func() (t [256]bool) {
	for c := 'A'; c <= 'Z'; c++ {
		t[c] = true
	}
	t['-'], t[':'], t['\\'] = true, true, true
	return t
}()

func (k *Keys) changed(name []byte) string {
	if s, ok := k.known[string(name)]; ok {
		return s
	}
	s := Canonical(name)
	if len(name) <= 64 {
		if k.known == nil {
			k.known = map[string]string{}
		}
		if len(k.known) < maxKeys {
			k.known[string(name)] = s
		}
	}
	return s
}

// Canonical returns the canonical form of a name; see Keys.
func Canonical(name []byte) string {
	out := make([]byte, 0, len(name))
	for i, c := range unescapedName(name) {
		switch {
		case c == ':' && i == 0:
		case c == '-':
			out = append(out, '_')
		case c >= 'A' && c <= 'Z':
			out = append(out, c+'a'-'A')
		default:
			out = append(out, c)
		}
	}
	return string(out)
}

func unescapedName(name []byte) []byte {
	for _, c := range name {
		if c == '\\' {
			var s string
			if json.Unmarshal(append(append([]byte{'"'}, name...), '"'), &s) != nil {
				return nil
			}
			return []byte(s)
		}
	}
	return name
}

// Object reads the members of the object at b[i:], appends them to into and returns the index after the object. If a name occurs more
// than once, the last value is used.
func (k *Keys) Object(b []byte, i int, into []Pair) ([]Pair, int, error) {
	i = Space(b, i+1)
	if i < len(b) && b[i] == '}' {
		return into, i + 1, nil
	}
	var seen [4]uint64 // filter of a hash of the keys: it excludes most duplicates
	for {
		name, at, err := scanKey(b, i)
		if err != nil {
			return into, len(b), err
		}
		v, at, err := Scan(b, at, 1)
		if err != nil {
			return into, len(b), err
		}
		key := k.Canonical(name)
		if n := len(key); n > 0 {
			h := uint8(n)*31 ^ key[0]*7 ^ key[n-1]*113 ^ key[n/2]*29
			if word, bit := &seen[h>>6], uint64(1)<<(h&63); *word&bit == 0 || !replaced(into, name, key, v) {
				*word |= bit
				into = append(into, Pair{View(name), key, v})
			}
		}
		if len(into) > maxFields {
			return into, len(b), ErrFields
		}
		var more bool
		if i, more, err = next(b, at, '}'); err != nil || !more {
			return into, i, err
		}
	}
}

// replaced sets v as the value of an earlier member with that key and reports whether there is one. A null under another spelling of the
// key (user-agent, user_agent) does not replace a value.
func replaced(pairs []Pair, name []byte, key string, v Value) bool {
	for j := range pairs {
		if pairs[j].Key == key {
			if v.Kind != 'n' || pairs[j].Name == View(name) {
				pairs[j].Name, pairs[j].Val = View(name), v
			}
			return true
		}
	}
	return false
}

// Get returns the value of the member with that canonical key, or an absent value.
func Get(pairs []Pair, key string) Value {
	for i := range pairs {
		if pairs[i].Key == key {
			return pairs[i].Val
		}
	}
	return Value{}
}
