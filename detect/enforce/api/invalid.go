package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
)

// explainInvalid returns an error that names the invalid member of a body, its value, and what is
// required. It does not repeat texts that look like secrets.
func explainInvalid(err error) error {
	var s *openapi3.SchemaError
	if !errors.As(err, &s) {
		return fmt.Errorf("body: %w", err)
	}
	if s.SchemaField == "oneOf" || s.SchemaField == "anyOf" {
		// The library checks the presence of members before their values. An error in a single
		// member is more useful to the caller.
		members := *s.Schema
		members.OneOf, members.AnyOf = nil, nil
		if single := members.VisitJSON(s.Value, openapi3.VisitAsRequest()); single != nil {
			return explainInvalid(single)
		}
	}
	return fmt.Errorf("%s: %s", memberPath(s), violation(s))
}

// memberPath returns the path of the member that an error is about: scope.kind, targets[0].
func memberPath(s *openapi3.SchemaError) string {
	var path strings.Builder
	for _, part := range s.JSONPointer() {
		switch _, err := strconv.Atoi(part); {
		case err == nil:
			path.WriteString("[" + part + "]")
		case path.Len() > 0:
			path.WriteString("." + part)
		default:
			path.WriteString(part)
		}
	}
	if path.Len() == 0 {
		return "body"
	}
	return path.String()
}

// violation returns what is wrong with a value, and what is required.
func violation(s *openapi3.SchemaError) string {
	rule := s.Schema
	switch s.SchemaField {
	case "required":
		return "missing"
	case "properties":
		return "unknown member " + showText(firstUnknown(rule, s.Value)) + "; one of " + strings.Join(memberNames(rule), ", ")
	case "nullable":
		return "null; leave it out"
	case "minLength", "maxLength":
		text, _ := s.Value.(string)
		return fmt.Sprintf("%d characters; %d to %d", utf8.RuneCountInString(text), rule.MinLength, *rule.MaxLength)
	case "minItems", "maxItems":
		elements, _ := s.Value.([]any)
		return fmt.Sprintf("%d elements; %d to %d", len(elements), rule.MinItems, *rule.MaxItems)
	case "minimum", "maximum":
		if strings.HasSuffix(memberPath(s), "_seconds") {
			return fmt.Sprintf("%s; %s to %s", showSeconds(s.Value), showSeconds(*rule.Min), showSeconds(*rule.Max))
		}
		return fmt.Sprintf("%s; %s to %s", showNumber(s.Value), showNumber(*rule.Min), showNumber(*rule.Max))
	case "pattern":
		if rule.Pattern == wordsPattern {
			return "empty"
		}
		return showValue(s.Value) + "; a name or a pattern as order:123, order:*"
	case "enum":
		return showValue(s.Value) + "; one of " + strings.Join(enumWords(rule), ", ")
	case "oneOf":
		return strings.Join(alternatives(rule.OneOf), ", ") + ": one of the two"
	case "anyOf":
		return strings.Join(alternatives(rule.AnyOf), ", ") + ": one of them at least"
	case "type":
		return jsonKind(s.Value) + "; " + strings.Join(rule.Type.Slice(), " or ") + " is needed"
	}
	return s.Reason
}

// showSeconds returns a number of seconds, and whole days or hours of it: "7776000 (90d)".
func showSeconds(value any) string {
	text := showNumber(value)
	n, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil || n < 3600:
		return text
	case n%86_400 == 0:
		return fmt.Sprintf("%s (%dd)", text, n/86_400)
	case n%3600 == 0:
		return fmt.Sprintf("%s (%dh)", text, n/3600)
	}
	return text
}

func memberNames(object *openapi3.Schema) []string {
	return slices.Sorted(maps.Keys(object.Properties))
}

func firstUnknown(object *openapi3.Schema, value any) string {
	members, _ := value.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if object.Properties[name] == nil {
			return name
		}
	}
	return ""
}

func enumWords(rule *openapi3.Schema) []string {
	out := make([]string, len(rule.Enum))
	for i, w := range rule.Enum {
		out[i] = fmt.Sprint(w)
	}
	return out
}

// alternatives returns the members that each of several schemas requires.
func alternatives(list openapi3.SchemaRefs) (names []string) {
	for _, s := range list {
		names = append(names, s.Value.Required...)
	}
	return names
}

// jsonKind returns the kind of a JSON value.
func jsonKind(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case []any:
		return "an array"
	case map[string]any:
		return "an object"
	case json.Delim:
		return map[json.Delim]string{'[': "an array", '{': "an object"}[v]
	}
	return "a number"
}

// showValue returns a value in the form that may be repeated to its sender.
func showValue(v any) string {
	switch v := v.(type) {
	case string:
		return showText(v)
	case bool:
		return strconv.FormatBool(v)
	}
	return jsonKind(v)
}

// maxShown is how many bytes of a text may be repeated.
const maxShown = 64

// showText returns the beginning of a text to repeat it to its sender, but no part of a text that
// looks like a secret.
func showText(s string) string {
	if LooksLikeSecret(s) || MayBeSecret(s) {
		return "a text that looks like a secret"
	}
	if len(s) > maxShown {
		return strconv.Quote(strings.ToValidUTF8(s[:maxShown], "")) + "…"
	}
	return strconv.Quote(s)
}

func showNumber(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}
