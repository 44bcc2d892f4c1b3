package api

import "github.com/getkin/kin-openapi/openapi3"

// limited is a request type that limits its members. The OpenAPI document contains the limits, and
// bodies are validated against the document.
type limited interface{ limits() limits }

// limits are the limits of members, by their JSON name.
type limits map[string]limit

// limit adds the limit of a member to its schema.
type limit func(*openapi3.Schema)

const (
	// resourcePattern matches a resource, or a pattern of resources in the syntax of path.Match
	// without character classes: order:123, order:*.
	resourcePattern = `^[^\[\]\\]+$`
	// wordsPattern matches a text that is not blank. In the regular expressions of JSON Schema, \s does not include U+0085, which is white
	// space in Unicode.
	wordsPattern = `[^\s\x85]`
	// Maximum length of elements of lists, in characters.
	maxWordsElement    = 300
	maxResourceElement = 256
)

// text limits the number of characters.
func text(low, high uint64) limit {
	return func(s *openapi3.Schema) { s.MinLength, s.MaxLength = low, &high }
}

// words limits the number of characters of a text that must not be blank.
func words(low, high uint64) limit { return patterned(low, high, wordsPattern) }

// resource limits a member to a resource or a pattern of resources.
func resource(low, high uint64) limit { return patterned(low, high, resourcePattern) }

func patterned(low, high uint64, pattern string) limit {
	return func(s *openapi3.Schema) { s.MinLength, s.MaxLength, s.Pattern = low, &high, pattern }
}

// number limits a number to a range.
func number(low, high float64) limit {
	return func(s *openapi3.Schema) { s.Min, s.Max, s.Nullable = &low, &high, false }
}

// oneOf limits a text to words.
func oneOf(list []string) limit {
	return func(s *openapi3.Schema) {
		for _, w := range list {
			s.Enum = append(s.Enum, w)
		}
	}
}

// wordList limits the number of elements, of which none may be blank.
func wordList(low, high uint64) limit { return listOf(low, high, words(1, maxWordsElement)) }

// resourceList limits the number of elements, which must be resources or patterns of resources.
func resourceList(low, high uint64) limit { return listOf(low, high, resource(1, maxResourceElement)) }

func listOf(low, high uint64, element limit) limit {
	return func(s *openapi3.Schema) {
		s.MinItems, s.MaxItems, s.Nullable = low, &high, false
		item := *s.Items.Value
		element(&item)
		s.Items = &openapi3.SchemaRef{Value: &item}
	}
}

// apply adds the limits to the members of an object. It copies the schemas of members first,
// because the generator shares them between types.
func (l limits) apply(object *openapi3.Schema) {
	for name, limit := range l {
		member := *object.Properties[name].Value
		limit(&member)
		object.Properties[name] = &openapi3.SchemaRef{Value: &member}
	}
}
