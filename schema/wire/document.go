package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"flyball/schema"
)

// Versions of the records that people and other programs read too. These are JSON objects; the
// first member "v" is the version of the format.
const (
	// EventVersion 1: no acknowledgement that was taken back.
	EventVersion = 2
	// CommandVersion 1: no gates, tasks, manifests, quotas; 2: no settings, arming, exceptions, and a bypass only of the whole tenant;
	// 3: no acknowledgements, silences, holds and purges; 4: no orders about routes.
	CommandVersion     = 5
	BaselineVersion    = 1
	RoutesVersion      = 1
	RouteOrdersVersion = 1
	PointVersion       = 1
)

type versioned[T any] struct {
	V int `json:"v"`
	T *T  `json:"body"`
}

// EncodeDocument writes a value with its version.
func EncodeDocument[T any](version int, v *T) ([]byte, error) {
	return json.Marshal(versioned[T]{version, v})
}

// DecodeDocument reads a value whose version is at most newest. The error wraps ErrMalformed
// or, for a higher version, ErrNewerVersion.
func DecodeDocument[T any](value []byte, newest int) (T, error) {
	var zero T
	if version, body, ok := splitDocument(value); ok && 1 <= version && version <= newest {
		var out T
		if json.Unmarshal(body, &out) == nil {
			return out, nil
		}
	}
	var head struct {
		V    int             `json:"v"`
		Body json.RawMessage `json:"body"`
	}
	if err := json.Unmarshal(value, &head); err != nil {
		return zero, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	switch {
	case head.V > newest:
		return zero, fmt.Errorf("%w (version %d, newest known %d)", ErrNewerVersion, head.V, newest)
	case head.V < 1:
		return zero, fmt.Errorf("%w: version %d", ErrMalformed, head.V)
	}
	var out T
	if err := json.Unmarshal(head.Body, &out); err != nil {
		return zero, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return out, nil
}

// splitDocument returns the version and the body of a document in the form in which EncodeDocument writes it, without parsing the body:
// what it returns is the body if it is one JSON value. Any other form is not ok, and may be a document all the same.
func splitDocument(value []byte) (version int, body []byte, ok bool) {
	rest, ok := bytes.CutPrefix(value, []byte(`{"v":`))
	if !ok {
		return 0, nil, false
	}
	number, body, ok := bytes.Cut(rest, []byte(`,"body":`))
	if !ok || len(number) == 0 || len(number) > 4 || number[0] == '0' {
		return 0, nil, false
	}
	for _, c := range number {
		if c < '0' || c > '9' {
			return 0, nil, false
		}
		version = 10*version + int(c-'0')
	}
	body, ok = bytes.CutSuffix(body, []byte("}"))
	return version, body, ok
}

// EncodeEvent encodes a record of flyball.events in the oldest version that can express it, as EncodeCommand does.
func EncodeEvent(e *schema.Event) ([]byte, error) {
	version := 1
	if e.Ack != nil && e.Ack.Undone { // a reader of version 1 would take it for an acknowledgement
		version = 2
	}
	return EncodeDocument(version, e)
}

// DecodeEvent decodes a record of flyball.events.
func DecodeEvent(b []byte) (schema.Event, error) {
	return DecodeDocument[schema.Event](b, EventVersion)
}

// EncodeCommand writes the oldest version that can express the command, so that during
// an upgrade older binaries continue until a feature is used that they lack.
func EncodeCommand(c *schema.Command) ([]byte, error) {
	version := c.Kind.Feature() + 1
	switch {
	case c.Kind == schema.CommandBypass && c.Scope.Kind != schema.ScopeNone:
		// A binary of version 2 would read it as a bypass of the whole tenant.
		version = 3
	case c.Kind <= schema.CommandTick:
		version = 1
	}
	return EncodeDocument(version, c)
}

// ErrUnknownKind means that a command has a known version but a kind that this version does
// not have: its writer does not follow the format.
var ErrUnknownKind = fmt.Errorf("%w: unknown kind of command", ErrMalformed)

// DecodeCommand reads a command. A kind is valid only from the version that introduced it, so
// that points of every release reject the same records. The error wraps ErrNewerVersion,
// ErrUnknownKind or ErrMalformed.
func DecodeCommand(b []byte) (schema.Command, error) {
	c, err := DecodeDocument[schema.Command](b, CommandVersion)
	if err != nil {
		var head struct {
			Body struct {
				Kind string `json:"kind"`
			} `json:"body"`
		}
		if errors.Is(err, ErrMalformed) && json.Unmarshal(b, &head) == nil && head.Body.Kind != "" &&
			!slices.Contains(schema.CommandKindWords, head.Body.Kind) {
			err = fmt.Errorf("%w: %q", ErrUnknownKind, head.Body.Kind)
		}
		return schema.Command{}, err
	}
	var head struct {
		V int `json:"v"`
	}
	if c.Kind.Feature() > 1 && (json.Unmarshal(b, &head) != nil || head.V <= c.Kind.Feature()) {
		return schema.Command{}, fmt.Errorf("%w: %q in version %d", ErrUnknownKind, c.Kind, head.V)
	}
	return c, nil
}

// RoutesKey returns the key of a tenant's learned routes in flyball.baselines. The last record
// with this key applies.
func RoutesKey(tenant string) string { return routesPrefix + tenant }

// RouteOrdersKey returns the key of a tenant's orders about routes in flyball.baselines. Of the
// records with this key the one with the highest generation applies.
func RouteOrdersKey(tenant string) string { return routesPrefix + "orders:" + tenant }

const routesPrefix = "routes:"

// IsBaseline reports whether a key belongs to a baseline, and not to learned routes or orders about them.
func IsBaseline(key string) bool { return !strings.HasPrefix(key, routesPrefix) }
