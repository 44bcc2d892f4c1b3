package boards

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"

	"flyball/dashboards/plugin"
	"flyball/schema/clickhouse/query"
)

// Board is one dashboard.
type Board struct {
	UID, Title, About string
	variables         []dashboard.VariableModel
	panels            []panel
	changes           bool // new baselines are marked
}

// The uids of the dashboards: other systems link to them, so they do not change.
const (
	overviewUID = "flyball-overview"
	agentUID    = "flyball-agent"
	runUID      = "flyball-run"
	resourceUID = "flyball-resource"
	peopleUID   = "flyball-people"
	gatesUID    = "flyball-gates"
	qualityUID  = "flyball-quality"
	pipelineUID = "flyball-pipeline"
)

// All are the dashboards in the order in which somebody reads them.
func All() []Board {
	return []Board{overview(), agentBoard(), runBoard(), resourceBoard(), people(), gates(), quality(), pipeline()}
}

// File returns the name of the file in dashboards/json.
func (b *Board) File() string { return b.UID[len("flyball-"):] + ".json" }

// JSON returns the dashboard in the form that Grafana's file provisioning reads.
func (b *Board) JSON() ([]byte, error) {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	err := e.Encode(b.model())
	return out.Bytes(), err
}

// Queries returns what the dashboard asks: for its panels, annotations and variables.
func (b *Board) Queries() []Query {
	var out []Query
	for i := range b.panels {
		out = append(out, b.panels[i].asks...)
	}
	for _, a := range b.annotations() {
		out = append(out, a.Target.(Query))
	}
	for i := range b.variables {
		if v := &b.variables[i]; v.Type == dashboard.VariableTypeQuery {
			of, _ := v.Query.Map["of"].(string)
			agent, _ := v.Query.Map["agent"].(string)
			owner, _ := v.Query.Map["owner"].(string)
			out = append(out, Query{RefID: v.Name, Type: "variable", Of: of, Agent: agent, Owner: owner})
		}
	}
	return out
}

//lint:ignore SA1019 file provisioning reads this version of the schema
func (b *Board) model() *dashboard.Dashboard {
	out := dashboard.NewDashboard()
	out.Uid, out.Title, out.Description = &b.UID, new("Flyball · "+b.Title), &b.About
	out.Tags, out.Timezone, out.Editable = []string{"flyball"}, new("utc"), new(false)
	out.SchemaVersion, out.Version, out.Refresh = 41, new(uint32(1)), new("30s")
	out.Time = &dashboard.DashboardDashboardTime{From: "now-6h", To: "now"}
	crosshair := dashboard.DashboardCursorSyncCrosshair
	out.GraphTooltip = &crosshair
	out.Templating.List = b.variables
	out.Annotations.List = b.annotations()
	out.Links = []dashboard.DashboardLink{{Title: "Flyball", Type: dashboard.DashboardLinkTypeDashboards, Icon: "external link",
		Tooltip: "The other dashboards, with this selection and time", Tags: []string{"flyball"}, AsDropdown: true, IncludeVars: true,
		KeepTime: true}}
	var x, y, h uint32
	for i := range b.panels {
		p := &b.panels[i]
		if x+p.w > columns {
			x, y, h = 0, y+h, 0
		}
		out.Panels = append(out.Panels, dashboard.PanelOrRowPanel{Panel: p.model(i+1, x, y)})
		x, h = x+p.w, max(h, p.h)
	}
	return out
}

// columns is the width of Grafana's grid.
const columns = 24

func (b *Board) annotations() []dashboard.AnnotationQuery {
	out := []dashboard.AnnotationQuery{{Name: "Trips", Datasource: source(), Enable: true, IconColor: vermilion,
		Target: Query{RefID: "trips", Datasource: source(), Type: "annotations", Kinds: "trips", Agent: b.agent()}}}
	if b.changes {
		out = append(out, dashboard.AnnotationQuery{Name: "New baselines", Datasource: source(), Enable: true, IconColor: blue,
			Target: Query{RefID: "changes", Datasource: source(), Type: "annotations", Kinds: "baseline", Agent: b.agent()}})
	}
	return out
}

