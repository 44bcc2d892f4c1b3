package route

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"flyball/schema"
)

// addArguments adds the identifiers in logged arguments, two levels deep. What names resources deeper in them is added as
// not known: a report must not be complete without it.
func (l *resourceList) addArguments(args []byte) {
	if len(args) == 0 || args[0] != '{' && args[0] != '[' {
		return
	}
	var v any
	in := json.NewDecoder(bytes.NewReader(args))
	in.UseNumber() // a float64 would change ids above 2^53
	if in.Decode(&v) != nil || in.More() {
		return
	}
	if m, ok := v.(map[string]any); ok {
		l.addMembers(m, 0)
		return
	}
	l.addDeeper(v, 0)
}

// addMembers adds the identifiers among the members of an object, at a depth below the arguments.
func (l *resourceList) addMembers(members map[string]any, depth int) {
	for _, k := range slices.Sorted(maps.Keys(members)) {
		if isSensitive(k) {
			continue
		}
		kind := l.names[k]
		if kind == "" && isIdentifierKey(k) {
			kind = typeOfKey(k)
		}
		if kind == "" && strings.EqualFold(k, severalIDs) {
			l.add("object", "?", schema.ProvenanceToolArguments)
		}
		switch v := members[k].(type) {
		case []any:
			for _, e := range v {
				l.add(kind, argumentText(e), schema.ProvenanceToolArguments)
			}
			l.addDeeper(v, 0)
		case map[string]any:
			if depth < 1 {
				l.addMembers(v, depth+1)
			} else {
				l.addDeeper(v, 0)
			}
		default:
			l.add(kind, argumentText(v), schema.ProvenanceToolArguments)
		}
	}
}

// maxDepth is how deep arguments are searched for what names resources.
const maxDepth = 16

// addDeeper adds "type:?" for each key in a value of arguments that names resources. Its source is not that of resources
// which no record names: a manifest does not hold a call for it.
func (l *resourceList) addDeeper(value any, depth int) {
	var inside []any
	switch v := value.(type) {
	case []any:
		inside = v
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if kind := l.names[k]; !isSensitive(k) && (kind != "" || isIdentifierKey(k) || strings.EqualFold(k, severalIDs)) {
				l.add(cmp.Or(kind, typeOfKey(k)), "?", schema.ProvenanceToolArguments)
			}
			inside = append(inside, v[k])
		}
	}
	if len(inside) > 0 && depth >= maxDepth {
		l.add("object", "?", schema.ProvenanceToolArguments)
		return
	}
	for _, e := range inside {
		l.addDeeper(e, depth+1)
	}
}

// argumentText returns the text of an argument that can be an identifier: a string or a
// number. Otherwise it returns "".
func argumentText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}
