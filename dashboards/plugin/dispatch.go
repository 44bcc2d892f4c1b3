package plugin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// question is a valid query of a panel with all that its answer depends on.
type question struct {
	Query
	db       query.DB
	tenant   string // that the data source is bound to; empty: none
	from, to time.Time
	step     time.Duration
	now      time.Time
	remarks  []string // that the answer has to show beside its rows
	control  *control // nil: the settings name none
	forRule  bool     // an alert rule asks
}

func (q *question) window() query.Window { return query.Window{Since: q.from, Until: q.to} }

// answers has the function for each type of query.
var answers = map[string]func(context.Context, *question) (data.Frames, error){
	"runs": answerRuns, "findings": answerFindings, "held": answerHeld, "breakers": answerBreakers, "gates": answerGates,
	"agents": answerAgents, "routes": answerRoutes, "trace": answerTrace, "touched": answerTouched, "touched_graph": answerTouchedGraph,
	"resource": answerResource,
	"score":    answerScore, "distribution": answerDistribution,
	"calls": answerCalls, "count": answerCount, "logs": answerLogs, "annotations": answerAnnotations,
	"variable": answerVariable, "health": answerHealth, "quality": answerQuality, "sql": answerSQL,
}

// Types of queries, in the order in which the editor shows them.
var Types = []string{"runs", "findings", "held", "breakers", "gates", "agents", "routes", "trace", "touched", "touched_graph",
	"resource", "score", "distribution",
	"calls", "count", "logs", "health", "quality", "sql", "annotations", "variable"}

// QueryData executes the queries of panels. A failed query does not affect the others.
func (d *Datasource) QueryData(ctx context.Context, req *backend.QueryDataRequest) (*backend.QueryDataResponse, error) {
	out := backend.NewQueryDataResponse()
	for _, q := range req.Queries {
		if refused := d.refuseQuery(req.PluginContext.User); refused != nil {
			out.Responses[q.RefID] = *refused
			continue
		}
		out.Responses[q.RefID] = d.answer(ctx, req, &q)
	}
	return out, nil
}

func (d *Datasource) answer(ctx context.Context, req *backend.QueryDataRequest, q *backend.DataQuery) backend.DataResponse {
	var asked Query
	if err := json.Unmarshal(q.JSON, &asked); err != nil {
		return failure(invalidf("query: %v", err))
	}
	if asked.Type == "" {
		asked.Type = q.QueryType
	}
	if asked.Type == "sql" {
		if err := d.settings.refuseStatement(req.PluginContext.User); err != nil {
			return backend.ErrDataResponse(backend.StatusForbidden, err.Error())
		}
		select {
		case d.statements <- struct{}{}:
			defer func() { <-d.statements }()
		case <-ctx.Done():
			return failure(ctx.Err())
		}
	}
	if asked.Live && liveKinds[asked.Type] == "trips" {
		asked.State = "trips"
	}
	if asked.Live && asked.Type == "runs" {
		asked.Sort = "latest"
	}
	put := &question{Query: asked, db: d.db, tenant: d.tenant, from: q.TimeRange.From, to: q.TimeRange.To, step: q.Interval, now: time.Now(),
		control: d.control, forRule: req.Headers[backend.FromAlertHeaderName] == "true"}
	frames, err := answer(ctx, put)
	if err != nil {
		return failure(err)
	}
	d.goLive(&put.Query, frames)
	return backend.DataResponse{Frames: frames}
}

