package rulestest

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

// Evaluation is the result of one evaluation of a rule: the state of each set of labels, or that of the whole rule.
type Evaluation struct {
	States map[string]string // by labels: Alerting, Normal, NoData
	Failed error
}

// EvaluationOf returns the states for the values of a condition.
func EvaluationOf(condition []Value) Evaluation {
	out := Evaluation{States: map[string]string{}}
	for _, v := range condition {
		switch {
		case v.number == nil:
			out.States[v.labels] = "NoData"
		case *v.number != 0: // NaN is not 0
			out.States[v.labels] = "Alerting"
		default:
			out.States[v.labels] = "Normal"
		}
	}
	if len(condition) == 0 {
		out.States[""] = "NoData"
	}
	return out
}

// Instances are the alert instances of a rule by their labels. Those for a rule that gives no data, or that fails, have the names of
// Grafana's own alerts.
type Instances map[string]*instance

type instance struct {
	state   string // Normal, Pending, Alerting, NoData, Error
	since   time.Time
	missing int
}

// Names of Grafana's own alerts.
const (
	NoDataAlert = "DatasourceNoData"
	ErrorAlert  = "DatasourceError"
)

// MissingToResolve is after how many evaluations without its series an instance is resolved.
const MissingToResolve = 2

// Follow changes the instances by an evaluation.
func (all Instances) Follow(r *Rule, e Evaluation, at time.Time) {
	states, special := map[string]string{}, ""
	switch {
	case e.Failed != nil:
		special = map[string]string{"Error": ErrorAlert, "Alerting": "Alerting", "OK": "Normal", "KeepLast": "KeepLast"}[r.ExecErrState]
	case len(e.States) == 1 && slices.Contains(slices.Collect(maps.Values(e.States)), "NoData"):
		special = map[string]string{"NoData": NoDataAlert, "Alerting": "Alerting", "OK": "Normal", "KeepLast": "KeepLast"}[r.NoDataState]
	default:
		states = e.States
	}
	switch special {
	case "":
		delete(all, NoDataAlert)
		delete(all, ErrorAlert)
	case "KeepLast":
		return
	case NoDataAlert:
		all[NoDataAlert] = &instance{state: "NoData", since: at}
		return
	case ErrorAlert:
		all[ErrorAlert] = &instance{state: "Error", since: at}
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
		if i.missing++; i.missing >= MissingToResolve {
			delete(all, labels) // resolved: MissingSeries
		}
	}
}

func (all Instances) set(r *Rule, labels, state string, at time.Time) {
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

// In returns the labels of the instances in a state.
func (all Instances) In(state string) string {
	var out []string
	for labels, i := range all {
		if i.state == state {
			out = append(out, cmp.Or(labels, "no labels"))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "|")
}
