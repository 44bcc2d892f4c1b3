package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"flyball/schema"
)

// Records that people and other programs read too are JSON objects whose first
// member "v" is the version of their format.
const (
	EventVersion    = 1
	CommandVersion  = 3 // 1 knew no gates, tasks, manifests and quotas; 2 no settings, arming, exceptions, and only a tenant's bypass
	BaselineVersion = 1
	RoutesVersion   = 1
	PointVersion    = 1
)

type versioned[T any] struct {
	V int `json:"v"`
	T *T  `json:"body"`
}

// EncodeDocument writes a value with its version.
func EncodeDocument[T any](version int, v *T) ([]byte, error) {
	return json.Marshal(versioned[T]{version, v})
}

// DecodeDocument reads a value of at most the newest version known.
func DecodeDocument[T any](value []byte, newest int) (T, error) {
	var zero T
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

// EncodeEvent, EncodeCommand and their opposites are the records of
// flyball.events and flyball.commands.
func EncodeEvent(e *schema.Event) ([]byte, error) { return EncodeDocument(EventVersion, e) }
func DecodeEvent(b []byte) (schema.Event, error) {
	return DecodeDocument[schema.Event](b, EventVersion)
}

// EncodeCommand writes the oldest version that can say it, so that a binary of
// the version before goes on during an upgrade until somebody uses what it lacks.
func EncodeCommand(c *schema.Command) ([]byte, error) {
	version := CommandVersion
	switch {
	case c.Kind == schema.CommandBypass && c.Scope.Kind != schema.ScopeNone:
		// To a binary of the version before it would be a bypass of the tenant.
	case c.Kind <= schema.CommandTick:
		version = 1
	case c.Kind.Feature() <= 1:
		version = 2
	}
	return EncodeDocument(version, c)
}

// ErrUnknownKind says that a command of a version that is known has a kind that no
// such version has: nobody who keeps to the format wrote it.
var ErrUnknownKind = fmt.Errorf("%w: unknown kind of command", ErrMalformed)

// DecodeCommand reads a command. A kind is known only from the version on that
// brought it, so that points of every release refuse the same records. The error is
// ErrNewerVersion, ErrUnknownKind or ErrMalformed.
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
	if c.Kind.Feature() > 1 && (json.Unmarshal(b, &head) != nil || head.V < CommandVersion) {
		return schema.Command{}, fmt.Errorf("%w: %q in version %d", ErrUnknownKind, c.Kind, head.V)
	}
	return c, nil
}

// RoutesKey is the key of a tenant's learned routes in the topic of baselines:
// the last record of it holds.
func RoutesKey(tenant string) string { return routesPrefix + tenant }

const routesPrefix = "routes:"

// IsBaseline tells the key of a baseline from that of learned routes.
func IsBaseline(key string) bool { return !strings.HasPrefix(key, routesPrefix) }
