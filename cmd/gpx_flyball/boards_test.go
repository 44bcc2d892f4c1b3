package main

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/dashboards/boards"
	"flyball/dashboards/plugin"
)

// dashboard is a dashboard as Grafana reads it, as far as these tests look at it.
type dashboard struct {
	UID        string
	Templating struct {
		List []struct {
			Name, Type, AllValue string
			IncludeAll           bool
			Query                json.RawMessage
		}
	}
	Annotations struct {
		List []struct {
			Name   string
			Target json.RawMessage
		}
	}
	Panels []panel
}

// panel is a panel of a dashboard.
type panel struct {
	Title, Type     string
	Targets         []json.RawMessage
	Transformations []struct {
		ID      string
		Options struct {
			IndexByName map[string]int
			Filters     []struct {
				FieldName string
				Config    struct{ Options struct{ Value string } }
			}
		}
	}
	Options     struct{ FrameIndex int }
	FieldConfig struct {
		Defaults  struct{ Unit string }
		Overrides []override
	}
}

// override is what a panel says about some fields.
type override struct {
	Matcher    struct{ ID, Options string }
	Properties []struct {
		ID    string
		Value any
	}
}

// property returns a property as text; empty: the override does not have it.
func (o *override) property(id string) string {
	for _, p := range o.Properties {
		if p.ID == id {
			text, _ := json.Marshal(p.Value)
			return strings.Trim(string(text), `"`)
		}
	}
	return ""
}

// dashboards returns the dashboards as they are committed.
func dashboards(t *testing.T) []dashboard {
	t.Helper()
	var out []dashboard
	for _, b := range boards.All() {
		raw, err := b.JSON()
		if err != nil {
			t.Fatal(err)
		}
		var d dashboard
		if err := json.Unmarshal(raw, &d); err != nil {
			t.Fatal(err)
		}
		out = append(out, d)
	}
	return out
}

// viewer asks a store as Grafana asks for a dashboard.
type viewer struct {
	*store
	source   *plugin.Datasource
	from, to time.Time
	seen     map[string]backend.DataResponse // answers by query
}

// viewer makes a data source. An empty controlURL: without a control API.
func (s *store) viewer(controlURL string) *viewer {
	s.t.Helper()
	return s.viewerOf(map[string]string{"addr": s.addr, "database": s.conn.Database(), "controlUrl": controlURL})
}

func (s *store) viewerOf(settings map[string]string) *viewer {
	s.t.Helper()
	text, _ := json.Marshal(settings)
	instance, err := plugin.New(s.t.Context(), backend.DataSourceInstanceSettings{JSONData: text,
		DecryptedSecureJSONData: map[string]string{"controlToken": tokenWall}})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(instance.(*plugin.Datasource).Dispose)
	return &viewer{s, instance.(*plugin.Datasource), s.at.Add(-time.Hour), s.at.Add(2 * time.Hour), map[string]backend.DataResponse{}}
}

var reference = regexp.MustCompile(`\$\{(\w+)\}`)

// put puts the values of variables into a text, which is JSON. A value with a reference in it is not read again.
func put(text string, values map[string]string) string {
	return reference.ReplaceAllStringFunc(text, func(whole string) string {
		v, known := values[whole[2:len(whole)-1]]
		if !known {
			return whole
		}
		quoted, _ := json.Marshal(v)
		return string(quoted[1 : len(quoted)-1])
	})
}

func (v *viewer) see(target json.RawMessage, values map[string]string) backend.DataResponse {
	v.t.Helper()
	text := put(string(target), values)
	if r, known := v.seen[text]; known {
		return r
	}
	resp, err := v.source.QueryData(v.t.Context(), &backend.QueryDataRequest{Queries: []backend.DataQuery{{RefID: "A",
		JSON: []byte(text), Interval: time.Minute,
		TimeRange: backend.TimeRange{From: v.from, To: v.to}}}})
	if err != nil {
		v.t.Fatal(err)
	}
	v.seen[text] = resp.Responses["A"]
	return v.seen[text]
}

