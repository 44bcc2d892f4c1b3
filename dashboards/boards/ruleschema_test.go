package boards

import (
	"bytes"
	"encoding/json"
	"os"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/grafana/grafana-foundation-sdk/go/alerting"
	"github.com/grafana/grafana-foundation-sdk/go/expr"
)

// A file of provisioning with a member that Grafana does not know is loaded without it, or not at all. Grafana's own types of rules and of
// expressions read it; folder, group and panel stand at other places of the file than of a rule.
func TestRuleHasAMemberThatGrafanasSchemaDoesNotKnow(t *testing.T) {
	raw, err := os.ReadFile("../../deploy/grafana/provisioning/alerting/flyball.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string
			Rules []map[string]any
		}
	}
	if err := yaml.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			delete(r, "dashboardUid")
			delete(r, "panelId")
			r["orgID"], r["folderUID"], r["ruleGroup"] = 1, "flyball", g.Name
			if fault := refused(jsonOf(t, r), &alerting.Rule{}); fault != "" {
				t.Errorf("%s: %s", r["uid"], fault)
			}
			if raw := bytes.Replace(jsonOf(t, r), []byte(`"noDataState"`), []byte(`"nodatastate"`), 1); refused(raw, &alerting.Rule{}) == "" {
				t.Errorf("%s: the reader does not notice another name", r["uid"])
			}
			for _, q := range r["data"].([]any) {
				if q := q.(map[string]any); q["datasourceUid"] == "__expr__" {
					if fault := refused(jsonOf(t, q["model"]), &expr.TypeThreshold{}); fault != "" {
						t.Errorf("%s: %s", r["uid"], fault)
					}
					read++
				}
			}
		}
	}
	if read != 7 {
		t.Errorf("%d rules have an expression", read)
	}
}

// refused returns why Grafana's type does not read a text; empty: it does. The SDK returns errors without one in them.
func refused(raw []byte, into interface {
	UnmarshalJSONStrict([]byte) error
	Validate() error
}) string {
	if err := into.UnmarshalJSONStrict(raw); err != nil && err.Error() != "" {
		return err.Error()
	}
	if err := into.Validate(); err != nil {
		return err.Error()
	}
	return ""
}

func jsonOf(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
