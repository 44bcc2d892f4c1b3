package manifest

import (
	_ "embed"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"flyball/schema"
	"flyball/schema/document"
	"flyball/schema/route"
	"flyball/schema/schedule"
)

// Schema is the JSON Schema of a document, for editors.
//
//go:embed manifest.schema.json
var Schema []byte

// FormatVersion of documents.
const FormatVersion = 1

// MaxSize of a document in bytes.
const MaxSize = 64 << 10

// Document is a manifest as it is written.
type Document struct {
	Version int    `yaml:"version"`
	Agent   string `yaml:"agent"` // a name, or a pattern as billing/* or *
	Owner   string `yaml:"owner,omitempty"`
	Purpose string `yaml:"purpose,omitempty"`
	Grants  Grants `yaml:"scope,omitempty"`
	// Task is required where writes ask unless an orchestrator has declared the run's task.
	Task        string            `yaml:"task,omitempty"`
	TaskTypes   map[string]Grants `yaml:"task_types,omitempty"`
	Autonomy    []Autonomy        `yaml:"autonomy,omitempty"`
	Quotas      []Quota           `yaml:"quotas,omitempty"`
	Hours       *schedule.Hours   `yaml:"hours,omitempty"`
	FailureMode *FailureMode      `yaml:"failure_mode,omitempty"`
}

// Grants is what may be called, and what may be written there. An empty list
// sets no limit.
type Grants struct {
	Routes    []string `yaml:"routes,omitempty"`    // "GET /v1/**", "tool:refund_payment"
	Resources []string `yaml:"resources,omitempty"` // "order:*", of writes
}

// Autonomy says which calls of a route an agent makes alone. Of what it does not
// speak of, an irreversible call asks.
type Autonomy struct {
	Routes []string `yaml:"routes"`
	// Ask is always or never; empty goes by the amounts.
	Ask        string  `yaml:"ask,omitempty"`
	AloneBelow float64 `yaml:"alone_below,omitempty"` // of a call
	PerRun     float64 `yaml:"per_run,omitempty"`     // of what a run does alone
	PerDay     float64 `yaml:"per_day,omitempty"`     // of what the agent does alone
	Currency   string  `yaml:"currency,omitempty"`
}

// Quota bounds what is spent in a window of the log's clock. One of Calls,
// Irreversible and Amount is set.
type Quota struct {
	Name         string   `yaml:"name"`
	Of           string   `yaml:"of,omitempty"`     // agent (default), run, principal
	Routes       []string `yaml:"routes,omitempty"` // the class of routes; empty is every call
	Calls        int64    `yaml:"calls,omitempty"`
	Irreversible int64    `yaml:"irreversible,omitempty"`
	Bytes        int64    `yaml:"bytes,omitempty"` // of request bodies, as announced
	Amount       float64  `yaml:"amount,omitempty"`
	Currency     string   `yaml:"currency,omitempty"`
	Per          Duration `yaml:"per"`
	Over         string   `yaml:"over,omitempty"` // deny (default) or ask
}

// FailureMode is what happens to calls while the log is away: allow or deny.
type FailureMode struct {
	Reads        string `yaml:"reads,omitempty"`
	Writes       string `yaml:"writes,omitempty"`
	Irreversible string `yaml:"irreversible,omitempty"`
}

// Duration is written as Go writes it: 24h.
type Duration time.Duration

func (d Duration) MarshalText() ([]byte, error) {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return []byte(s), nil
}

func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// Parse reads a document and refuses it whole for anything that is wrong: an
// error names the key, the value and the rule.
func Parse(text []byte) (*Manifest, error) {
	if len(text) > MaxSize {
		return nil, fmt.Errorf("manifest: %d bytes; at most %d", len(text), MaxSize)
	}
	var d Document
	if err := document.Read(text, &d); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return Compile(&d)
}

