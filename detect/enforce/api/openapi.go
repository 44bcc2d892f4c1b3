package api

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3gen"

	"flyball/schema"
)

var words = map[reflect.Type][]string{
	reflect.TypeFor[schema.ScopeKind]():    schema.ScopeKindWords[1:],
	reflect.TypeFor[schema.Action]():       schema.ActionWords,
	reflect.TypeFor[schema.Mode]():         schema.ModeWords,
	reflect.TypeFor[schema.BreakerState](): schema.BreakerStateWords,
	reflect.TypeFor[schema.GateState]():    schema.GateStateWords,
	reflect.TypeFor[schema.VerdictLabel](): schema.VerdictWords[1:],
	reflect.TypeFor[schema.Trust]():        schema.TrustWords,
	reflect.TypeFor[schema.Standing]():     schema.StandingWords,
}

// openAPI is the document of the list of operations.
func (c *Control) openAPI() ([]byte, error) {
	schemas := openapi3.Schemas{}
	gen := openapi3gen.NewGenerator(openapi3gen.UseAllExportedFields(), openapi3gen.SchemaCustomizer(customize))
	ref := func(v any, closed bool) (*openapi3.SchemaRef, error) {
		s, err := gen.NewSchemaRefForValue(v, schemas)
		if err != nil {
			return nil, err
		}
		if closed {
			closeObject(s.Value)
		}
		return s, nil
	}
	doc := &openapi3.T{OpenAPI: "3.0.3", Info: &openapi3.Info{Title: "Flyball control", Version: "1",
		Description: "Breakers, gates, tasks and manifests. Roles: viewer, responder, admin, orchestrator. Every change is an entry of the audit trail."},
		Paths: openapi3.NewPaths(), Components: &openapi3.Components{
			Schemas:         openapi3.Schemas{},
			SecuritySchemes: openapi3.SecuritySchemes{"token": {Value: &openapi3.SecurityScheme{Type: "http", Scheme: "bearer"}}},
		}}
	problemSchema, err := ref(problem{}, false)
	if err != nil {
		return nil, err
	}
	doc.Components.Schemas["Problem"] = problemSchema
	for _, op := range c.operations() {
		o := &openapi3.Operation{OperationID: op.id, Summary: op.summary, Responses: openapi3.NewResponses(), Description: "Role: " + string(op.role),
			Security: &openapi3.SecurityRequirements{{"token": {}}}}
		answer, err := ref(op.answer, false)
		if err != nil {
			return nil, fmt.Errorf("%s %s: answer: %w", op.method, op.path, err)
		}
		o.Responses = openapi3.NewResponses(openapi3.WithStatus(200, &openapi3.ResponseRef{Value: openapi3.NewResponse().WithDescription(op.summary).WithContent(openapi3.NewContentWithSchemaRef(answer, []string{"application/json"}))}))
		for _, status := range append([]int{401, 403, 429}, op.problems...) {
			o.Responses.Set(strconv.Itoa(status), &openapi3.ResponseRef{Value: openapi3.NewResponse().WithDescription("Problem").
				WithContent(openapi3.NewContentWithSchemaRef(&openapi3.SchemaRef{Ref: "#/components/schemas/Problem", Value: problemSchema.Value}, []string{"application/problem+json"}))})
		}
		if op.ask != nil {
			body, err := ref(op.ask, true)
			if err != nil {
				return nil, fmt.Errorf("%s %s: body: %w", op.method, op.path, err)
			}
			o.RequestBody = &openapi3.RequestBodyRef{Value: openapi3.NewRequestBody().WithRequired(true).WithContent(openapi3.NewContentWithSchemaRef(body, []string{"application/json"}))}
		}
		for _, name := range pathNames(op.path) {
			o.AddParameter(openapi3.NewPathParameter(name).WithSchema(openapi3.NewStringSchema().WithMinLength(1)))
		}
		for _, q := range op.query {
			s := openapi3.NewStringSchema()
			switch q.kind {
			case "integer":
				s = openapi3.NewIntegerSchema().WithMin(1).WithMax(1000)
			case "sequence":
				s = openapi3.NewInt64Schema().WithMin(0)
			}
			o.AddParameter(openapi3.NewQueryParameter(q.name).WithSchema(s).WithDescription(q.doc))
		}
		doc.AddOperation(op.path, op.method, o)
	}
	return json.MarshalIndent(doc, "", "  ")
}

func pathNames(path string) (names []string) {
	for _, part := range strings.Split(path, "/") {
		if strings.HasPrefix(part, "{") {
			names = append(names, strings.Trim(part, "{}"))
		}
	}
	return names
}

// customize describes what prints as a word as what it prints.
func customize(_ string, t reflect.Type, tag reflect.StructTag, s *openapi3.Schema) error {
	marshals := reflect.TypeFor[encoding.TextMarshaler]()
	if t.Implements(marshals) {
		*s = *openapi3.NewStringSchema()
		for _, w := range words[t] {
			s.Enum = append(s.Enum, w)
		}
	}
	if t.Kind() == reflect.Struct && !t.Implements(marshals) {
		s.Required = required(t)
	}
	if r, ok := ruleOf(tag); ok && s.Type != nil {
		r.describe(s)
	}
	if t == reflect.TypeFor[TripRequest]() { // for a time, or until a reset
		s.Properties["until_reset"].Value.Enum = []any{true}
		s.OneOf = openapi3.SchemaRefs{{Value: &openapi3.Schema{Required: []string{"ttl_seconds"}}}, {Value: &openapi3.Schema{Required: []string{"until_reset"}}}}
	}
	if t == reflect.TypeFor[ChangeSettingsRequest]() { // one of them at least
		s.AnyOf = openapi3.SchemaRefs{{Value: &openapi3.Schema{Required: []string{"trips_per_hour"}}}, {Value: &openapi3.Schema{Required: []string{"agents_percent"}}}}
	}
	if t == reflect.TypeFor[schema.Scope]() && s.Properties["value"] != nil {
		(rule{low: 1, high: 1000}).describe(s.Properties["value"].Value)
	}
	return nil
}

// required are the members that are always there.
func required(t reflect.Type) (names []string) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case f.Anonymous && tag == "":
			for _, n := range required(f.Type) {
				if !slices.Contains(names, n) {
					names = append(names, n)
				}
			}
		case name != "" && name != "-" && f.IsExported() && !strings.Contains(options, "omit"):
			if !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names
}

func closeObject(s *openapi3.Schema) {
	if s == nil || s.Type == nil || !s.Type.Is("object") {
		return
	}
	no := false
	s.AdditionalProperties = openapi3.AdditionalProperties{Has: &no}
	for _, p := range s.Properties {
		closeObject(p.Value)
	}
}