// most is how many values of a variable are tried.
const most = 3

// selections returns combinations of values of a dashboard's variables, as its lists offer them.
func (v *viewer) selections(d *dashboard) []map[string]string {
	v.t.Helper()
	all := []map[string]string{{"ds": "u"}}
	for _, x := range d.Templating.List {
		var next []map[string]string
		for _, known := range all {
			for _, value := range v.choices(d, x.Type, x.Query, known, x.IncludeAll, x.AllValue) {
				one := map[string]string{x.Name: value}
				for name, other := range known {
					one[name] = other
				}
				next = append(next, one)
			}
		}
		if x.Type != "datasource" && x.Type != "adhoc" {
			all = next
		}
	}
	return all
}

func (v *viewer) choices(d *dashboard, kind string, query json.RawMessage, known map[string]string, all bool, allValue string) []string {
	v.t.Helper()
	if kind == "constant" || kind == "custom" {
		var text string
		if err := json.Unmarshal(query, &text); err != nil {
			v.t.Fatal(err)
		}
		if kind == "constant" {
			return []string{text}
		}
		first, _, _ := strings.Cut(text, ",") // "text : value, text : value"
		_, value, _ := strings.Cut(first, " : ")
		return []string{value}
	}
	if kind != "query" {
		return nil
	}
	r := v.see(query, known)
	if r.Error != nil {
		v.t.Fatalf("%s: %s: %v", d.UID, query, r.Error)
	}
	out := column(r.Frames[0], "value")
	out = out[:min(len(out), most)]
	if all {
		out = append([]string{put(allValue, known)}, out...)
	}
	if len(out) == 0 {
		out = []string{""} // what Grafana sends for a list without values
	}
	return out
}

// absent are the panels that show nothing in the story, with why.
var absent = map[string]string{"flyball-pipeline Stale points": "the only point of the deployment follows the log"}

// A panel that asks what the data does not have, or that draws columns that the answer does not have, is seen by the reader alone. Here
// every query of every dashboard is asked about a story in which there is something to see.
func TestPanelHasNothingToShow(t *testing.T) {
	s := newStore(t)
	s.tell()
	f := deploy(t)
	if code, text := f.Operate(t, "POST", "/v1/bypass", fields{"for_seconds": 3600, "reason": "a migration"}, tokenRoot); code != 200 {
		t.Fatal(text)
	}
	v := s.viewer(f.url)
	for _, d := range dashboards(t) {
		selections := v.selections(&d)
		for i := range d.Panels {
			p := &d.Panels[i]
			for j, target := range p.Targets {
				where := fmt.Sprintf("%s: %q, query %d", d.UID, p.Title, j+1)
				rows := 0
				for _, values := range selections {
					r := v.see(target, values)
					if r.Error != nil {
						t.Errorf("%s with %v: %v", where, values, r.Error)
						continue
					}
					n := p.rows(r.Frames, values)
					if n > 0 && rows == 0 {
						p.check(t, where, r.Frames)
					}
					rows += n
				}
				if rows == 0 && absent[d.UID+" "+p.Title] == "" {
					t.Errorf("%s: no row with any of %v", where, selections)
				}
			}
		}
		for _, a := range d.Annotations.List {
			if r := v.see(a.Target, selections[0]); r.Error != nil || r.Frames[0].Rows() == 0 {
				t.Errorf("%s: annotations %q: no mark (%v)", d.UID, a.Name, r.Error)
			}
		}
	}
	v.keep(t, "story", func(d *dashboard) map[string]string { return v.fullest(d) })
}

// fullest returns the selection with which the most panels of a dashboard have rows.
func (v *viewer) fullest(d *dashboard) (best map[string]string) {
	most := -1
	for _, values := range v.selections(d) {
		full := 0
		for i := range d.Panels {
			for _, target := range d.Panels[i].Targets {
				if d.Panels[i].rows(v.see(target, values).Frames, values) > 0 {
					full++
				}
			}
		}
		if full > most {
			best, most = values, full
		}
	}
	return best
}