// Compile checks a document and makes it ready to decide.
func Compile(d *Document) (*Manifest, error) {
	m := &Manifest{Document: *d}
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if d.Version != FormatVersion {
		bad("version: %d; this binary reads %d", d.Version, FormatVersion)
	}
	switch {
	case d.Agent == "":
		bad("agent: empty; a name, or a pattern as billing/*")
	case strings.ContainsAny(d.Agent, "*?["):
		if _, err := path.Match(d.Agent, ""); err != nil {
			bad("agent: %q: %v", d.Agent, err)
		}
		m.pattern = true
	}
	if d.Task != "" && d.Task != "required" && d.Task != "optional" {
		bad("task: %q; required or optional", d.Task)
	}
	m.grants = compileScope("scope", d.Grants, bad)
	m.types = map[string]grants{}
	for name, s := range d.TaskTypes {
		if len(s.Routes)+len(s.Resources) == 0 {
			bad("task_types.%s: neither routes nor resources; a type that limits nothing is no type", name)
		}
		m.types[name] = compileScope("task_types."+name, s, bad)
	}
	for i, a := range d.Autonomy {
		m.autonomy = append(m.autonomy, compileAutonomy(fmt.Sprintf("autonomy[%d]", i), a, bad))
	}
	names := map[string]bool{}
	for i, q := range d.Quotas {
		key := fmt.Sprintf("quotas[%d]", i)
		if names[q.Name] {
			bad("%s.name: %q is there twice", key, q.Name)
		}
		names[q.Name] = true
		m.quotas = append(m.quotas, compileQuota(key, q, bad))
	}
	for i, a := range m.autonomy { // what a run or a day may do alone is a quota like any other
		m.quotas = append(m.quotas, a.limits(i)...)
	}
	if d.Hours != nil {
		m.hours = schedule.Compile("hours", *d.Hours, bad)
	}
	m.failure = compileFailure(d.FailureMode, bad)
	if len(errs) > 0 {
		return nil, fmt.Errorf("manifest of %q: %w", d.Agent, errors.Join(errs...))
	}
	return m, nil
}

type complain = func(format string, args ...any)

func compileScope(key string, s Grants, bad complain) grants {
	var out grants
	out.routes = compileRoutes(key+".routes", s.Routes, bad)
	for i, r := range s.Resources {
		kind, _, ok := strings.Cut(r, ":")
		if _, err := path.Match(r, ""); !ok || kind == "" || err != nil {
			bad("%s.resources[%d]: %q; a kind and a pattern as order:*", key, i, r)
		}
		out.resources = append(out.resources, r)
	}
	return out
}

func compileRoutes(key string, list []string, bad complain) []route.Pattern {
	var out []route.Pattern
	for i, text := range list {
		p, err := route.ParsePattern(text)
		if err != nil {
			bad("%s[%d]: %v", key, i, err)
		}
		out = append(out, p)
	}
	return out
}

var currencyRule = regexp.MustCompile(`^[A-Z]{3}$`)

func checkCurrency(key, c string, needed bool, bad complain) {
	if c == "" && needed {
		bad("%s: empty; an amount without its currency limits nothing", key)
	} else if c != "" && !currencyRule.MatchString(c) {
		bad("%s: %q; three capital letters of ISO 4217", key, c)
	}
}

func compileAutonomy(key string, a Autonomy, bad complain) autonomy {
	if len(a.Routes) == 0 {
		bad("%s.routes: empty; name the routes that it is about", key)
	}
	amounts := a.AloneBelow != 0 || a.PerRun != 0 || a.PerDay != 0
	switch {
	case !slices.Contains([]string{"", "always", "never"}, a.Ask):
		bad("%s.ask: %q; always or never", key, a.Ask)
	case a.Ask == "" && !amounts:
		bad("%s: neither ask nor an amount; say ask: always, ask: never, or alone_below", key)
	case a.Ask != "" && amounts:
		bad("%s.ask: %q and amounts contradict each other; leave one out", key, a.Ask)
	}
	for name, v := range map[string]float64{"alone_below": a.AloneBelow, "per_run": a.PerRun, "per_day": a.PerDay} {
		if v < 0 || v > 1e12 {
			bad("%s.%s: %v; between 0 and 10¹²", key, name, v)
		}
	}
	checkCurrency(key+".currency", a.Currency, amounts, bad)
	return autonomy{Autonomy: a, key: key, routes: compileRoutes(key+".routes", a.Routes, bad), below: milli(a.AloneBelow)}
}

