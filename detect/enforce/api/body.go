package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/getkin/kin-openapi/openapi3"

	"flyball/schema"
)

// The bodies of what the control API is asked. A tag "rule" is what a member must
// be; the listener checks it and the OpenAPI document says it:
//
//	1..1000     characters of a text, elements of a list, or a number's range
//	pattern     of resources, as path.Match takes it, without classes: order:*
//	words       not blank; of a list, none of its elements

// TripRequest opens a breaker by hand: for a time, or until a reset.
type TripRequest struct {
	// Scope is whom it is about. A run is given by its id, by at least six characters of
	// it, or by its own key, where the point has met it.
	Scope  schema.Scope `json:"scope"`
	Reason string       `json:"reason" rule:"1..1000 words"`
	// Seconds after which it closes by itself, or UntilReset: one of the two.
	TTL        int64 `json:"ttl_seconds,omitempty" rule:"1..31622400"`
	UntilReset bool  `json:"until_reset,omitempty"`
	// Force takes a target that this point does not know as it is; nothing is looked up.
	Force bool `json:"force,omitempty"`
	// Agent, AgentTrust and Credential say who acts in the run, where the point does not
	// know it: later runs of theirs are held too.
	Agent      string       `json:"agent,omitempty" rule:"1..256 words"`
	AgentTrust schema.Trust `json:"agent_trust,omitempty"`
	Credential string       `json:"credential,omitempty" rule:"1..256 words"`
	By         string       `json:"by,omitempty" rule:"0..100"`
}

// ResetRequest closes a breaker.
type ResetRequest struct {
	Scope  schema.Scope `json:"scope"`
	Reason string       `json:"reason" rule:"1..1000 words"`
	// IfMatch is the generation that was looked at; absent: any.
	IfMatch int64  `json:"if_match,omitempty" rule:"1..9007199254740991"`
	By      string `json:"by,omitempty" rule:"0..100"`
}

// BypassRequest puts the tenant to observe, or one established agent of it.
type BypassRequest struct {
	Seconds int64  `json:"for_seconds" rule:"1..86400"`
	Agent   string `json:"agent,omitempty" rule:"1..256 words"`
	// Force takes an agent that this point does not know.
	Force  bool   `json:"force,omitempty"`
	Reason string `json:"reason" rule:"1..1000 words"`
	By     string `json:"by,omitempty" rule:"0..100"`
}

// EndBypassRequest ends a bypass before its time.
type EndBypassRequest struct {
	Agent  string `json:"agent,omitempty" rule:"1..256 words"` // absent: that of the tenant
	Reason string `json:"reason" rule:"1..1000 words"`
	By     string `json:"by,omitempty" rule:"0..100"`
}

// ArmingRequest arms or disarms what a pattern stands for, or takes that back.
type ArmingRequest struct {
	Pattern string `json:"pattern" rule:"1..256 words"`
	Reason  string `json:"reason" rule:"1..1000 words"`
	By      string `json:"by,omitempty" rule:"0..100"`
}

// ArmedAgentsRequest asks whether what is found about agents is enforced.
type ArmedAgentsRequest struct {
	Agents []string `json:"agents" rule:"1..300 words"`
	// Claimed are those of them whose name is only claimed: nothing disarms these by name.
	Claimed []string `json:"claimed,omitempty" rule:"1..300 words"`
}

// AddExceptionRequest says that what a family finds about an agent is meant.
type AddExceptionRequest struct {
	Agent  string `json:"agent" rule:"1..256 words"`  // a name, or a pattern as billing/*
	Family string `json:"family" rule:"1..256 words"` // runaway.destroy, runaway.*
	// Routes on which it is meant, as "DELETE /v1/orders/{id}" or "tool:NAME"; absent: any.
	Routes  []string `json:"routes,omitempty" rule:"1..50 words"`
	Seconds int64    `json:"for_seconds" rule:"1..31622400"`
	Reason  string   `json:"reason" rule:"1..1000 words"`
	By      string   `json:"by,omitempty" rule:"0..100"`
}

// RemoveExceptionRequest removes an exception.
type RemoveExceptionRequest struct {
	Reason string `json:"reason" rule:"1..1000 words"`
	By     string `json:"by,omitempty" rule:"0..100"`
}

// GrantRequest is a yes: once, for 15 minutes, to what was asked, unless it says otherwise.
type GrantRequest struct {
	Reason   string `json:"reason" rule:"1..1000 words"`
	Seconds  int64  `json:"for_seconds,omitempty" rule:"1..86400"`
	Uses     int    `json:"uses,omitempty" rule:"1..1000"`
	Resource string `json:"resource,omitempty" rule:"1..256 pattern"`
	By       string `json:"by,omitempty" rule:"0..100"`
}

