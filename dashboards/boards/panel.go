package boards

import (
	"cmp"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/logs"
	"github.com/grafana/grafana-foundation-sdk/go/nodegraph"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"

	"flyball/dashboards/plugin"
)

// panel is a panel before it has a number and a place.
type panel struct {
	title string
	about string // what it shows and how it is read
	empty string // what it says without data
	w, h  uint32 // in the grid of 24 columns
	asks  []Query

	kind      string
	unit      string
	options   any
	custom    any
	mappings  []dashboard.ValueMapping
	colour    *dashboard.FieldColor
	threshold *dashboard.ThresholdsConfig
	decimals  *float64
	overrides []dashboard.DashboardFieldConfigSourceOverrides
	links     []link
	only      map[string]string // rows of which a field has the value of a variable: field: variable
	columns   []column          // of a table
	frame     int               // of a table: which frame of the answer
}

// model returns the panel for Grafana, with its number and place.
func (p *panel) model(id int, x, y uint32) *dashboard.Panel {
	targets := []variants.Dataquery{}
	for i, q := range p.asks {
		q.RefID, q.Datasource = string(rune('A'+i)), source()
		targets = append(targets, q)
	}
	links := []dashboard.DashboardLink{}
	for _, l := range p.links {
		links = append(links, dashboard.DashboardLink{Title: l.title, Type: dashboard.DashboardLinkTypeLink, Url: new(l.url()), Tags: []string{}})
	}
	overrides := append([]dashboard.DashboardFieldConfigSourceOverrides{}, p.overrides...)
	for i := range p.columns {
		c := &p.columns[i]
		if c.shown != "" { // a table keeps values by the names that it shows: with the same one it would draw this field in its place
			overrides = append(overrides, byName(c.name, property("displayName", c.name+" as it is")))
		}
		overrides = append(overrides, c.override())
	}
	return &dashboard.Panel{Id: new(uint32(id)), Type: p.kind, Title: &p.title, Description: &p.about, Datasource: source(),
		GridPos: &dashboard.GridPos{X: x, Y: y, W: p.w, H: p.h}, Targets: targets, Links: links, Transformations: p.transformations(),
		Options: p.options, FieldConfig: &dashboard.FieldConfigSource{Overrides: overrides, Defaults: dashboard.FieldConfig{
			Unit: &p.unit, NoValue: new(p.noValue()), Color: p.colour, Thresholds: p.threshold, Custom: p.custom, Decimals: p.decimals,
			Mappings: p.mappings}}}
}

// noValue returns what the panel says without rows. Grafana says so also beside the red triangle of a query without an answer.
func (p *panel) noValue() string {
	if p.kind == "stat" {
		return p.empty
	}
	return p.empty + " With a red triangle above: not known."
}

// transformations returns the transformations that keep the rows of the selected run or agent, and that
// bring the columns into their order.
func (p *panel) transformations() []dashboard.DataTransformerConfig {
	out := []dashboard.DataTransformerConfig{}
	for _, field := range sorted(p.only) {
		out = append(out, dashboard.DataTransformerConfig{Id: "filterByValue", Options: map[string]any{"type": "include", "match": "all",
			"filters": []map[string]any{{"fieldName": field, "config": map[string]any{"id": "equal",
				"options": map[string]string{"value": "${" + p.only[field] + "}"}}}}}})
	}
	if len(p.columns) > 0 {
		order := map[string]int{}
		for i := range p.columns {
			order[p.columns[i].field()] = i
		}
		out = append(out, dashboard.DataTransformerConfig{Id: "organize", Options: map[string]any{"indexByName": order,
			"excludeByName": map[string]bool{}, "renameByName": map[string]string{}}})
	}
	return out
}

// pixels is the room for the columns of a table on a screen of 1280 pixels: Grafana's margins of
// the page (32) and between panels (8), the padding of the panel (16) and its scroll bar (12).
func pixels(w uint32) int { return int(w)*(1280-32+8)/columns - 8 - 16 - 12 }

// tableOptions are a table's options with one that the SDK does not have. Where the table handles the keys itself, the Tab key goes from
// cell to cell and past the links and buttons in them, so that nobody without a mouse can press one.
type tableOptions struct {
	table.Options
	DisableKeyboardEvents bool `json:"disableKeyboardEvents"`
}

// tableOf makes a table. Its text is never read as a number; numbers have their unit by column.
func tableOf(p panel, columns ...column) panel {
	p.kind, p.unit, p.columns = "table", "string", columns
	for i := range p.columns {
		c := &p.columns[i]
		if c.look == plain && (c.wraps || c.wide || c.name == "run") && p.asks[0].Type != "sql" {
			c.shown = plugin.ShownField(c.name)
		}
	}
	if p.frame > 0 { // with several frames Grafana puts the name of the frame before that of the column
		for i := range p.columns {
			p.columns[i].title = cmp.Or(p.columns[i].title, p.columns[i].name)
		}
	}
	small := common.TableCellHeightSm
	p.options = tableOptions{table.Options{ShowHeader: true, CellHeight: &small, FrameIndex: float64(p.frame)}, true}
	p.custom = map[string]any{"align": common.FieldTextAlignmentAuto, "inspect": false, "hidden": true, "hideFrom": hideFrom(true)}
	p.colour = &dashboard.FieldColor{Mode: dashboard.FieldColorModeIdFixed, FixedColor: new("text")}
	return p
}

