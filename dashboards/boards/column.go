package boards

import (
	"cmp"
	"maps"
	"slices"

	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// column is a column of a table. The width is in pixels; in the one column of a table that
// takes what room is left (wide), it is the least.
type column struct {
	name    string
	width   int
	look    look
	wide    bool
	wraps   bool // its text is shown whole, in several lines; wide ones do, too
	links   []link
	actions []dashboard.Action
	title   string // shown instead of the name
	colour  string // of bars
	shown   string // the field that is shown in its place; empty: itself
}

// field returns the name of the field of the answer that is shown.
func (c *column) field() string {
	return cmp.Or(c.shown, c.name)
}

// noValue stands in a cell without a value.
const noValue = "–"

// look says how the values of a column are drawn.
type look int

const (
	plain   look = iota // text as it is: never read as a number
	worded              // a word with its colour
	count               // a number
	danger              // a number that should be 0: one is red
	caution             // a number that is better 0: one is orange
	scored              // a score
	seconds             // a duration in seconds, as hours, minutes and seconds
	ratio               // a number with two decimals
	share               // between 0 and 1, as per cent
	bar                 // the same as a bar, of the colour of the column
	moment              // a time, to the second
	figure              // a number in the unit that the data source says
	buttons             // the actions of a row instead of its value
)

func property(id string, value any) dashboard.DynamicConfigValue {
	return dashboard.DynamicConfigValue{Id: id, Value: value}
}

func byName(field string, properties ...dashboard.DynamicConfigValue) dashboard.DashboardFieldConfigSourceOverrides {
	return dashboard.DashboardFieldConfigSourceOverrides{Matcher: dashboard.MatcherConfig{Id: "byName", Options: field},
		Properties: properties}
}

// override returns what Grafana needs to draw the column.
func (c *column) override() dashboard.DashboardFieldConfigSourceOverrides {
	out := c.look.properties()
	switch {
	case c.wide:
		out = append(out, property("custom.minWidth", c.width))
	default:
		out = append(out, property("custom.width", c.width))
	}
	out = append(out, visible(true)...)
	if c.wraps || c.wide && c.look == plain {
		out = append(out, wrapped()...)
	}
	if c.colour != "" {
		out = append(out, property("color", map[string]string{"mode": "fixed", "fixedColor": c.colour}))
	}
	if c.title != "" || c.shown != "" {
		out = append(out, property("displayName", cmp.Or(c.title, c.name)))
	}
	// The panel's sentence without data would stand in every cell without a value.
	out = append(out, property("noValue", noValue))
	if len(c.links) > 0 {
		links := []map[string]any{}
		for _, l := range c.links {
			links = append(links, l.model())
		}
		out = append(out, property("links", links))
	}
	if len(c.actions) > 0 {
		out = append(out, property("actions", c.actions))
	}
	return byName(c.field(), out...)
}

func (l look) properties() []dashboard.DynamicConfigValue {
	number := func(unit string, more ...dashboard.DynamicConfigValue) []dashboard.DynamicConfigValue {
		return append([]dashboard.DynamicConfigValue{property("unit", unit), property("custom.align", "right")}, more...)
	}
	coloured := func(below string, of ...step) []dashboard.DynamicConfigValue {
		steps := slices.Clone(of)
		for i := range steps {
			steps[i].colour = ground(steps[i].colour)
		}
		return []dashboard.DynamicConfigValue{property("thresholds", thresholds(below, steps...)), cell("color-background"),
			property("color", map[string]string{"mode": "thresholds"})}
	}
	switch l {
	case worded:
		return []dashboard.DynamicConfigValue{cell("color-background"), property("mappings", wordMapping()),
			property("color", map[string]string{"mode": "fixed", "fixedColor": "transparent"})}
	case count:
		return number("locale")
	case danger:
		return number("locale", coloured("transparent", step{1, vermilion})...)
	case caution:
		return number("locale", coloured("transparent", step{1, orange})...)
	case scored:
		return number("none", append(coloured("transparent", scoreSteps...), property("decimals", 1))...)
	case seconds:
		return number("dthms")
	case ratio:
		return number("none", property("decimals", 2))
	case share:
		return number("percentunit", property("decimals", 2))
	case bar:
		return number("percentunit", property("decimals", 0), property("min", 0), property("max", 1),
			property("custom.cellOptions", map[string]any{"type": "gauge", "mode": "basic", "valueDisplayMode": "text"}))
	case figure:
		return []dashboard.DynamicConfigValue{property("custom.align", "right")}
	case moment:
		return []dashboard.DynamicConfigValue{property("unit", "time:MM-DD HH:mm:ss")}
	case buttons:
		return []dashboard.DynamicConfigValue{cell("actions")}
	}
	return nil
}

// visible shows a column: by default a table hides the columns of the answer that it does not
// name, which links and actions read. Both names of the option are for Grafana before and
// after 12.2.
func visible(shown bool) []dashboard.DynamicConfigValue {
	return []dashboard.DynamicConfigValue{property("custom.hidden", !shown), property("custom.hideFrom", hideFrom(!shown))}
}

// wrapped shows a text in several lines, for Grafana before and after 12.2.
func wrapped() []dashboard.DynamicConfigValue {
	return []dashboard.DynamicConfigValue{property("custom.wrapText", true),
		property("custom.cellOptions", map[string]any{"type": "auto", "wrapText": true})}
}

func hideFrom(viz bool) map[string]bool {
	return map[string]bool{"viz": viz, "legend": false, "tooltip": false}
}

func cell(kind string) dashboard.DynamicConfigValue {
	options := map[string]any{"type": kind}
	if kind == "color-background" {
		options["mode"] = "basic"
	}
	return property("custom.cellOptions", options)
}

// link is a link of a cell or a panel to a dashboard. Every link keeps the data source, and the
// time range unless it has one of its own.
type link struct {
	title string
	board string            // uid
	vars  map[string]string // the name of a variable: the field of the row that becomes its value; empty: it keeps its value
	times bool              // the row has the time range, in its fields from and to
}

// url returns the address. Values are encoded: agents choose many of them.
func (l link) url() string {
	out := "/d/" + l.board + "?${ds:queryparam}&${__url_time_range}"
	if l.times {
		out = "/d/" + l.board + "?${ds:queryparam}&from=${__data.fields.from:percentencode}&to=${__data.fields.to:percentencode}"
	}
	for _, name := range sorted(l.vars) {
		if field := l.vars[name]; field != "" {
			out += "&var-" + name + "=${__data.fields." + field + ":percentencode}"
		} else {
			out += "&${" + name + ":queryparam}"
		}
	}
	return out
}

func (l link) model() map[string]any {
	return map[string]any{"title": l.title, "url": l.url(), "targetBlank": false}
}

func sorted(m map[string]string) []string { return slices.Sorted(maps.Keys(m)) }
