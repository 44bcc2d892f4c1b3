package rulestest

import (
	"encoding/json"
	"os"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// Rule is a provisioned rule, as far as its evaluation needs it.
type Rule struct {
	UID, Condition, For string
	NoDataState         string `yaml:"noDataState"`
	ExecErrState        string `yaml:"execErrState"`
	Data                []struct {
		RefID             string                 `yaml:"refId"`
		DatasourceUID     string                 `yaml:"datasourceUid"`
		RelativeTimeRange struct{ From, To int } `yaml:"relativeTimeRange"`
		Model             struct {
			Step      `yaml:",inline"`
			QueryType string `yaml:"queryType"`
			Of, By    string
		}
	}
}

// Read reads the rules of a file of Grafana's provisioning, by their uids.
func Read(file string) (map[string]*Rule, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var provisioned struct{ Groups []struct{ Rules []Rule } }
	if err := yaml.Unmarshal(raw, &provisioned); err != nil {
		return nil, err
	}
	out := map[string]*Rule{}
	for i := range provisioned.Groups {
		for j := range provisioned.Groups[i].Rules {
			r := &provisioned.Groups[i].Rules[j]
			out[r.UID] = r
		}
	}
	return out, nil
}

// Evaluate evaluates the rule at a time: its question is asked, then its expressions up to the condition. ask gives the answer of the data
// source to a question, which is JSON.
func (r *Rule) Evaluate(at time.Time, ask func(question []byte, from, to time.Time) (data.Frames, error)) Evaluation {
	known := map[string][]Value{}
	for i := range r.Data {
		part := &r.Data[i]
		var values []Value
		var err error
		if part.DatasourceUID == "__expr__" {
			values, err = part.Model.Eval(known[part.Model.Expression])
		} else {
			var frames data.Frames
			question, _ := json.Marshal(map[string]string{"queryType": part.Model.QueryType, "of": part.Model.Of, "by": part.Model.By})
			frames, err = ask(question, at.Add(-time.Duration(part.RelativeTimeRange.From)*time.Second),
				at.Add(-time.Duration(part.RelativeTimeRange.To)*time.Second))
			if err == nil {
				values, err = ValuesOf(frames)
			}
		}
		if err != nil {
			return Evaluation{Failed: err}
		}
		known[part.RefID] = values
	}
	return EvaluationOf(known[r.Condition])
}

// Risen is the path of the states of a rule that fires, one evaluation a minute: Pending for its time, then Alerting.
func (r *Rule) Risen() (path string, evaluations int) {
	wait, _ := time.ParseDuration(r.For)
	n := int(wait / time.Minute)
	return strings.TrimSpace(strings.Repeat("Pending ", n) + "Alerting"), n + 1
}
