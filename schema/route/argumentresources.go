package route

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"sort"
	"strings"

	"flyball/schema"
)

// fromArgs adds the identifiers in logged arguments, two levels deep. What names resources deeper in them is added as
// not known: a report must not be complete without it.
func fromArgs(args []byte, names map[string]string, add func(kind, value string, source schema.Provenance)) {
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
		readArgs(m, names, add, 0)
		return
	}
	readDeeper(v, names, add, 0)
}

func readArgs(m map[string]any, names map[string]string, add func(kind, value string, source schema.Provenance), depth int) {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		if sensitive(k) {
			continue
		}
		kind := names[k]
		if kind == "" && identifier(k) {
			kind = stem(k)
		}
		if kind == "" && strings.EqualFold(k, severalIDs) {
			add("object", "?", schema.ProvenanceToolArguments)
		}
		switch v := m[k].(type) {
		case []any:
			for _, e := range v {
				add(kind, argumentText(e), schema.ProvenanceToolArguments)
			}
			readDeeper(v, names, add, 0)
		case map[string]any:
			if depth < 1 {
				readArgs(v, names, add, depth+1)
			} else {
				readDeeper(v, names, add, 0)
			}
		default:
			add(kind, argumentText(v), schema.ProvenanceToolArguments)
		}
	}
}

// maxDepth is how deep arguments are searched for what names resources.
const maxDepth = 16

// readDeeper adds "type:?" for each key in a value of arguments that names resources. Its source is not that of resources
// which no record names: a manifest does not hold a call for it.
func readDeeper(value any, names map[string]string, add func(kind, value string, source schema.Provenance), depth int) {
	var inside []any
	switch v := value.(type) {
	case []any:
		inside = v
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			if kind := names[k]; !sensitive(k) && (kind != "" || identifier(k) || strings.EqualFold(k, severalIDs)) {
				add(cmp.Or(kind, stem(k)), "?", schema.ProvenanceToolArguments)
			}
			inside = append(inside, v[k])
		}
	}
	if len(inside) > 0 && depth >= maxDepth {
		add("object", "?", schema.ProvenanceToolArguments)
		return
	}
	for _, e := range inside {
		readDeeper(e, names, add, depth+1)
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
