package boards

import (
	"reflect"

	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"

	"flyball/dashboards/plugin"
)

// Query is a query to Flyball's data source, as a panel, a variable or an annotation stores it.
// Which members a type knows is in members.
type Query struct {
	RefID      string                `json:"refId"`
	Datasource *common.DataSourceRef `json:"datasource,omitempty"`
	Type       string                `json:"queryType"`
	Agent      string                `json:"agent,omitempty"`
	Run        string                `json:"run,omitempty"`
	OneRun     bool                  `json:"oneRun,omitempty"` // without a run the answer is empty
	Resource   string                `json:"resource,omitempty"`
	MinLevel   string                `json:"minLevel,omitempty"`
	Limit      int                   `json:"limit,omitempty"`
	Sort       string                `json:"sort,omitempty"`
	Family     string                `json:"family,omitempty"`
	State      string                `json:"state,omitempty"`
	By         string                `json:"by,omitempty"`
	Of         string                `json:"of,omitempty"`
	Part       string                `json:"part,omitempty"`
	Owner      string                `json:"owner,omitempty"`
	Kinds      string                `json:"kinds,omitempty"` // separated by commas
	SQL        string                `json:"sql,omitempty"`
}

// members are the types of queries that the back end answers, and the members of each beside
// agent, minLevel and limit, which all have.
var members = map[string][]string{
	"runs": {"sort", "run", "oneRun"}, "findings": {"family", "state", "run", "oneRun"}, "held": {"run", "oneRun"}, "breakers": {"state"},
	"gates": {"state", "run", "oneRun"}, "agents": {}, "routes": {"run"},
	"trace": {"run"}, "touched": {"run"}, "touched_graph": {"run"}, "resource": {"resource"}, "score": {"run"}, "distribution": {"of", "by"},
	"calls": {"by"},
	"count": {"of", "by"}, "logs": {"run"}, "health": {"part"}, "quality": {}, "sql": {"sql"}, "annotations": {"kinds"},
	"variable": {"of", "owner"},
}

// words are the values that the members with a closed list have; every member may be empty.
var words = map[string][]string{
	"minLevel": {"annotate", "alert", "trip"}, "sort": {"worst", "latest"},
	"health.part":       {"ingest", "detect", "stitching", "store", "breakers", "bypass"},
	"annotations.kinds": {"trips", "bypass", "baseline", "version"},
	"findings.state":    {"open", "closed"}, "gates.state": {"waiting"}, "breakers.state": {"trips"}, "calls.by": {"outcome", "reversibility"},
	"distribution.by": {"time", "quantile"},
	"distribution.of": {"${figure}", "calls", "writes", "irreversible_calls", "errors", "denied", "resources", "routes", "bytes_out",
		"tokens", "duration", "score"},
	"count.by": {"agent", "level", "family", "reader", "point"},
	"count.of": {"trips", "findings", "gates_waiting", "held", "dead_letters", "calls", "denied",
		"irreversible", "lag_seconds", "stale_points", "bypasses", "trips_over_budget"},
	"variable.of": {"agents", "runs", "resources", "families", "owners", "tenants"},
}

// The methods by which the SDK accepts the query in a panel.

func (Query) ImplementsDataqueryVariant() {}

// DataqueryType returns the id of the data source's plugin.
func (Query) DataqueryType() string { return plugin.ID }

// Validate accepts every query; the tests check the queries of the dashboards.
func (Query) Validate() error { return nil }

func (q Query) Equals(other variants.Dataquery) bool { return reflect.DeepEqual(q, other) }

// source is the data source that the reader selected: no dashboard names a fixed one.
func source() *common.DataSourceRef {
	return &common.DataSourceRef{Type: new(plugin.ID), Uid: new("${ds}")}
}