// RefuseRequest is a no.
type RefuseRequest struct {
	Reason string `json:"reason" rule:"1..1000 words"`
	By     string `json:"by,omitempty" rule:"0..100"`
}

// DeclareTaskRequest says what a run is for.
type DeclareTaskRequest struct {
	RunKey   string   `json:"run_key" rule:"1..256 words"`
	Agent    string   `json:"agent" rule:"1..256 words"`
	TaskType string   `json:"task_type,omitempty" rule:"0..256"`
	Targets  []string `json:"targets,omitempty" rule:"0..1000 pattern"`
	Seconds  int64    `json:"for_seconds" rule:"1..604800"`
	Reason   string   `json:"reason,omitempty" rule:"0..1000"`
	By       string   `json:"by,omitempty" rule:"0..100"`
}

// EndTaskRequest ends a task.
type EndTaskRequest struct {
	Reason string `json:"reason,omitempty" rule:"0..1000"`
	By     string `json:"by,omitempty" rule:"0..100"`
}

// LabelFindingRequest says what a finding was.
type LabelFindingRequest struct {
	Is  schema.VerdictLabel `json:"is"`
	Why string              `json:"why" rule:"1..1000 words"`
	By  string              `json:"by,omitempty" rule:"0..100"`
}

// FreezeBaselineRequest keeps the counts of an agent's baseline as they are, or ends that.
type FreezeBaselineRequest struct {
	Agent  string `json:"agent" rule:"1..256 words"` // as baselines name it; * is every agent
	Reason string `json:"reason" rule:"1..1000 words"`
	// Seconds after which it ends by itself; absent: somebody ends it.
	Seconds int64  `json:"for_seconds,omitempty" rule:"1..31622400"`
	Off     bool   `json:"off,omitempty"`
	By      string `json:"by,omitempty" rule:"0..100"`
}

// ResetBaselineRequest forgets the counts of an agent's baseline.
type ResetBaselineRequest struct {
	Agent  string `json:"agent" rule:"1..256 words"`
	Reason string `json:"reason" rule:"1..1000 words"`
	By     string `json:"by,omitempty" rule:"0..100"`
}

// PutManifestRequest puts a manifest in force: its text as YAML.
type PutManifestRequest struct {
	Text   string `json:"text" rule:"1..65536 words"`
	Reason string `json:"reason" rule:"1..1000 words"`
	By     string `json:"by,omitempty" rule:"0..100"`
}

// DropManifestRequest takes a manifest away.
type DropManifestRequest struct {
	Agent  string `json:"agent" rule:"1..256 words"`
	Reason string `json:"reason" rule:"1..1000 words"`
	By     string `json:"by,omitempty" rule:"0..100"`
}

// rule of a member.
type rule struct {
	low, high int64
	pattern   bool
	words     bool
}

const (
	resourcePattern = `^[^\[\]\\]+$`
	wordsPattern    = `\S`
	mostElement     = 300 // characters of an element of a list of words
)

var resourceRule = regexp.MustCompile(resourcePattern)

func ruleOf(tag reflect.StructTag) (r rule, ok bool) {
	parts := strings.Fields(tag.Get("rule"))
	if len(parts) == 0 {
		return r, false
	}
	low, high, _ := strings.Cut(parts[0], "..")
	r.low, _ = strconv.ParseInt(low, 10, 64)
	r.high, _ = strconv.ParseInt(high, 10, 64)
	for _, p := range parts[1:] {
		r.pattern, r.words = r.pattern || p == "pattern", r.words || p == "words"
	}
	return r, true
}

// obey checks every member of a body against its rule, and says which does not.
func obey(body any) error {
	v := reflect.ValueOf(body).Elem()
	for i := range v.NumField() {
		f := v.Type().Field(i)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if s, ok := v.Field(i).Interface().(schema.Scope); ok {
			if s.Kind == schema.ScopeNone || s.Value == "" || utf8.RuneCountInString(s.Value) > 1000 {
				return fmt.Errorf("%s: kind must be one of %s, and value must have 1 to 1000 characters", name, strings.Join(schema.ScopeKindWords[1:], ", "))
			}
			continue
		}
		if v, ok := v.Field(i).Interface().(schema.VerdictLabel); ok && v == schema.VerdictUnknown {
			return fmt.Errorf("%s: one of %s", name, strings.Join(schema.VerdictWords[1:], ", "))
		}
		r, ok := ruleOf(f.Tag)
		if !ok || v.Field(i).IsZero() && strings.Contains(options, "omitempty") {
			continue
		}
		if err := r.check(name, reflect.Indirect(v.Field(i))); err != nil {
			return err
		}
	}
	return nil
}