// answer executes one query.
func answer(ctx context.Context, q *question) (data.Frames, error) {
	ask := answers[q.Type]
	if ask == nil {
		return nil, invalidf("queryType: %q is none of %s", q.Type, strings.Join(Types, ", "))
	}
	unfilled, certain := q.unresolved()
	if certain {
		return notChosen(q, unfilled), nil
	}
	if err := q.validate(); err != nil {
		return nil, err
	}
	if (ofOneRun[q.Type] || q.OneRun) && q.Run == "" {
		return emptyFrame(q.Type, "No run is chosen: click one in a table, or enter its id or its key."), nil
	}
	if q.where.nothing != "" {
		return emptyFrame(q.Type, "Nothing fits the filters: "+schema.Visible(q.where.nothing)+" leaves nothing."), nil
	}
	if err := q.bind(); err != nil {
		return nil, err
	}
	if q.where.owners != nil {
		owned, err := ownedAgents(ctx, q, q.where.owners)
		if errors.Is(err, errNoControl) {
			return nil, invalidf("filters: who owns an agent is not known: %s; or remove the filter on owner", err)
		}
		if err != nil {
			return nil, err
		}
		q.where.agents = append(q.where.agents, owned...)
	}
	frames, err := ask(ctx, q)
	if (errors.Is(err, query.ErrNotFound) || err == nil && saysNothing(frames)) && q.takeShown() {
		frames, err = ask(ctx, q)
	}
	if unfilled != "" && (errors.Is(err, query.ErrNotFound) || err == nil && saysNothing(frames)) {
		return notChosen(q, unfilled), nil
	}
	if errors.Is(err, query.ErrNotFound) {
		return emptyFrame(q.Type, "Not stored: "+schema.Visible(err.Error())+". It may have expired, or its calls are still on their way."), nil
	}
	if errors.Is(err, errNoControl) {
		return emptyFrame(q.Type, "Not known: "+err.Error()), nil
	}
	if q.Type != "variable" && q.Type != "annotations" { // these are read by name
		removeEmptyTables(frames)
	}
	for _, filter := range q.ignored {
		q.remarks = append(q.remarks, "The filter "+schema.Visible(filter)+" has no effect here: this panel is not about that.")
	}
	if err == nil && len(frames) > 0 {
		appendCaveats(frames[0], q.remarks)
	}
	return frames, err
}

// notChosen is the answer to a query with a variable that the dashboard has not filled in.
func notChosen(q *question, member string) data.Frames {
	return emptyFrame(q.Type, "Nothing is chosen: "+member+" is a variable of the dashboard without a value.")
}

// saysNothing reports whether frames have no row, or only the number 0.
func saysNothing(frames data.Frames) bool {
	for _, f := range frames {
		switch {
		case f.Rows() > 1:
			return false
		case f.Rows() == 1:
			for _, field := range f.Fields {
				if n, isNumber := field.At(0).(*float64); !isNumber || n != nil && *n != 0 {
					return false
				}
			}
		}
	}
	return true
}

// removeEmptyTables removes the fields of tables without rows: Grafana shows the sentence of the panel (noValue) only for a frame
// without fields, and a bare header otherwise.
func removeEmptyTables(frames data.Frames) {
	for _, f := range frames {
		if f.Meta != nil && f.Meta.PreferredVisualization == data.VisTypeTable && f.Rows() == 0 {
			f.Fields = nil
		}
	}
}

// ofOneRun are the types of queries about one run.
var ofOneRun = map[string]bool{"touched": true, "touched_graph": true, "trace": true, "score": true}

// bind restricts the database to the tenant of the data source, or to the one that the query names.
func (q *question) bind() error {
	if q.tenant != "" && q.Tenant != "" && q.Tenant != q.tenant {
		return invalidf("tenant: %q is not the tenant that this data source is bound to", q.Tenant)
	}
	if q.tenant != "" {
		q.Tenant = q.tenant
	}
	q.db = query.OfTenant(q.db, q.Tenant)
	return nil
}

// emptyFrame is the answer without rows, with the reason.
func emptyFrame(name, reason string) data.Frames {
	f := data.NewFrame(name)
	f.AppendNotices(data.Notice{Severity: data.NoticeSeverityInfo, Text: reason})
	return data.Frames{f}
}

// failure returns the answer for a query without one. Only a query that cannot be answered as it is has the status 400.
func failure(err error) backend.DataResponse {
	var bad *invalid
	var exceeded *query.Exceeded
	var away *clickhouse.Error
	var control *refusal
	switch {
	case errors.As(err, &bad):
		return backend.ErrDataResponse(backend.StatusBadRequest, err.Error())
	case errors.As(err, &exceeded):
		return downstream(http.StatusGatewayTimeout, "This would read too much: choose a shorter time range, one agent, or a lower limit ("+
			exceeded.Limit()+").")
	case errors.As(err, &away):
		return downstream(backend.StatusBadGateway, "Flyball's database gave no answer. "+away.Error())
	case errors.As(err, &control):
		return downstream(backend.StatusBadGateway, control.text)
	case errors.Is(err, context.Canceled):
		return downstream(backend.Status(499), "The query was cancelled.")
	case errors.Is(err, context.DeadlineExceeded):
		return downstream(http.StatusGatewayTimeout, "The query took too long: choose a shorter time range, one agent, or a lower limit.")
	}
	return backend.ErrDataResponse(backend.StatusInternal, err.Error())
}

func downstream(status backend.Status, text string) backend.DataResponse {
	return backend.ErrDataResponseWithSource(status, backend.ErrorSourceDownstream, text)
}
