package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// A Grafana cannot be had here. What it documents about server-side expressions and about the states of alert instances is written down
// in this file, is checked against the documented cases below, and evaluates the provisioned rules against the data source.

// Step is the model of a query or an expression in a rule.
type Step struct {
	Type       string // of an expression: reduce, threshold
	Expression string // refId of its input
	Reducer    string
	Settings   struct {
		Mode             string  // of reduce: empty (strict), dropNN, replaceNN
		ReplaceWithValue float64 `yaml:"replaceWithValue"`
	}
	Conditions []struct {
		Evaluator struct {
			Type   string
			Params []float64
		}
	}
}

// valued is one value of an evaluation with its labels. at is empty for a number.
type valued struct {
	labels string
	series []*float64 // of a series
	number *float64   // of a number
	is     string     // number, series
}

// valuesOf returns the values in the frames of an answer: every number field is one. An answer without fields has no data.
func valuesOf(frames data.Frames) (out []valued, err error) {
	seen := map[string]bool{}
	for _, f := range frames {
		overTime := len(f.Fields) > 0 && f.Fields[0].Type().Time()
		for _, field := range f.Fields {
			if field.Type().Time() {
				continue
			}
			if field.Type() != data.FieldTypeNullableFloat64 {
				return nil, fmt.Errorf("the field %s is a %s: input data must be a wide series", field.Name, field.Type())
			}
			v := valued{labels: field.Labels.String(), is: "number"}
			for i := range field.Len() {
				v.series = append(v.series, field.At(i).(*float64))
			}
			switch {
			case overTime:
				v.is = "series"
			case field.Len() != 1:
				return nil, fmt.Errorf("the field %s has %d rows and no time", field.Name, field.Len())
			default:
				v.number, v.series = v.series[0], nil
			}
			if seen[v.labels] {
				return nil, fmt.Errorf("frame cannot uniquely be identified by its labels: has duplicate results with labels {%s}", v.labels)
			}
			seen[v.labels] = true
			out = append(out, v)
		}
	}
	return out, nil
}