func (r rule) check(name string, v reflect.Value) error {
	within := func(n int64, what string) error {
		if n < r.low || n > r.high {
			return fmt.Errorf("%s: %d%s; %d to %d", name, n, what, r.low, r.high)
		}
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		if r.words && strings.TrimSpace(v.String()) == "" {
			return fmt.Errorf("%s: empty", name)
		}
		if r.pattern && !resourceRule.MatchString(v.String()) {
			return fmt.Errorf("%s: %q; a name or a pattern as order:123, order:*", name, v.String())
		}
		return within(int64(utf8.RuneCountInString(v.String())), " characters")
	case reflect.Slice:
		for i := range v.Len() {
			if s := v.Index(i).String(); r.pattern && (!resourceRule.MatchString(s) || utf8.RuneCountInString(s) > 256) {
				return fmt.Errorf("%s[%d]: %q; a name or a pattern as order:123, order:*", name, i, s)
			} else if r.words && (strings.TrimSpace(s) == "" || utf8.RuneCountInString(s) > mostElement) {
				return fmt.Errorf("%s[%d]: empty, or more than %d characters", name, i, mostElement)
			}
		}
		return within(int64(v.Len()), " elements")
	}
	return within(v.Int(), "")
}

// describe says the rule in an OpenAPI schema.
func (r rule) describe(s *openapi3.Schema) {
	switch {
	case s.Type.Is("string"):
		s.MinLength = uint64(r.low)
		high := uint64(r.high)
		s.MaxLength = &high
		if r.pattern {
			s.Pattern = resourcePattern
		} else if r.words {
			s.Pattern = wordsPattern
		}
	case s.Type.Is("array"):
		s.MinItems = uint64(r.low)
		high := uint64(r.high)
		s.MaxItems = &high
		if r.pattern && s.Items != nil {
			long := uint64(256)
			item := *s.Items.Value
			item.Pattern, item.MaxLength, item.MinLength = resourcePattern, &long, 1
			s.Items = &openapi3.SchemaRef{Value: &item}
		}
		if r.words && s.Items != nil {
			long := uint64(mostElement)
			item := *s.Items.Value
			item.Pattern, item.MaxLength, item.MinLength = wordsPattern, &long, 1
			s.Items = &openapi3.SchemaRef{Value: &item}
		}
		s.Nullable = false
	case s.Type.Is("integer"):
		low, high := float64(r.low), float64(r.high)
		s.Min, s.Max, s.Nullable = &low, &high, false
	}
}

// read takes the body in as the operation's type: JSON, one value, no member that
// is not known, each as its rule says.
func (in *call) read(like any) (int, error) {
	if kind, _, err := mime.ParseMediaType(in.r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return http.StatusUnsupportedMediaType, fmt.Errorf("Content-Type: %q; application/json", in.r.Header.Get("Content-Type"))
	}
	text, err := io.ReadAll(http.MaxBytesReader(in.w, in.r.Body, maxAPIBody))
	if err != nil {
		return http.StatusRequestEntityTooLarge, fmt.Errorf("body: %w", err)
	}
	if !utf8.Valid(text) {
		return http.StatusBadRequest, errors.New("body: not UTF-8")
	}
	in.ask = reflect.New(reflect.TypeOf(like)).Interface()
	if err := decode(text, in.ask); err != nil {
		return http.StatusBadRequest, fmt.Errorf("body: %w", err)
	}
	if err := obey(in.ask); err != nil {
		return http.StatusBadRequest, err
	}
	return 0, nil
}

// decode reads one JSON object whose members are exactly known: no others, none
// that is null, each as it is written.
func decode(text []byte, into any) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return err
	}
	if members == nil {
		return errors.New("null; an object is needed")
	}
	t := reflect.TypeOf(into).Elem()
	known := map[string]bool{}
	for i := range t.NumField() {
		name, options, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		known[name] = true
		if _, there := members[name]; !there && options == "" {
			return fmt.Errorf("%s: missing", name)
		}
	}
	for name, value := range members {
		if !known[name] {
			return fmt.Errorf("unknown member %q", name)
		}
		if string(value) == "null" {
			return fmt.Errorf("%s: null; leave it out", name)
		}
		if r, ok := ruleOf(fieldOf(t, name)); ok && r.low > 0 && (string(value) == "0" || string(value) == `""`) {
			return fmt.Errorf("%s: %s; at least %d", name, value, r.low)
		}
	}
	dec := json.NewDecoder(strings.NewReader(string(text)))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

func fieldOf(t reflect.Type, name string) reflect.StructTag {
	for i := range t.NumField() {
		if n, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ","); n == name {
			return t.Field(i).Tag
		}
	}
	return ""
}
