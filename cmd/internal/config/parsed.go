package config

import (
	"encoding"
	"time"

	"flyball/schema"
	"flyball/schema/route"
)

// textReader is a pointer to a value that can be read from text.
type textReader[T any] interface {
	*T
	encoding.TextUnmarshaler
}

// Parsed is a setting that is written as text and parsed once. It keeps the text: dump-config
// prints the text as written, and errors of Validate contain key, value and rule. The zero
// value is a setting that is absent.
type Parsed[T any, P textReader[T]] struct {
	Value T // the zero value if the text is not valid
	text  string
	err   error
}

// Settings that are written as text.
type (
	Level         = Parsed[schema.Level, *schema.Level]
	Action        = Parsed[schema.Action, *schema.Action]
	Effect        = Parsed[schema.Effect, *schema.Effect]
	Reversibility = Parsed[schema.Reversibility, *schema.Reversibility]
	Time          = Parsed[instant, *instant]
	Pattern       = Parsed[routePattern, *routePattern]
)

// Parse parses a setting from text, for configurations that programs make:
// Parse[schema.Effect]("delete").
func Parse[T any, P textReader[T]](text string) Parsed[T, P] {
	var p Parsed[T, P]
	_ = p.UnmarshalText([]byte(text))
	return p
}

// UnmarshalText reads the setting. It does not return parse errors: Validate reports them, so
// that all errors of a file are reported together.
func (p *Parsed[T, P]) UnmarshalText(text []byte) error {
	*p = Parsed[T, P]{text: string(text)}
	if p.text != "" {
		p.err = P(&p.Value).UnmarshalText(text)
	}
	return nil
}

// MarshalText returns the text as it was written.
func (p Parsed[T, P]) MarshalText() ([]byte, error) { return []byte(p.text), nil }

// String returns the text as it was written.
func (p Parsed[T, P]) String() string { return p.text }

// isSet reports whether the setting is present.
func (p Parsed[T, P]) isSet() bool { return p.text != "" }

// instant is a time in the form of RFC 3339.
type instant struct{ time.Time }

func (i *instant) UnmarshalText(text []byte) (err error) {
	i.Time, err = time.Parse(time.RFC3339, string(text))
	return err
}

// routePattern is "GET /v1/orders/{id}", "* /v1/**" or "tool:NAME".
type routePattern struct{ route.Pattern }

func (p *routePattern) UnmarshalText(text []byte) (err error) {
	p.Pattern, err = route.ParsePattern(string(text))
	return err
}

// Words of settings that are compared without parsing.
const (
	ModeObserve = "observe"
	ModeArmed   = "armed"

	LearnedScopeOff     = "off"
	LearnedScopeObserve = "observe"
	LearnedScopeEnforce = "enforce"

	WithoutManifestAllow            = "allow"
	WithoutManifestAsk              = "ask"
	WithoutManifestAskWhileLearning = "ask_while_learning"
)

var (
	modes            = []string{ModeObserve, ModeArmed}
	learnedScopes    = []string{LearnedScopeOff, LearnedScopeObserve, LearnedScopeEnforce}
	withoutManifests = []string{WithoutManifestAllow, WithoutManifestAsk, WithoutManifestAskWhileLearning}
	criticalities    = []string{"low", "normal", "high"}
	signals          = []string{"traces", "logs"}
)