// agent returns the text that selects the agent of the dashboard; empty where it has none.
func (b *Board) agent() string {
	for _, v := range b.variables {
		if v.Name == "agent" {
			return "${agent}"
		}
	}
	return ""
}

func sourceVariable() dashboard.VariableModel {
	refresh := dashboard.VariableRefreshOnDashboardLoad
	return dashboard.VariableModel{Type: dashboard.VariableTypeDatasource, Name: "ds", Label: new("Flyball"), Refresh: &refresh,
		Query: &dashboard.StringOrMap{String: new(plugin.ID)}, Description: new("which Flyball; a data source of the plugin")}
}

// queryVariable asks the data source for its values. Its list is read again when the time range
// changes.
func queryVariable(name, label, about string, q Query) dashboard.VariableModel {
	refresh, sort := dashboard.VariableRefreshOnTimeRangeChanged, dashboard.VariableSortDisabled
	asked := map[string]any{"refId": name, "queryType": "variable", "of": q.Of}
	if q.Agent != "" {
		asked["agent"] = q.Agent
	}
	if q.Owner != "" {
		asked["owner"] = q.Owner
	}
	return dashboard.VariableModel{Type: dashboard.VariableTypeQuery, Name: name, Label: &label, Description: &about, Datasource: source(),
		Refresh: &refresh, Sort: &sort, Multi: new(false), IncludeAll: new(false), AllowCustomValue: new(true),
		Query: &dashboard.StringOrMap{Map: asked}}
}

// anyAgent returns the variables of a dashboard that can show all agents. Grafana takes an
// empty value of "All" for "not set" and would send the list of all agents; a variable that is
// empty makes it empty.
func anyAgent() []dashboard.VariableModel {
	return orAll(queryVariable("agent", "Agent", "one agent, or all", Query{Of: "agents"}))
}

// anyOwner returns the variables of a dashboard that lists the agents of an owner, or all.
func anyOwner() []dashboard.VariableModel {
	return orAll(queryVariable("owner", "Owner", "by the manifests in force; the list needs controlUrl", Query{Of: "owners"}))
}

func orAll(v dashboard.VariableModel) []dashboard.VariableModel {
	hide := dashboard.VariableHideHideVariable
	every := dashboard.VariableModel{Type: dashboard.VariableTypeConstant, Name: "every", Hide: &hide, SkipUrlSync: new(true),
		Query: &dashboard.StringOrMap{String: new("")}, Description: new("the empty value of All")}
	v.IncludeAll, v.AllValue = new(true), new("${every}")
	all := dashboard.StringOrArrayOfString{String: new("$__all")}
	v.Current = &dashboard.VariableOption{Text: dashboard.StringOrArrayOfString{String: new("All")}, Value: all}
	return []dashboard.VariableModel{every, v}
}

// figureVariable offers the figures of runs that have a distribution.
func figureVariable() dashboard.VariableModel {
	var list []string
	var first dashboard.VariableOption
	for i, f := range query.RunFeatures {
		about, _, _ := strings.Cut(f.About, ";")
		list = append(list, strings.ReplaceAll(about, ",", "")+" : "+f.Name)
		if i == 0 {
			first = dashboard.VariableOption{Text: dashboard.StringOrArrayOfString{String: &about},
				Value: dashboard.StringOrArrayOfString{String: &f.Name}}
		}
	}
	return dashboard.VariableModel{Type: dashboard.VariableTypeCustom, Name: "figure", Label: new("Figure"), Multi: new(false),
		IncludeAll: new(false), Query: &dashboard.StringOrMap{String: new(strings.Join(list, ", "))}, Current: &first,
		Description: new("of each run, for the panel with its distribution")}
}

// filterVariable offers conditions that the reader adds, and those that a click on a value adds.
func filterVariable() dashboard.VariableModel {
	return dashboard.VariableModel{Type: dashboard.VariableTypeAdhoc, Name: "filters", Label: new("Filters"), Datasource: source(),
		Description: new("agent, family, level, state or tenant")}
}