const day = 24 * time.Hour

// limits are the quotas that follow from amounts per run and per day.
func (a *autonomy) limits(i int) []quota {
	var out []quota
	add := func(name, of string, amount float64) {
		if amount > 0 {
			q := Quota{Name: fmt.Sprintf("autonomy%d_%s", i, name), Of: of, Routes: a.Routes, Amount: amount, Currency: a.Currency, Per: Duration(day), Over: "ask"}
			out = append(out, quota{Quota: q, key: a.key + "." + name, routes: a.routes, limit: milli(amount), autonomousOnly: true})
		}
	}
	add("per_run", "run", a.PerRun)
	add("per_day", "agent", a.PerDay)
	return out
}

var quotaName = regexp.MustCompile(`^[a-z0-9_.-]{1,40}$`)

func compileQuota(key string, q Quota, bad complain) quota {
	if !quotaName.MatchString(q.Name) {
		bad("%s.name: %q; 1 to 40 of a-z 0-9 _ . -", key, q.Name)
	}
	if q.Of == "" {
		q.Of = "agent"
	}
	if !slices.Contains([]string{"agent", "run", "principal"}, q.Of) {
		bad("%s.of: %q; agent, run or principal", key, q.Of)
	}
	if q.Over == "" {
		q.Over = "deny"
	}
	if q.Over != "deny" && q.Over != "ask" {
		bad("%s.over: %q; deny or ask", key, q.Over)
	}
	set := 0
	for name, v := range map[string]float64{"calls": float64(q.Calls), "irreversible": float64(q.Irreversible), "bytes": float64(q.Bytes), "amount": q.Amount} {
		if v < 0 || v > 1e12 {
			bad("%s.%s: %v; between 0 and 10¹²", key, name, v)
		}
		if v > 0 {
			set++
		}
	}
	if set != 1 {
		bad("%s: %d of calls, irreversible, bytes and amount are set; exactly one", key, set)
	}
	checkCurrency(key+".currency", q.Currency, q.Amount > 0, bad)
	if d := time.Duration(q.Per); d < 10*time.Second || d > 31*day {
		bad("%s.per: %s; between 10s and 744h", key, d)
	}
	limit := max(q.Calls, q.Irreversible, q.Bytes)
	if q.Amount > 0 {
		limit = milli(q.Amount)
	}
	return quota{Quota: q, key: key, routes: compileRoutes(key+".routes", q.Routes, bad), limit: limit}
}

func compileFailure(f *FailureMode, bad complain) FailureMode {
	out := FailureMode{Reads: "allow", Writes: "allow", Irreversible: "deny"}
	if f == nil {
		return out
	}
	for _, p := range [...]struct {
		key  string
		from string
		to   *string
	}{{"reads", f.Reads, &out.Reads}, {"writes", f.Writes, &out.Writes}, {"irreversible", f.Irreversible, &out.Irreversible}} {
		switch p.from {
		case "":
		case "allow", "deny":
			*p.to = p.from
		default:
			bad("failure_mode.%s: %q; allow or deny", p.key, p.from)
		}
	}
	return out
}

// Text is the document as YAML.
func (d *Document) Text() ([]byte, error) {
	return yaml.MarshalWithOptions(d, yaml.Indent(2), yaml.IndentSequence(true))
}

// Reversibilities that need a yes where nothing is said of them.
func needsYes(r schema.Reversibility) bool { return r == schema.Irreversible }
