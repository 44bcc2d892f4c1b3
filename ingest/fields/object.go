package fields

import (
	"encoding/json"
)

// Pair is a member of an object: its name as it was logged, and in the one form
// that the tables use.
type Pair struct {
	Name string
	Key  string
	Val  Value
}

const maxFields = 512

// Keys turns names into the form that tables use: lower case, dashes as
// underscores, no leading colon. Names repeat from record to record, so those
// that need a change are remembered, up to a bound.
type Keys struct{ known map[string]string }

const maxKeys = 1024

// Canonical is the form of a name that tables use.
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

// Canonical is the form of a name that tables use; see Keys.
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

// Object reads the members of the object at b[i:]. Of members with one name the
// last one stands.
func (k *Keys) Object(b []byte, i int, into []Pair) ([]Pair, int, error) {
	i = Space(b, i+1)
	if i < len(b) && b[i] == '}' {
		return into, i + 1, nil
	}
	var seen [4]uint64 // of a hash of the keys: most repeats are ruled out by it
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

// replaced puts v where an earlier member of that key stands. Another spelling
// of the key (user-agent, user_agent) does not take a value back to nothing.
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

// Get is the value of the member with that key (in the form of Keys), or absent.
func Get(pairs []Pair, key string) Value {
	for i := range pairs {
		if pairs[i].Key == key {
			return pairs[i].Val
		}
	}
	return Value{}
}
