package boards

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// rule is an alert rule in a file of Grafana's provisioning.
type rule struct {
	UID, Title, Condition string
	For                   string
	NoDataState           string `yaml:"noDataState"`
	ExecErrState          string `yaml:"execErrState"`
	DashboardUID          string `yaml:"dashboardUid"`
	PanelID               int    `yaml:"panelId"`
	Labels, Annotations   map[string]string
	Data                  []struct {
		RefID             string                 `yaml:"refId"`
		DatasourceUID     string                 `yaml:"datasourceUid"`
		RelativeTimeRange struct{ From, To int } `yaml:"relativeTimeRange"`
		Model             struct {
			RefID      string `yaml:"refId"`
			QueryType  string `yaml:"queryType"`
			Of, By     string
			Type       string
			Expression string
			Conditions []struct {
				Evaluator struct {
					Type   string
					Params []float64
				}
			}
		}
	}
}

func rules(t *testing.T) []rule {
	t.Helper()
	raw, err := os.ReadFile("../../deploy/grafana/provisioning/alerting/flyball.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		APIVersion int `yaml:"apiVersion"`
		Groups     []struct {
			OrgID                  int `yaml:"orgId"`
			Name, Folder, Interval string
			Rules                  []rule
		}
	}
	if err := yaml.UnmarshalWithOptions(raw, &file, yaml.Strict()); err != nil {
		t.Fatal(err)
	}
	var out []rule
	for _, g := range file.Groups {
		if g.OrgID != 1 || g.Folder != "Flyball" || g.Interval != "1m" || g.Name == "" {
			t.Errorf("group %+v", g)
		}
		out = append(out, g.Rules...)
	}
	if len(out) == 0 || file.APIVersion != 1 {
		t.Fatal("no rules")
	}
	return out
}

// An evaluation needs one number for each set of labels, which only count answers, and a
// condition that reads it.
func TestRuleAsksWhatHasNoNumber(t *testing.T) {
	source, err := os.ReadFile("../../deploy/grafana/provisioning/datasources/flyball.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules(t) {
		if len(r.Data) != 2 || r.Data[1].RefID != r.Condition || r.Data[1].Model.RefID != r.Condition {
			t.Fatalf("%s: the condition %q is not the second of two", r.UID, r.Condition)
		}
		q, c := r.Data[0], r.Data[1]
		if !strings.Contains(string(source), "uid: "+q.DatasourceUID+"\n") || c.DatasourceUID != "__expr__" {
			t.Errorf("%s: data sources %q, %q", r.UID, q.DatasourceUID, c.DatasourceUID)
		}
		if q.Model.QueryType != "count" || !slices.Contains(words["count.of"], q.Model.Of) || q.Model.By != "" && !slices.Contains(
			words["count.by"], q.Model.By) || q.RefID != q.Model.RefID {
			t.Errorf("%s: asks %+v", r.UID, q.Model)
		}
		if q.RelativeTimeRange.From < 300 || q.RelativeTimeRange.To != 0 {
			t.Errorf("%s: the range %+v is shorter than five evaluations", r.UID, q.RelativeTimeRange)
		}
		if c.Model.Type != "threshold" || c.Model.Expression != q.RefID || len(c.Model.Conditions) != 1 || len(
			c.Model.Conditions[0].Evaluator.Params) != 1 || !slices.Contains([]string{"gt", "lt"}, c.Model.Conditions[0].Evaluator.Type) {
			t.Errorf("%s: the condition %+v", r.UID, c.Model)
		}
	}
}

func TestRuleReachesNobodyOrSaysNothing(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rules(t) {
		if seen[r.UID] || len(r.UID) > 40 || r.Title == "" {
			t.Errorf("uid %q, title %q", r.UID, r.Title)
		}
		seen[r.UID] = true
		if r.Labels["product"] != "flyball" || r.Labels["area"] == "" || !slices.Contains([]string{"page", "ticket"}, r.Labels["severity"]) {
			t.Errorf("%s: labels %v", r.UID, r.Labels)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" {
			t.Errorf("%s: annotations %v", r.UID, r.Annotations)
		}
		if _, err := time.ParseDuration(r.For); err != nil {
			t.Errorf("%s: for: %v", r.UID, err)
		}
		states := []string{"Alerting", "OK", "KeepLast"}
		if !slices.Contains(append(states, "NoData"), r.NoDataState) || !slices.Contains(append(states, "Error"), r.ExecErrState) {
			t.Errorf("%s: noDataState %q, execErrState %q", r.UID, r.NoDataState, r.ExecErrState)
		}
		for _, text := range r.Annotations {
			if bare := strings.ReplaceAll(strings.ReplaceAll(text, "$$", ""), "${FLYBALL_RUNBOOKS}", ""); strings.Contains(bare, "$") {
				t.Errorf("%s: Grafana replaces the $ of %q by a variable of its environment", r.UID, text)
			}
		}
	}
}

func TestRulesRunbookOrPanelIsMissing(t *testing.T) {
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	headings := map[string]bool{}
	for line := range strings.Lines(string(readme)) {
		if heading, is := strings.CutPrefix(line, "### "); is {
			headings[strings.ReplaceAll(strings.ToLower(strings.TrimSpace(heading)), " ", "-")] = true
		}
	}
	panels := map[string]int{}
	for _, b := range All() {
		panels[b.UID] = len(b.panels)
	}
	for _, r := range rules(t) {
		base, anchor, _ := strings.Cut(r.Annotations["runbook_url"], "#")
		if base != "${FLYBALL_RUNBOOKS}" || !headings[anchor] {
			t.Errorf("%s: dashboards/README.md has no section for %q", r.UID, r.Annotations["runbook_url"])
		}
		if r.PanelID < 1 || r.PanelID > panels[r.DashboardUID] {
			t.Errorf("%s: dashboard %s has no panel %d", r.UID, r.DashboardUID, r.PanelID)
		}
	}
}