// eval evaluates an expression over its input.
func (e *Step) eval(in []valued) (out []valued, err error) {
	for _, v := range in {
		switch e.Type {
		case "reduce":
			if v.is == "series" { // a number stays as it is
				v.number, err = e.reduce(v.series)
			}
			v.is, v.series = "number", nil
		case "threshold":
			if v.is == "series" {
				return nil, errors.New("the condition is no number: reduce it first")
			}
			v.number, err = e.threshold(v.number)
		default:
			return nil, fmt.Errorf("the type %q of an expression is not known here", e.Type)
		}
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}

// reduce makes a number of a series. Strict: a value that is missing makes it NaN.
func (e *Step) reduce(series []*float64) (*float64, error) {
	var kept []float64
	strict := false
	for _, v := range series {
		missing := v == nil || math.IsNaN(*v) || math.IsInf(*v, 0)
		switch {
		case !missing:
			kept = append(kept, *v)
		case e.Settings.Mode == "replaceNN":
			kept = append(kept, e.Settings.ReplaceWithValue)
		case e.Settings.Mode == "":
			strict = true
		}
	}
	nan := math.NaN()
	reducers := map[string]func() float64{
		"last": func() float64 { return kept[len(kept)-1] }, "min": func() float64 { return slices.Min(kept) },
		"max": func() float64 { return slices.Max(kept) }, "sum": func() float64 { return sumOf(kept) },
		"mean": func() float64 { return sumOf(kept) / float64(len(kept)) },
		"median": func() float64 {
			slices.Sort(kept)
			n := len(kept)
			return (kept[(n-1)/2] + kept[n/2]) / 2
		},
	}
	count := float64(len(kept))
	switch reducer := reducers[e.Reducer]; {
	case e.Reducer == "count" && e.Settings.Mode == "":
		count = float64(len(series))
		return &count, nil
	case e.Reducer == "count":
		return &count, nil
	case reducer == nil:
		return nil, fmt.Errorf("the reducer %q is none", e.Reducer)
	case e.Reducer == "last" && e.Settings.Mode == "" && len(series) > 0: // only the last one counts
		if last := series[len(series)-1]; last != nil {
			return last, nil
		}
		return &nan, nil
	case e.Reducer == "sum" && len(kept) == 0 && !strict:
		return new(0.0), nil
	case strict || len(kept) == 0:
		return &nan, nil
	default:
		n := reducer()
		return &n, nil
	}
}

func sumOf(of []float64) (sum float64) {
	for _, v := range of {
		sum += v
	}
	return sum
}

// threshold is 1 for a number that fulfils the condition, else 0; one that is not known stays so.
func (e *Step) threshold(n *float64) (*float64, error) {
	if len(e.Conditions) != 1 {
		return nil, fmt.Errorf("%d conditions: a threshold has one", len(e.Conditions))
	}
	of := e.Conditions[0].Evaluator
	need := map[string]int{"gt": 1, "lt": 1, "eq": 1, "ne": 1, "gte": 1, "lte": 1, "within_range": 2, "outside_range": 2,
		"within_range_included": 2, "outside_range_included": 2}[of.Type]
	if need == 0 || len(of.Params) < need {
		return nil, fmt.Errorf("the threshold %q of %v is none", of.Type, of.Params)
	}
	if n == nil {
		return nil, nil
	}
	a, b := of.Params[0], of.Params[need-1]
	met := map[string]bool{"gt": *n > a, "lt": *n < a, "eq": *n == a, "ne": *n != a, "gte": *n >= a, "lte": *n <= a,
		"within_range": *n > a && *n < b, "outside_range": *n < a || *n > b, "within_range_included": *n >= a && *n <= b,
		"outside_range_included": *n <= a || *n >= b}[of.Type]
	return map[bool]*float64{true: new(1.0), false: new(0.0)}[met], nil
}

// evaluation is the result of one evaluation of a rule: the state of each set of labels, or that of the whole rule.
type evaluation struct {
	states map[string]string // by labels: Alerting, Normal, NoData
	failed error
}

// evaluate evaluates a rule at a time: its question is asked, then its expressions up to the condition.
func (v *viewer) evaluate(r *alertRule, at time.Time) evaluation {
	v.t.Helper()
	known := map[string][]valued{}
	for i := range r.Data {
		part := &r.Data[i]
		if part.DatasourceUID == "__expr__" {
			values, err := part.Model.eval(known[part.Model.Expression])
			if err != nil {
				return evaluation{failed: err}
			}
			known[part.RefID] = values
			continue
		}
		question, _ := json.Marshal(fields{"queryType": part.Model.QueryType, "of": part.Model.Of, "by": part.Model.By})
		resp, err := v.source.QueryData(v.t.Context(), &backend.QueryDataRequest{Queries: []backend.DataQuery{{RefID: part.RefID,
			JSON: question, Interval: time.Minute,
			TimeRange: backend.TimeRange{From: at.Add(-time.Duration(part.RelativeTimeRange.From) * time.Second),
				To: at.Add(-time.Duration(part.RelativeTimeRange.To) * time.Second)}}}})
		if err != nil {
			v.t.Fatal(err)
		}
		if err := resp.Responses[part.RefID].Error; err != nil {
			return evaluation{failed: err}
		}
		values, err := valuesOf(resp.Responses[part.RefID].Frames)
		if err != nil {
			return evaluation{failed: err}
		}
		known[part.RefID] = values
	}
	return evaluationOf(known[r.Condition])
}

func evaluationOf(condition []valued) evaluation {
	out := evaluation{states: map[string]string{}}
	for _, v := range condition {
		switch {
		case v.number == nil:
			out.states[v.labels] = "NoData"
		case *v.number != 0: // NaN is not 0
			out.states[v.labels] = "Alerting"
		default:
			out.states[v.labels] = "Normal"
		}
	}
	if len(condition) == 0 {
		out.states[""] = "NoData"
	}
	return out
}

// instances are the alert instances of a rule by their labels. Those for a rule that gives no data, or that fails, have the names of
// Grafana's own alerts.
type instances map[string]*instance

type instance struct {
	state   string // Normal, Pending, Alerting, NoData, Error
	since   time.Time
	missing int
}

const (
	noDataAlert = "DatasourceNoData"
	errorAlert  = "DatasourceError"
	// missingToResolve is after how many evaluations without its series an instance is resolved.
	missingToResolve = 2
)

// follow changes the instances by an evaluation.
func (all instances) follow(r *alertRule, e evaluation, at time.Time) {
	states, special := map[string]string{}, ""
	switch {
	case e.failed != nil:
		special = map[string]string{"Error": errorAlert, "Alerting": "Alerting", "OK": "Normal", "KeepLast": "KeepLast"}[r.ExecErrState]
	case len(e.states) == 1 && slices.Contains(slices.Collect(maps.Values(e.states)), "NoData"):
		special = map[string]string{"NoData": noDataAlert, "Alerting": "Alerting", "OK": "Normal", "KeepLast": "KeepLast"}[r.NoDataState]
	default:
		states = e.states
	}
	switch special {
	case "":
		delete(all, noDataAlert)
		delete(all, errorAlert)
	case "KeepLast":
		return
	case noDataAlert:
		all[noDataAlert] = &instance{state: "NoData", since: at}
		return
	case errorAlert:
		all[errorAlert] = &instance{state: "Error", since: at}
		return
	default: // the state is that of every instance, or of one without labels
		for labels := range all {
			states[labels] = special
		}
		if len(states) == 0 {
			states[""] = special
		}
	}
	for labels, state := range states {
		all.set(r, labels, state, at)
	}
	for labels, i := range all {
		if _, seen := states[labels]; seen {
			continue
		}
		if i.missing++; i.missing >= missingToResolve {
			delete(all, labels) // resolved: MissingSeries
		}
	}
}

func (all instances) set(r *alertRule, labels, state string, at time.Time) {
	i := all[labels]
	if i == nil {
		i = &instance{state: "Normal", since: at}
		all[labels] = i
	}
	i.missing = 0
	wait, _ := time.ParseDuration(r.For)
	switch {
	case state != "Alerting":
		if i.state != "Normal" {
			i.state, i.since = "Normal", at
		}
	case i.state == "Normal" && wait > 0:
		i.state, i.since = "Pending", at
	case i.state == "Normal", i.state == "Pending" && at.Sub(i.since) >= wait:
		i.state, i.since = "Alerting", at
	}
}

// in returns the labels of the instances in a state.
func (all instances) in(state string) string {
	var out []string
	for labels, i := range all {
		if i.state == state {
			out = append(out, cmp.Or(labels, "no labels"))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "|")
}

// The cases are those of Grafana's documentation: expressions (reduce, threshold), no data and error states, stale instances.
func TestAlertsAreEvaluatedOtherwiseThanDocumented(t *testing.T) {
	none, nan := (*float64)(nil), math.NaN()
	series := func(of ...*float64) []*float64 { return of }
	for _, tc := range []struct {
		reducer, mode string
		in            []*float64
		want          float64
	}{
		{"last", "", series(new(1.0), new(3.0)), 3}, {"mean", "", series(new(1.0), new(3.0)), 2}, {"min", "", series(new(1.0), new(3.0)), 1},
		{"max", "", series(new(1.0), new(3.0)), 3}, {"sum", "", series(new(1.0), new(3.0)), 4}, {"count", "", series(new(1.0), none), 2},
		{"median", "", series(new(3.0), new(1.0), new(2.0)), 2}, {"median", "", series(new(4.0), new(1.0)), 2.5},
		{"mean", "", series(new(1.0), none), nan}, {"mean", "", nil, nan}, {"mean", "", series(new(1.0), &nan), nan},
		{"mean", "dropNN", series(new(1.0), none, &nan), 1}, {"mean", "replaceNN", series(new(2.0), none), 1},
		{"last", "dropNN", series(new(1.0), none), 1}, {"last", "", series(new(1.0), none), nan}, {"count", "dropNN", series(new(1.0), none), 1},
		{"mean", "dropNN", series(none), nan},
	} {
		e := Step{Type: "reduce", Reducer: tc.reducer}
		e.Settings.Mode = tc.mode
		got, err := e.reduce(tc.in)
		if err != nil || got == nil || *got != tc.want && !(math.IsNaN(*got) && math.IsNaN(tc.want)) {
			t.Errorf("%s %s of %v: %v %v, want %v", tc.reducer, tc.mode, tc.in, got, err, tc.want)
		}
	}
	for _, tc := range []struct {
		kind   string
		params []float64
		yes    []float64
		no     []float64
	}{
		{"gt", []float64{1}, []float64{1.5}, []float64{1, 0, nan}}, {"lt", []float64{1}, []float64{0}, []float64{1, nan}},
		{"eq", []float64{1}, []float64{1}, []float64{2}}, {"ne", []float64{1}, []float64{2}, []float64{1}},
		{"gte", []float64{1}, []float64{1}, []float64{0}}, {"lte", []float64{1}, []float64{1}, []float64{2}},
		{"within_range", []float64{1, 3}, []float64{2}, []float64{1, 3, nan}},
		{"outside_range", []float64{1, 3}, []float64{0, 4}, []float64{1, 2, 3}},
		{"within_range_included", []float64{1, 3}, []float64{1, 3}, []float64{0}},
		{"outside_range_included", []float64{1, 3}, []float64{1, 3}, []float64{2}},
	} {
		e := Step{Type: "threshold"}
		e.Conditions = append(e.Conditions, struct {
			Evaluator struct {
				Type   string
				Params []float64
			}
		}{})
		e.Conditions[0].Evaluator.Type, e.Conditions[0].Evaluator.Params = tc.kind, tc.params
		for want, list := range map[float64][]float64{1: tc.yes, 0: tc.no} {
			for _, n := range list {
				if got, err := e.threshold(&n); err != nil || *got != want {
					t.Errorf("%v %s %v: %v %v", n, tc.kind, tc.params, got, err)
				}
			}
		}
		if got, err := e.threshold(nil); got != nil || err != nil {
			t.Errorf("nothing %s: %v %v", tc.kind, got, err)
		}
	}

	start := time.Unix(0, 0)
	steps := func(r alertRule, of ...evaluation) string {
		all, out := instances{}, []string{}
		for i, e := range of {
			all.follow(&r, e, start.Add(time.Duration(i)*time.Minute))
			said := []string{}
			for labels, x := range all {
				said = append(said, cmp.Or(labels, "-")+" "+x.state)
			}
			slices.Sort(said)
			out = append(out, strings.Join(said, ", "))
		}
		return strings.Join(out, "; ")
	}
	is := func(labels, state string) evaluation { return evaluation{states: map[string]string{labels: state}} }
	fires, calm, empty, away := is("a", "Alerting"), is("a", "Normal"), is("", "NoData"), evaluation{failed: errors.New("away")}
	for _, tc := range []struct {
		rule alertRule
		of   []evaluation
		want string
	}{
		{alertRule{For: "0s"}, []evaluation{fires, calm}, "a Alerting; a Normal"},
		{alertRule{For: "2m"}, []evaluation{fires, fires, fires, calm}, "a Pending; a Pending; a Alerting; a Normal"},
		{alertRule{For: "2m"}, []evaluation{fires, calm, fires}, "a Pending; a Normal; a Pending"},
		{alertRule{For: "0s"}, []evaluation{fires, is("b", "Normal"), is("b", "Normal")}, "a Alerting; a Alerting, b Normal; b Normal"},
		{alertRule{For: "1m", NoDataState: "NoData"}, []evaluation{empty, calm}, "DatasourceNoData NoData; a Normal"},
		{alertRule{For: "0s", NoDataState: "OK"}, []evaluation{fires, empty}, "a Alerting; a Normal"},
		{alertRule{For: "1m", NoDataState: "Alerting"}, []evaluation{empty, empty}, "- Pending; - Alerting"},
		{alertRule{For: "0s", NoDataState: "KeepLast"}, []evaluation{fires, empty}, "a Alerting; a Alerting"},
		{alertRule{For: "1m", ExecErrState: "Error"}, []evaluation{fires, away, fires},
			"a Pending; DatasourceError Error, a Pending; a Alerting"},
		{alertRule{For: "1m", ExecErrState: "Alerting"}, []evaluation{away, away}, "- Pending; - Alerting"},
		{alertRule{For: "0s", ExecErrState: "OK"}, []evaluation{fires, away}, "a Alerting; a Normal"},
		{alertRule{For: "0s", ExecErrState: "KeepLast"}, []evaluation{fires, away}, "a Alerting; a Alerting"},
	} {
		if got := steps(tc.rule, tc.of...); got != tc.want {
			t.Errorf("for %s, no data %s, error %s: %s, want %s", tc.rule.For, tc.rule.NoDataState, tc.rule.ExecErrState, got, tc.want)
		}
	}
}
