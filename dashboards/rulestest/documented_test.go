package rulestest

import (
	"cmp"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

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
	steps := func(r Rule, of ...Evaluation) string {
		all, out := Instances{}, []string{}
		for i, e := range of {
			all.Follow(&r, e, start.Add(time.Duration(i)*time.Minute))
			said := []string{}
			for labels, x := range all {
				said = append(said, cmp.Or(labels, "-")+" "+x.state)
			}
			slices.Sort(said)
			out = append(out, strings.Join(said, ", "))
		}
		return strings.Join(out, "; ")
	}
	is := func(labels, state string) Evaluation { return Evaluation{States: map[string]string{labels: state}} }
	fires, calm, empty, away := is("a", "Alerting"), is("a", "Normal"), is("", "NoData"), Evaluation{Failed: errors.New("away")}
	for _, tc := range []struct {
		rule Rule
		of   []Evaluation
		want string
	}{
		{Rule{For: "0s"}, []Evaluation{fires, calm}, "a Alerting; a Normal"},
		{Rule{For: "2m"}, []Evaluation{fires, fires, fires, calm}, "a Pending; a Pending; a Alerting; a Normal"},
		{Rule{For: "2m"}, []Evaluation{fires, calm, fires}, "a Pending; a Normal; a Pending"},
		{Rule{For: "0s"}, []Evaluation{fires, is("b", "Normal"), is("b", "Normal")}, "a Alerting; a Alerting, b Normal; b Normal"},
		{Rule{For: "1m", NoDataState: "NoData"}, []Evaluation{empty, calm}, "DatasourceNoData NoData; a Normal"},
		{Rule{For: "0s", NoDataState: "OK"}, []Evaluation{fires, empty}, "a Alerting; a Normal"},
		{Rule{For: "1m", NoDataState: "Alerting"}, []Evaluation{empty, empty}, "- Pending; - Alerting"},
		{Rule{For: "0s", NoDataState: "KeepLast"}, []Evaluation{fires, empty}, "a Alerting; a Alerting"},
		{Rule{For: "1m", ExecErrState: "Error"}, []Evaluation{fires, away, fires},
			"a Pending; DatasourceError Error, a Pending; a Alerting"},
		{Rule{For: "1m", ExecErrState: "Alerting"}, []Evaluation{away, away}, "- Pending; - Alerting"},
		{Rule{For: "0s", ExecErrState: "OK"}, []Evaluation{fires, away}, "a Alerting; a Normal"},
		{Rule{For: "0s", ExecErrState: "KeepLast"}, []Evaluation{fires, away}, "a Alerting; a Alerting"},
	} {
		if got := steps(tc.rule, tc.of...); got != tc.want {
			t.Errorf("for %s, no data %s, error %s: %s, want %s", tc.rule.For, tc.rule.NoDataState, tc.rule.ExecErrState, got, tc.want)
		}
	}
}
