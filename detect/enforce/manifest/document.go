package manifest

import (
	_ "embed"
	"fmt"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"flyball/schema/document"
	"flyball/schema/schedule"
)

// Schema is the JSON Schema of a document, for editors.
//
//go:embed manifest.schema.json
var Schema []byte

// formatVersion is the version of the format of documents.
const formatVersion = 1

// maxSize is the maximum size of a document in bytes.
const maxSize = 64 << 10

// Document is a manifest in the form that its owner writes.
type Document struct {
	Version int    `yaml:"version"`
	Agent   string `yaml:"agent"` // a name, or a pattern as billing/* or *
	Owner   string `yaml:"owner,omitempty"`
	Purpose string `yaml:"purpose,omitempty"`
	Grants  Grants `yaml:"scope,omitempty"`
	// Task is required or optional. If it is required, writes need approval unless an orchestrator
	// has declared the run's task.
	Task        string            `yaml:"task,omitempty"`
	TaskTypes   map[string]Grants `yaml:"task_types,omitempty"`
	Autonomy    []Autonomy        `yaml:"autonomy,omitempty"`
	Quotas      []Quota           `yaml:"quotas,omitempty"`
	Hours       *schedule.Hours   `yaml:"hours,omitempty"`
	FailureMode *FailureMode      `yaml:"failure_mode,omitempty"`
}

// Grants lists what may be called, and which resources may be written. An empty list sets no limit.
type Grants struct {
	Routes    []string `yaml:"routes,omitempty"`    // "GET /v1/**", "tool:refund_payment"
	Resources []string `yaml:"resources,omitempty"` // "order:*", of writes
}

// Autonomy defines which calls of a route an agent makes without approval. An irreversible call of
// a route without such an entry needs approval.
type Autonomy struct {
	Routes []string `yaml:"routes"`
	// Ask is always or never; empty: the amounts decide.
	Ask string `yaml:"ask,omitempty"`
	// AloneBelow is an amount: a call of this amount or more needs approval, a smaller one does
	// not.
	AloneBelow float64 `yaml:"alone_below,omitempty"`
	PerRun     float64 `yaml:"per_run,omitempty"` // maximum sum of a run without approval
	PerDay     float64 `yaml:"per_day,omitempty"` // maximum sum of the agent in a day without approval
	Currency   string  `yaml:"currency,omitempty"`
}

// Quota bounds what is spent in a window of the log's clock. Exactly one of Calls, Irreversible,
// Bytes and Amount is set.
type Quota struct {
	Name         string   `yaml:"name"`
	Of           string   `yaml:"of,omitempty"`     // agent (default), run, principal
	Routes       []string `yaml:"routes,omitempty"` // empty: every call
	Calls        int64    `yaml:"calls,omitempty"`
	Irreversible int64    `yaml:"irreversible,omitempty"`
	Bytes        int64    `yaml:"bytes,omitempty"` // of request bodies, from Content-Length
	Amount       float64  `yaml:"amount,omitempty"`
	Currency     string   `yaml:"currency,omitempty"`
	Per          Duration `yaml:"per"`
	Over         string   `yaml:"over,omitempty"` // deny (default) or ask
}

// FailureMode is the action on calls while the log is stale: allow or deny.
type FailureMode struct {
	Reads        string `yaml:"reads,omitempty"`
	Writes       string `yaml:"writes,omitempty"`
	Irreversible string `yaml:"irreversible,omitempty"`
}

// Duration is written in the syntax of Go: 24h.
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

// Parse reads and compiles a document. A document with an error is rejected as a whole; the error
// names the key, the value and the rule.
func Parse(text []byte) (*Manifest, error) {
	if len(text) > maxSize {
		return nil, fmt.Errorf("manifest: %d bytes; at most %d", len(text), maxSize)
	}
	var d Document
	if err := document.Read(text, &d); err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	return compile(&d)
}

// Text returns the document as YAML.
func (d *Document) Text() ([]byte, error) {
	return yaml.MarshalWithOptions(d, yaml.Indent(2), yaml.IndentSequence(true))
}
