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

	"flyball/detect/enforce/problem"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// enums maps types that are encoded as a word to their words.
var enums = map[reflect.Type][]string{
	reflect.TypeFor[schema.ScopeKind]():    schema.ScopeKindWords[1:],
	reflect.TypeFor[schema.Action]():       schema.ActionWords,
	reflect.TypeFor[schema.Mode]():         schema.ModeWords,
	reflect.TypeFor[schema.BreakerState](): schema.BreakerStateWords,
	reflect.TypeFor[schema.GateState]():    schema.GateStateWords,
	reflect.TypeFor[schema.VerdictLabel](): schema.VerdictWords[1:],
	reflect.TypeFor[schema.Trust]():        schema.TrustWords,
	reflect.TypeFor[schema.Standing]():     schema.StandingWords,
}

// documentWriter makes the OpenAPI document of a list of operations.
type documentWriter struct {
	schemas   openapi3.Schemas
	generator *openapi3gen.Generator
	problem   *openapi3.SchemaRef // response of every refusal
	// components are the named schemas of the document.
	components openapi3.Schemas
	types      map[string]reflect.Type // of components
	oidc       bool                    // operators also have tokens of an issuer
}

// openAPI returns the OpenAPI document of a list of operations; oidc may be nil.
func openAPI(operations []operation, oidc *OIDC) ([]byte, error) {
	d := documentWriter{oidc: oidc != nil, schemas: openapi3.Schemas{}, types: map[string]reflect.Type{},
		generator: openapi3gen.NewGenerator(openapi3gen.UseAllExportedFields(), openapi3gen.SchemaCustomizer(customize))}
	doc := &openapi3.T{OpenAPI: "3.0.3", Info: &openapi3.Info{Title: "Flyball control", Version: "1",
		Description: "Breakers, gates, tasks and manifests. Roles: viewer, responder, admin, orchestrator. " +
			"Every change is an entry of the audit trail. A token with the right delegate may name the person for whom it acts: " +
			HeaderOnBehalfOf + " holds the login, " + HeaderPersonsRole + " is viewer, responder or admin; the request then has the rights " +
			"that both have, and the audit trail names both."},
		Paths: openapi3.NewPaths(), Components: &openapi3.Components{
			Schemas:         openapi3.Schemas{},
			SecuritySchemes: openapi3.SecuritySchemes{"token": {Value: &openapi3.SecurityScheme{Type: "http", Scheme: "bearer"}}},
		}}
	if oidc != nil {
		doc.Components.SecuritySchemes["oidc"] = &openapi3.SecuritySchemeRef{Value: openapi3.NewOIDCSecurityScheme(
			strings.TrimSuffix(oidc.Issuer.URL(), "/") + "/.well-known/openid-configuration")}
	}
	refusal, err := d.schema(problem.Document{})
	if err != nil {
		return nil, err
	}
	doc.Components.Schemas["Problem"] = refusal
	d.components = doc.Components.Schemas
	d.problem = &openapi3.SchemaRef{Ref: "#/components/schemas/Problem", Value: refusal.Value}
	for i := range operations {
		op := &operations[i]
		o, err := d.operation(op)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", op.method, op.path, err)
		}
		doc.AddOperation(op.path, op.method, o)
	}
	return json.MarshalIndent(doc, "", "  ")
}

func (d *documentWriter) schema(v any) (*openapi3.SchemaRef, error) {
	return d.generator.NewSchemaRefForValue(v, d.schemas)
}

// named returns the schema of a value's type as a component with the name of the type, so that
// generated clients have classes with these names. A list is a list of such components.
func (d *documentWriter) named(v any) (*openapi3.SchemaRef, error) {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct {
		item, err := d.named(reflect.Zero(t.Elem()).Interface())
		if err != nil {
			return nil, err
		}
		list := openapi3.NewArraySchema()
		list.Items = item
		return list.NewRef(), nil
	}
	s, err := d.schema(v)
	if err != nil || t.Kind() != reflect.Struct {
		return s, err
	}
	switch have := d.types[t.Name()]; have {
	case nil:
		d.types[t.Name()], d.components[t.Name()] = t, s
	case t:
	default:
		return nil, fmt.Errorf("%s and %s have the same name", have, t)
	}
	return openapi3.NewSchemaRef("#/components/schemas/"+t.Name(), d.components[t.Name()].Value), nil
}

// tagOf returns the tag of an operation: the first part of its path behind the version.
func tagOf(path string) string {
	_, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	name, _, _ := strings.Cut(rest, "/")
	return name
}

