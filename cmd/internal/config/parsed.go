package config

import (
	"encoding"
	"time"

	"flyball/schema"
	"flyball/schema/route"
)

// textReader is a pointer to a value that reads itself from text.
type textReader[T any] interface {
	*T
	encoding.TextUnmarshaler
}

// Parsed is a value that is written as text and read once. It keeps the text: dump-config shows what was written, and
// Validate names key, value and rule. The zero value is a setting that was left out.
type Parsed[T any, P textReader[T]] struct {
	Value T // the zero value unless Validate found no fault
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

// Parse reads a setting from text, for configurations that are made by programs: Parse[schema.Effect]("delete").
func Parse[T any, P textReader[T]](text string) Parsed[T, P] {
	var p Parsed[T, P]
	_ = p.UnmarshalText([]byte(text))
	return p
}

// UnmarshalText reads the setting. Validate reports what is wrong with it, so that all faults of a file are reported at
// once.
func (p *Parsed[T, P]) UnmarshalText(text []byte) error {
	*p = Parsed[T, P]{text: string(text)}
	if p.text != "" {
		p.err = P(&p.Value).UnmarshalText(text)
	}
	return nil
}

// MarshalText is the text as it was written.
func (p Parsed[T, P]) MarshalText() ([]byte, error) { return []byte(p.text), nil }

// String is the text as it was written.
func (p Parsed[T, P]) String() string { return p.text }

// isSet reports whether the setting was written.
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

// Words of settings that are compared and never parsed.
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
