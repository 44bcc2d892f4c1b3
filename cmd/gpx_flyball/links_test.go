package main

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// ofRow finds the variables of an address that have values of the row.
var ofRow = regexp.MustCompile(`var-(\w+)=\$\{__data`)

// click returns where the address of a link leads from a row: the dashboard, and the values of its variables. A variable of the address
// that is left out keeps no value.
func click(t *testing.T, address string, f *data.Frame, row int, values map[string]string) (uid string, chosen map[string]string) {
	t.Helper()
	text := fieldOfRow.ReplaceAllStringFunc(address, func(m string) string {
		got := column(f, fieldOfRow.FindStringSubmatch(m)[1])
		if row >= len(got) || strings.HasPrefix(got[row], "no field") {
			return m
		}
		return url.QueryEscape(got[row])
	})
	text = regexp.MustCompile(`\$\{(\w+):queryparam\}`).ReplaceAllStringFunc(text, func(m string) string {
		name := strings.TrimSuffix(m[2:], ":queryparam}")
		return "var-" + name + "=" + url.QueryEscape(values[name])
	})
	text = strings.ReplaceAll(text, "${__url_time_range}", "from=1&to=2")
	if strings.Contains(text, "$") {
		t.Errorf("%s: %s is not filled in", address, text)
	}
	u, err := url.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if u.Query().Get("from") == "" || u.Query().Get("to") == "" {
		t.Errorf("%s loses the time", text)
	}
	chosen = map[string]string{}
	for name, v := range u.Query() {
		if variable, is := strings.CutPrefix(name, "var-"); is {
			chosen[variable] = v[0]
		}
	}
	return strings.TrimPrefix(u.Path, "/d/"), chosen
}

// opened returns the values of a dashboard's variables after a link: those of the link, and for the others the first of their lists.
func (v *viewer) opened(d *dashboard, chosen map[string]string) map[string]string {
	v.t.Helper()
	values := map[string]string{"ds": "u"}
	for _, x := range d.Templating.List {
		if value, set := chosen[x.Name]; set && value != "" {
			values[x.Name] = value
		} else if list := v.choices(d, x.Type, x.Query, values, x.IncludeAll, x.AllValue); len(list) > 0 {
			values[x.Name] = list[0]
		}
	}
	return values
}

// linked is a link as it was clicked.
type linked struct {
	uid, title string
	values     map[string]string
	named      []string // variables that have a value of the row
}

// links returns where the links of a panel's first rows lead.
func (v *viewer) links(t *testing.T, d *dashboard, p *panel, values map[string]string) (out []linked) {
	t.Helper()
	var frames data.Frames
	for _, target := range p.Targets {
		frames = append(frames, p.drawn(v.see(target, values).Frames)...)
	}
	for _, o := range p.FieldConfig.Overrides {
		for _, property := range o.Properties {
			list, _ := property.Value.([]any)
			if property.ID != "links" {
				continue
			}
			for _, l := range list {
				link := l.(map[string]any)
				for _, f := range frames {
					clicked := 0
					for row := 0; row < f.Rows() && clicked < most; row++ {
						cell := column(f, o.Matcher.Options)
						if !p.shows(f, row, values) || cell[row] == "" || cell[row] == "-" {
							continue
						}
						clicked++
						uid, chosen := click(t, link["url"].(string), f, row, values)
						to := linked{uid: uid, title: fmt.Sprintf("%s: %q, %q in row %d", d.UID, p.Title, link["title"], row+1), values: chosen}
						for _, m := range ofRow.FindAllStringSubmatch(link["url"].(string), -1) {
							to.named = append(to.named, m[1])
						}
						// What a person holds, and a baseline, are of no run: the row has no place to lead to.
						if slices.ContainsFunc(to.named, func(name string) bool { return chosen[name] != "" }) {
							out = append(out, to)
						}
					}
				}
			}
		}
	}
	return out
}

// Every link of every dashboard is followed from rows of the story: the dashboard exists, the variables that the link sets have values,
// and what is asked there about them has rows.
func TestClickOpensADashboardThatShowsNothing(t *testing.T) {
	s := newStore(t)
	s.tell()
	v := s.viewer("")
	byUID := map[string]*dashboard{}
	all := dashboards(t)
	for i := range all {
		byUID[all[i].UID] = &all[i]
	}
	followed, ways := map[string]bool{}, map[string]bool{}
	for i := range all {
		d := &all[i]
		values := v.fullest(d)
		for j := range d.Panels {
			for _, l := range v.links(t, d, &d.Panels[j], values) {
				to := byUID[l.uid]
				if to == nil {
					t.Errorf("%s: no dashboard has the uid %q", l.title, l.uid)
					continue
				}
				ways[d.UID+" "+l.uid] = true
				key := l.uid + fmt.Sprint(l.values)
				if followed[key] {
					continue
				}
				followed[key] = true
				v.arrive(t, to, &l)
			}
		}
	}
	// From the run to what it touched, to who else touched it, and to the agent, and back from a finding.
	for _, way := range []string{"flyball-overview flyball-run", "flyball-overview flyball-agent", "flyball-run flyball-resource",
		"flyball-run flyball-agent", "flyball-resource flyball-run", "flyball-agent flyball-run", "flyball-gates flyball-run",
		"flyball-people flyball-agent", "flyball-quality flyball-run"} {
		if !ways[way] {
			t.Errorf("no link leads from %s", strings.Replace(way, " ", " to ", 1))
		}
	}
	t.Logf("%d selections are opened by %d ways between dashboards", len(followed), len(ways))
}

// arrive opens a dashboard by a link, and asks what its panels ask about the selection.
func (v *viewer) arrive(t *testing.T, d *dashboard, l *linked) {
	t.Helper()
	have := map[string]bool{}
	for _, x := range d.Templating.List {
		have[x.Name] = true
	}
	for name := range l.values {
		if !have[name] {
			t.Errorf("%s: %s has no variable %s", l.title, l.uid, name)
		}
	}
	values := v.opened(d, l.values)
	rows := 0
	for i := range d.Panels {
		p := &d.Panels[i]
		for _, target := range p.Targets {
			about := false
			for _, name := range l.named {
				about = about || strings.Contains(string(target), "${"+name+"}")
			}
			if !about {
				continue
			}
			r := v.see(target, values)
			if r.Error != nil {
				t.Errorf("%s: %s: %q: %v", l.title, l.uid, p.Title, r.Error)
				continue
			}
			rows += p.rows(r.Frames, values)
		}
	}
	if rows == 0 {
		t.Errorf("%s: %s with %v shows nothing about the selection", l.title, l.uid, l.values)
	}
}