// A panel without data has a sentence, and so it has if the database is away: the error beside it says that nothing is known.
func TestPanelHidesThatTheDatabaseIsAway(t *testing.T) {
	s := &store{t: t, at: time.Now().Add(-time.Hour)}
	v := s.viewerOf(map[string]string{"addr": "127.0.0.1:1", "controlUrl": "http://127.0.0.1:1"})
	old := map[string]string{"ds": "u", "every": "", "owner": "", "agent": "team/bad", "run": "01000000000000000000000000000000",
		"resource": "order:7", "figure": "calls"}
	for _, d := range dashboards(t) {
		for i := range d.Panels {
			for _, target := range d.Panels[i].Targets {
				r := v.see(target, old)
				if r.Error == nil || !strings.Contains(r.Error.Error(), "Flyball's database gave no answer") &&
					!strings.Contains(r.Error.Error(), "the control API does not answer") {
					t.Errorf("%s: %q: %v", d.UID, d.Panels[i].Title, r.Error)
				}
			}
		}
	}
	v.keep(t, "away", func(*dashboard) map[string]string { return old })
}

// drawn returns the frames that a panel draws.
func (p *panel) drawn(frames data.Frames) data.Frames {
	if p.Type != "table" {
		return frames
	}
	if p.Options.FrameIndex >= len(frames) {
		return nil
	}
	return frames[p.Options.FrameIndex : p.Options.FrameIndex+1]
}

// rows returns how many rows a panel shows; of a stat how many numbers other than 0.
func (p *panel) rows(frames data.Frames, values map[string]string) (n int) {
	for _, f := range p.drawn(frames) {
		for i := range f.Rows() {
			if p.shows(f, i, values) {
				n++
			}
		}
	}
	return n
}

func (p *panel) shows(f *data.Frame, row int, values map[string]string) bool {
	for _, x := range p.Transformations {
		for _, filter := range x.Options.Filters {
			var want string
			if json.Unmarshal([]byte(`"`+put(filter.Config.Options.Value, values)+`"`), &want) != nil {
				return false
			}
			if got := column(f, filter.FieldName); row >= len(got) || got[row] != want {
				return false
			}
		}
	}
	if p.Type != "stat" {
		return true
	}
	return slices.ContainsFunc(f.Fields, func(x *data.Field) bool {
		number, _ := x.At(row).(*float64)
		return number != nil && *number != 0
	})
}

var fieldOfRow = regexp.MustCompile(`\$\{__data\.fields\.([^}:]+?)(?::\w+)?\}`)

// check fails for what the panel says about fields and the answer does not have.
func (p *panel) check(t *testing.T, where string, frames data.Frames) {
	t.Helper()
	fields := map[string]*data.Field{}
	for _, f := range p.drawn(frames) {
		for _, x := range f.Fields {
			fields[x.Name] = x
		}
	}
	for _, x := range p.Transformations {
		for name := range x.Options.IndexByName {
			if fields[name] == nil {
				t.Errorf("%s: it orders the column %q, which the answer does not have", where, name)
			}
		}
	}
	for _, o := range p.FieldConfig.Overrides {
		switch name := o.Matcher.Options; o.Matcher.ID {
		case "byName":
			if fields[name] == nil {
				t.Errorf("%s: it draws the column %q, which the answer does not have", where, name)
				continue
			}
			p.checkUnit(t, where, fields[name], &o)
		case "byRegexp":
			word := regexp.MustCompile(strings.Trim(name, "/"))
			if !slices.ContainsFunc(sortedNames(fields), word.MatchString) {
				t.Errorf("%s: it colours %s, and no series has such a name", where, name)
			}
		}
		for _, m := range fieldOfRow.FindAllStringSubmatch(o.property("links")+o.property("actions"), -1) {
			if fields[m[1]] == nil {
				t.Errorf("%s: a link or an action reads the column %q, which the answer does not have", where, m[1])
			}
		}
		checkActions(t, where, &o)
	}
	if p.Type == "stat" || p.Type == "timeseries" {
		if p.FieldConfig.Defaults.Unit == "" || p.FieldConfig.Defaults.Unit == "string" {
			t.Errorf("%s: it draws numbers and has no unit", where)
		}
	}
}