// statOf makes a row of numbers, one for each query. names are shown beside them, in the order
// of the queries.
func statOf(p panel, levels *dashboard.ThresholdsConfig, names ...string) panel {
	p.kind, p.threshold = "stat", levels
	for i := range levels.Steps {
		levels.Steps[i].Color = numberColour(levels.Steps[i].Color)
	}
	p.empty = "Not known." // a count without anything to count is 0
	p.mappings = []dashboard.ValueMapping{{SpecialValueMap: &dashboard.SpecialValueMap{Type: dashboard.MappingTypeSpecialValue,
		Options: dashboard.DashboardSpecialValueMapOptions{Match: dashboard.SpecialValueMatchNullAndNan,
			Result: dashboard.ValueMappingResult{Text: &p.empty, Color: new(greyNumber)}}}}}
	p.colour = &dashboard.FieldColor{Mode: dashboard.FieldColorModeIdThresholds}
	options := stat.Options{GraphMode: common.BigValueGraphModeNone, ColorMode: common.BigValueColorModeValue,
		JustifyMode: common.BigValueJustifyModeAuto, TextMode: common.BigValueTextModeValueAndName, Orientation: common.VizOrientationVertical,
		PercentChangeColorMode: common.PercentChangeColorModeStandard, ReduceOptions: common.ReduceDataOptions{Calcs: []string{"lastNotNull"}}}
	if p.unit == "s" { // by itself Grafana writes the unit too small to be read in orange
		options.Text = &common.VizTextDisplayOptions{ValueSize: new(44.0)}
	}
	p.options = options
	for i, name := range names {
		p.overrides = append(p.overrides, dashboard.DashboardFieldConfigSourceOverrides{
			Matcher:    dashboard.MatcherConfig{Id: "byFrameRefID", Options: string(rune('A' + i))},
			Properties: []dashboard.DynamicConfigValue{property("displayName", name)}})
	}
	return p
}

// The values of labels that a chart of calls shows, with their colours.
var (
	outcomes        = []string{"ok", "denied", "failed", "unknown"}
	callers         = []string{"agents", "people", "others"}
	reversibilities = []string{"irreversible", "compensable", "reversible", "read_only", "unknown"}
)

// barsOf makes a chart of counts in intervals as stacked bars: an interval without data is a
// gap, not a line.
func barsOf(p panel, series []string) panel {
	p.kind, p.unit = "timeseries", "short"
	p.options = chartOptions()
	p.custom = chart(common.GraphDrawStyleBars, 80, &common.StackingConfig{Mode: new(common.StackingModeNormal), Group: new("A")})
	p.colour = &dashboard.FieldColor{Mode: dashboard.FieldColorModeIdFixed, FixedColor: new(grey)}
	p.overrides = append(p.overrides, coloursOf(series)...)
	return p
}

// lineOf makes a chart of a value over time with its thresholds as lines.
func lineOf(p panel, below string, steps ...step) panel {
	p.kind, p.threshold = "timeseries", thresholds(below, steps...)
	options := chartOptions()
	options.Legend.Calcs = []string{"max"}
	p.options = options
	p.overrides = append(p.overrides, dashboard.DashboardFieldConfigSourceOverrides{
		Matcher:    dashboard.MatcherConfig{Id: "byFrameRefID", Options: "A"},
		Properties: []dashboard.DynamicConfigValue{property("displayName", strings.ToLower(p.title))}})
	custom := chart(common.GraphDrawStyleLine, 0, nil)
	custom.ThresholdsStyle = &common.GraphThresholdsStyleConfig{Mode: common.GraphThresholdsStyleModeDashed}
	p.custom = custom
	p.colour = &dashboard.FieldColor{Mode: dashboard.FieldColorModeIdFixed, FixedColor: new(blue)}
	return p
}

func chart(style common.GraphDrawStyle, fill float64, stacking *common.StackingConfig) timeseries.FieldConfig {
	points := common.VisibilityModeAuto
	return timeseries.FieldConfig{DrawStyle: &style, FillOpacity: &fill, LineWidth: new(1.0), PointSize: new(5.0), ShowPoints: &points,
		Stacking: stacking, SpanNulls: &common.BoolOrFloat64{Bool: new(false)}, AxisSoftMin: new(0.0)}
}

func chartOptions() timeseries.Options {
	return timeseries.Options{Legend: common.VizLegendOptions{DisplayMode: common.LegendDisplayModeList, ShowLegend: true,
		Placement: common.LegendPlacementBottom, Calcs: []string{"sum"}},
		Tooltip: common.VizTooltipOptions{Mode: common.TooltipDisplayModeMulti, Sort: common.SortOrderDescending}}
}

// coloursOf returns the colours of series whose names contain a word.
func coloursOf(series []string) []dashboard.DashboardFieldConfigSourceOverrides {
	out := []dashboard.DashboardFieldConfigSourceOverrides{}
	for _, word := range series {
		properties := []dashboard.DynamicConfigValue{property("color", map[string]string{"mode": "fixed", "fixedColor": wordColours[word]})}
		if read := strings.ReplaceAll(word, "_", " "); read != word {
			properties = append(properties, property("displayName", read))
		}
		out = append(out, dashboard.DashboardFieldConfigSourceOverrides{
			Matcher: dashboard.MatcherConfig{Id: "byRegexp", Options: `/(^|\W)` + word + `(\W|$)/`}, Properties: properties})
	}
	return out
}

// logsOf makes a panel of log lines, the latest first.
func logsOf(p panel) panel {
	p.kind, p.unit = "logs", "string"
	p.options = logs.Options{ShowTime: true, WrapLogMessage: true, EnableLogDetails: true, SortOrder: common.LogsSortOrderAscending,
		DedupStrategy: common.LogsDedupStrategyNone}
	return p
}

// graphOf makes a node graph.
func graphOf(p panel) panel {
	p.kind, p.unit, p.options = "nodeGraph", "short", nodegraph.Options{}
	return p
}

// traceOf makes a trace view; the SDK has no type for its options.
func traceOf(p panel) panel {
	p.kind, p.unit, p.options = "traces", "ms", map[string]any{}
	return p
}
