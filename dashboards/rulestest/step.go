package rulestest

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

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

// Value is one value of an evaluation with its labels. at is empty for a number.
type Value struct {
	labels string
	series []*float64 // of a series
	number *float64   // of a number
	is     string     // number, series
}

// ValuesOf returns the values in the frames of an answer: every number field is one. An answer without fields has no data.
func ValuesOf(frames data.Frames) (out []Value, err error) {
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
			v := Value{labels: field.Labels.String(), is: "number"}
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

// Eval evaluates an expression over its input.
func (e *Step) Eval(in []Value) (out []Value, err error) {
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
