package api

import "github.com/getkin/kin-openapi/openapi3"

// limited is a request type that limits its members. The OpenAPI document contains the
// limits, and bodies are validated by the document.
type limited interface{ limits() limits }

// limits of members, by their JSON name.
type limits map[string]limit

// limit adds what a member must be to its schema.
type limit func(*openapi3.Schema)

const (
	// resourcePattern: a resource, or a pattern of resources as path.Match takes it but
	// without character classes: order:123, order:*.
	resourcePattern = `^[^\[\]\\]+$`
	// wordsPattern: a text that is not blank.
	wordsPattern = `\S`
	// Longest elements of lists, in characters.
	maxWordsElement    = 300
	maxResourceElement = 256
)

// text has a number of characters within a range.
func text(low, high uint64) limit {
	return func(s *openapi3.Schema) { s.MinLength, s.MaxLength = low, &high }
}

// words is text that is not blank.
func words(low, high uint64) limit { return patterned(low, high, wordsPattern) }

// resource is a resource, or a pattern of resources.
func resource(low, high uint64) limit { return patterned(low, high, resourcePattern) }

func patterned(low, high uint64, pattern string) limit {
	return func(s *openapi3.Schema) { s.MinLength, s.MaxLength, s.Pattern = low, &high, pattern }
}

// number is within a range.
func number(low, high float64) limit {
	return func(s *openapi3.Schema) { s.Min, s.Max, s.Nullable = &low, &high, false }
}

// wordList has a number of elements within a range, none of them blank.
func wordList(low, high uint64) limit { return listOf(low, high, words(1, maxWordsElement)) }

// resourceList has a number of resources, or patterns of resources, within a range.
func resourceList(low, high uint64) limit { return listOf(low, high, resource(1, maxResourceElement)) }

func listOf(low, high uint64, element limit) limit {
	return func(s *openapi3.Schema) {
		s.MinItems, s.MaxItems, s.Nullable = low, &high, false
		item := *s.Items.Value
		element(&item)
		s.Items = &openapi3.SchemaRef{Value: &item}
	}
}

// apply limits the members of an object. The schemas of members are copied first, as the
// generator shares them between types.
func (l limits) apply(object *openapi3.Schema) {
	for name, limit := range l {
		member := *object.Properties[name].Value
		limit(&member)
		object.Properties[name] = &openapi3.SchemaRef{Value: &member}
	}
}
