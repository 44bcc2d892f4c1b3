package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"reflect"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
)

const (
	// maxBody is the maximum size of a body in bytes.
	maxBody = 256 << 10
	// maxDepth is the maximum depth of nested objects and arrays in a body.
	maxDepth = 16
)

// validator checks bodies by the OpenAPI document, and by rules that the document cannot express.
type validator struct {
	bodies map[string]*openapi3.RequestBody // by operation id
}

// newValidator returns a validator for an OpenAPI document.
func newValidator(document []byte) (*validator, error) {
	doc, err := openapi3.NewLoader().LoadFromData(document)
	if err != nil {
		return nil, err
	}
	if err := doc.Validate(context.Background()); err != nil {
		return nil, err
	}
	v := &validator{bodies: map[string]*openapi3.RequestBody{}}
	for _, item := range doc.Paths.Map() {
		for _, op := range item.Operations() {
			if op.RequestBody != nil {
				v.bodies[op.OperationID] = op.RequestBody.Value
			}
		}
	}
	return v, nil
}

// read reads the body of an operation into the exchange.
func (v *validator) read(x *exchange, op *operation) *refusal {
	bad := func(err error) *refusal { return &refusal{http.StatusBadRequest, "body", err} }
	if kind, _, err := mime.ParseMediaType(x.r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return refused(http.StatusUnsupportedMediaType, "body", "Content-Type: %q; application/json", x.r.Header.Get("Content-Type"))
	}
	text, err := io.ReadAll(http.MaxBytesReader(x.w, x.r.Body, maxBody))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return refused(http.StatusRequestTimeout, "body", "body: it came too slowly; send it at once")
	case err != nil:
		return refused(http.StatusRequestEntityTooLarge, "body", "body: %w", err)
	}
	if err := checkJSON(text); err != nil {
		return bad(fmt.Errorf("body: %w", err))
	}
	if err := v.validate(x.r.Context(), op.id, text); err != nil {
		return bad(err)
	}
	body := reflect.New(reflect.TypeOf(op.body)).Interface()
	if err := json.Unmarshal(text, body); err != nil {
		if number, ok := errors.AsType[*json.UnmarshalTypeError](err); ok { // such as 1e3, which the document allows
			err = fmt.Errorf("%s: a %s that cannot be read; write a whole number in digits", number.Field, number.Value)
		}
		return bad(fmt.Errorf("body: %w", err))
	}
	x.body = body
	return nil
}

// validate checks a body that passed checkJSON against the document.
func (v *validator) validate(ctx context.Context, operationID string, text []byte) error {
	body := v.bodies[operationID]
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "/", bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	if err := openapi3filter.ValidateRequestBody(ctx, &openapi3filter.RequestValidationInput{Request: r,
		Options: &openapi3filter.Options{SkipSettingDefaults: true}}, body); err != nil {
		return explainInvalid(err)
	}
	var value map[string]any
	if err := json.Unmarshal(text, &value); err != nil {
		return fmt.Errorf("body: %w", err)
	}
	return checkBlank(body.Content.Get("application/json").Schema.Value, value)
}

// checkJSON checks what a schema cannot express: a body is one JSON object in UTF-8, is not nested
// too deep, and contains no member twice, because readers interpret that in different ways.
func checkJSON(text []byte) error {
	if !utf8.Valid(text) {
		return errors.New("not UTF-8")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	first, err := dec.Token()
	if err != nil {
		return jsonError(err)
	}
	if first != json.Delim('{') {
		return fmt.Errorf("%s; an object is needed", jsonKind(first))
	}
	if err := checkObject(dec, 1); err != nil {
		return err
	}
	if _, err := dec.Token(); err != io.EOF {
		return errors.New("data after the object; one object is needed")
	}
	return nil
}

// checkObject reads the rest of an object after its opening brace.
func checkObject(dec *json.Decoder, depth int) error {
	members := map[string]bool{}
	for dec.More() {
		key, err := dec.Token()
		if err != nil {
			return jsonError(err)
		}
		name, _ := key.(string)
		if members[name] {
			return fmt.Errorf("member %s is there twice; once is needed", showText(name))
		}
		members[name] = true
		if err := checkValue(dec, depth); err != nil {
			return err
		}
	}
	_, err := dec.Token()
	return jsonError(err)
}

// checkValue reads one value at a depth of nested objects and arrays.
func checkValue(dec *json.Decoder, depth int) error {
	token, err := dec.Token()
	if err != nil {
		return jsonError(err)
	}
	open, nested := token.(json.Delim)
	if !nested {
		return nil
	}
	if depth++; depth > maxDepth {
		return fmt.Errorf("objects and arrays are nested more than %d deep", maxDepth)
	}
	if open == '{' {
		return checkObject(dec, depth)
	}
	for dec.More() {
		if err := checkValue(dec, depth); err != nil {
			return err
		}
	}
	_, err = dec.Token()
	return jsonError(err)
}

func jsonError(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("it ends too early; one JSON object is needed")
	}
	return err
}

// checkBlank refuses texts that consist only of Unicode white space where the document requires
// another character: the library recognises only ASCII white space.
func checkBlank(object *openapi3.Schema, value map[string]any) error {
	for name, member := range object.Properties {
		switch v := value[name].(type) {
		case string:
			if member.Value.Pattern == wordsPattern && strings.TrimSpace(v) == "" {
				return fmt.Errorf("%s: empty", name)
			}
		case []any:
			for i, element := range v {
				if text, ok := element.(string); ok && member.Value.Items.Value.Pattern == wordsPattern && strings.TrimSpace(text) == "" {
					return fmt.Errorf("%s[%d]: empty", name, i)
				}
			}
		}
	}
	return nil
}