func sortedNames(fields map[string]*data.Field) (out []string) {
	for name := range fields {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

// checkUnit fails for a column whose unit does not fit its values: a number that is drawn as a text, and the reverse.
func (p *panel) checkUnit(t *testing.T, where string, f *data.Field, o *override) {
	t.Helper()
	if p.Type != "table" || strings.Contains(o.property("custom.cellOptions"), "actions") {
		return
	}
	unit := o.property("unit")
	if unit == "" && f.Config != nil {
		unit = f.Config.Unit
	}
	if unit == "" {
		unit = p.FieldConfig.Defaults.Unit
	}
	isText := unit == "" || unit == "string"
	switch kind := f.Type(); {
	case kind.Numeric() && (isText || strings.HasPrefix(unit, "time:")),
		kind.Time() && !strings.HasPrefix(unit, "time:"),
		!kind.Numeric() && !kind.Time() && !isText:
		t.Errorf("%s: the column %q is a %s, and its unit is %q", where, f.Name, kind, unit)
	}
}

// checkActions fails for an action that the data source does not know.
func checkActions(t *testing.T, where string, o *override) {
	t.Helper()
	var actions []struct{ Fetch struct{ URL string } }
	if text := o.property("actions"); text != "" {
		if err := json.Unmarshal([]byte(text), &actions); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range actions {
		_, path, _ := strings.Cut(a.Fetch.URL, "/resources/")
		if all()[path] == nil {
			t.Errorf("%s: the data source has no action %q", where, a.Fetch.URL)
		}
	}
}

// Whatever a dashboard asks of an empty database, also with a selection that an old link kept, is answered without an error, and the
// panel can show its own sentence: Grafana draws a table's header instead of it if the answer has fields.
func TestEmptyDatabaseBreaksADashboard(t *testing.T) {
	v := newStore(t).viewer("")
	old := map[string]string{"ds": "u", "every": "", "owner": "", "agent": "team/gone", "run": "01000000000000000000000000000000",
		"resource": "order:7", "figure": "calls"}
	for _, d := range dashboards(t) {
		for _, values := range append(v.selections(&d), old) {
			for i := range d.Panels {
				for _, target := range d.Panels[i].Targets {
					where := fmt.Sprintf("%s: %q with %v", d.UID, d.Panels[i].Title, values)
					r := v.see(target, values)
					if r.Error != nil {
						t.Errorf("%s: %v", where, r.Error)
						continue
					}
					d.Panels[i].checkEmpty(t, where, r.Frames)
				}
			}
			for _, a := range d.Annotations.List {
				if r := v.see(a.Target, values); r.Error != nil || r.Frames[0].Rows() != 0 {
					t.Errorf("%s: annotations %q: %v", d.UID, a.Name, r.Error)
				}
			}
		}
	}
	v.keep(t, "empty", func(d *dashboard) map[string]string { return v.selections(d)[0] })
}

// checkEmpty fails for an answer about nothing that shows something. The health of parts that have stored nothing is something.
func (p *panel) checkEmpty(t *testing.T, where string, frames data.Frames) {
	t.Helper()
	for i, f := range frames {
		if f.Name == "health" {
			continue
		}
		noticed := f.Meta != nil && len(f.Meta.Notices) > 0
		switch {
		case p.Type == "stat":
			if p.rows(data.Frames{f}, nil) > 0 {
				t.Errorf("%s: frame %d is not 0", where, i)
			}
		case f.Rows() > 0:
			t.Errorf("%s: frame %d has %d rows", where, i, f.Rows())
		case p.Type == "table" && len(f.Fields) > 0, len(f.Fields) > 0 && !noticed:
			t.Errorf("%s: frame %d has fields without rows, and the reader sees no sentence", where, i)
		}
	}
}