func (d *documentWriter) operation(op *operation) (*openapi3.Operation, error) {
	o := &openapi3.Operation{OperationID: op.id, Summary: op.summary, Description: "Role: " + string(op.role), Tags: []string{tagOf(op.path)},
		Security: &openapi3.SecurityRequirements{{"token": {}}}}
	switch {
	case op.anybody:
		o.Description, o.Security = "Anybody may call it", &openapi3.SecurityRequirements{}
	case d.oidc:
		*o.Security = append(*o.Security, openapi3.SecurityRequirement{"oidc": {}})
	}
	answer, err := d.named(op.answer)
	if err != nil {
		return nil, fmt.Errorf("answer: %w", err)
	}
	o.Responses = openapi3.NewResponses(openapi3.WithStatus(200, jsonResponse(op.summary, answer, "application/json")))
	for _, status := range append([]int{400, 401, 403, 429}, op.problems...) {
		o.Responses.Set(strconv.Itoa(status), jsonResponse("Problem", d.problem, problem.MediaType))
	}
	if op.body != nil {
		body, err := d.named(op.body)
		if err != nil {
			return nil, fmt.Errorf("body: %w", err)
		}
		closeObject(body.Value)
		o.RequestBody = &openapi3.RequestBodyRef{Value: openapi3.NewRequestBody().WithRequired(true).
			WithContent(openapi3.NewContentWithSchemaRef(body, []string{"application/json"}))}
	}
	for _, name := range pathParameters(op.path) {
		o.AddParameter(openapi3.NewPathParameter(name).WithSchema(openapi3.NewStringSchema().WithMinLength(1)))
	}
	for _, q := range op.query {
		o.AddParameter(openapi3.NewQueryParameter(q.name).WithSchema(q.schema()).WithDescription(q.doc))
	}
	return o, nil
}

func (q *queryParameter) schema() *openapi3.Schema {
	switch q.kind {
	case "integer":
		return openapi3.NewIntegerSchema().WithMin(1).WithMax(q.max)
	case "sequence":
		return openapi3.NewInt64Schema().WithMin(0)
	}
	return openapi3.NewStringSchema()
}

func jsonResponse(description string, s *openapi3.SchemaRef, mediaType string) *openapi3.ResponseRef {
	return &openapi3.ResponseRef{Value: openapi3.NewResponse().WithDescription(description).
		WithContent(openapi3.NewContentWithSchemaRef(s, []string{mediaType}))}
}

func pathParameters(path string) (names []string) {
	for part := range strings.SplitSeq(path, "/") {
		if strings.HasPrefix(part, "{") {
			names = append(names, strings.Trim(part, "{}"))
		}
	}
	return names
}

// customize completes the schema that the generator has made of a type.
func customize(_ string, t reflect.Type, _ reflect.StructTag, s *openapi3.Schema) error {
	if t.Implements(reflect.TypeFor[encoding.TextMarshaler]()) { // it is encoded as a word
		*s = *openapi3.NewStringSchema()
		for _, w := range enums[t] {
			s.Enum = append(s.Enum, w)
		}
		return nil
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	s.Required = requiredMembers(t)
	if r, ok := reflect.Zero(t).Interface().(limited); ok {
		r.limits().apply(s)
	}
	switch t {
	case reflect.TypeFor[schema.Scope]():
		if s.Properties["value"] != nil {
			limits{"value": text(1, 1000)}.apply(s)
		}
	case reflect.TypeFor[TripRequest](): // either for a time, or until a reset
		limits{"until_reset": func(m *openapi3.Schema) { m.Enum = []any{true} }}.apply(s)
		s.OneOf = openapi3.SchemaRefs{requires("ttl_seconds"), requires("until_reset")}
	case reflect.TypeFor[query.Finding](): // its words are texts of the database
		limits{"acquaintance": oneOf(schema.AcquaintanceWords[1:]), "level": oneOf(schema.LevelWords),
			"verdict": oneOf(schema.VerdictWords[1:])}.apply(s)
	case reflect.TypeFor[ChangeSettingsRequest](): // at least one of them
		s.AnyOf = openapi3.SchemaRefs{requires("trips_per_hour"), requires("agents_percent")}
	}
	return nil
}

func requires(member string) *openapi3.SchemaRef {
	return &openapi3.SchemaRef{Value: &openapi3.Schema{Required: []string{member}}}
}

// requiredMembers returns the names of the members that are always present.
func requiredMembers(t reflect.Type) (names []string) {
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("json")
		name, options, _ := strings.Cut(tag, ",")
		switch {
		case f.Anonymous && tag == "":
			for _, n := range requiredMembers(f.Type) {
				add(n)
			}
		case name != "" && name != "-" && f.IsExported() && !strings.Contains(options, "omit"):
			add(name)
		}
	}
	slices.Sort(names)
	return names
}

// closeObject forbids unknown members in all objects of a schema.
func closeObject(s *openapi3.Schema) {
	if s == nil || s.Type == nil || !s.Type.Is("object") {
		return
	}
	additional := false
	s.AdditionalProperties = openapi3.AdditionalProperties{Has: &additional}
	for _, p := range s.Properties {
		closeObject(p.Value)
	}
}
