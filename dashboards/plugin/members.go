package plugin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"
)

// maxResourceBody bounds the body and the address of an action together, in bytes.
const maxResourceBody = 16 << 10

// readBody decodes the members of an action: those of the JSON object in the body (an empty body has none) and those of the query of the
// address. Grafana encodes values in the address and puts them into a body as they are, so that a value with a quote can begin another
// member there. Each member is allowed once, so that the value that the user confirmed cannot be replaced by a later one.
func readBody[T any](x *exchange) (*T, error) {
	if size := len(x.req.Body) + len(x.req.URL); size > maxResourceBody {
		return nil, refused(http.StatusRequestEntityTooLarge, "body", "body: %d bytes with the address, at most %d", size, maxResourceBody)
	}
	members := map[string]json.RawMessage{}
	if err := errors.Join(bodyMembers(x.req.Body, members), addressMembers(x.req.URL, members)); err != nil {
		return nil, refused(http.StatusBadRequest, "body", "%s", err)
	}
	known := memberNames(reflect.TypeFor[T]())
	for _, name := range slices.Sorted(maps.Keys(members)) {
		if !slices.Contains(known, name) {
			return nil, refused(http.StatusBadRequest, "body", "body: unknown member %q, it has %s", shorten(name), strings.Join(known, ", "))
		}
	}
	text, err := json.Marshal(members)
	in := new(T)
	if err = errors.Join(err, json.Unmarshal(text, in)); err != nil {
		return nil, refused(http.StatusBadRequest, "body", "body: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return in, nil
}

// memberNames returns the names of the members of a request: its fields in lower case. Other spellings are other names.
func memberNames(request reflect.Type) (out []string) {
	for _, f := range reflect.VisibleFields(request) {
		out = append(out, strings.ToLower(f.Name))
	}
	return out
}

// bodyMembers adds the members of a JSON object.
func bodyMembers(body []byte, members map[string]json.RawMessage) error {
	if len(body) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return errors.New("body: one JSON object is needed")
	}
	for dec.More() {
		var value json.RawMessage
		name, err := dec.Token()
		if err = errors.Join(err, dec.Decode(&value)); err != nil {
			return errors.New("body: " + strings.TrimPrefix(err.Error(), "json: "))
		}
		if err := addMember(members, name.(string), value); err != nil {
			return err
		}
	}
	if _, err := dec.Token(); err != nil {
		return errors.New("body: the JSON object has no end")
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return errors.New("body: one JSON object is needed")
	}
	return nil
}

// addressMembers adds the members of the query of an address.
func addressMembers(address string, members map[string]json.RawMessage) error {
	_, query, _ := strings.Cut(address, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("address: its query cannot be read")
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		for _, v := range values[name] {
			if !utf8.ValidString(v) {
				return errors.New("address: a value is not UTF-8")
			}
			value, err := json.Marshal(v)
			if err = errors.Join(err, addMember(members, name, value)); err != nil {
				return err
			}
		}
	}
	return nil
}

func addMember(members map[string]json.RawMessage, name string, value json.RawMessage) error {
	if _, twice := members[name]; twice {
		return errors.New("body: the member " + shorten(name) + " is there twice: a pasted value may hold a quote")
	}
	members[name] = value
	return nil
}

// flag is a member that is true or false, also as the text of an address.
type flag bool

// UnmarshalJSON reads true and false, with or without quotes.
func (f *flag) UnmarshalJSON(text []byte) error {
	switch strings.Trim(string(text), `"`) {
	case "true":
		*f = true
	case "false", "null", "":
		*f = false
	default:
		return errors.New("neither true nor false")
	}
	return nil
}
