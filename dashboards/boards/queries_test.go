package boards

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestQueryAsksWhatTheBackEndDoesNotAnswer(t *testing.T) {
	always := []string{"refId", "queryType", "agent", "minLevel", "limit"}
	for _, b := range All() {
		for i := range b.panels {
			if len(b.panels[i].asks) == 0 {
				t.Errorf("%s: %q asks nothing", b.UID, b.panels[i].title)
			}
		}
		for _, q := range b.Queries() {
			known, ok := members[q.Type]
			if !ok {
				t.Errorf("%s: queryType %q", b.UID, q.Type)
			}
			raw, _ := json.Marshal(q)
			var set map[string]any
			if err := json.Unmarshal(raw, &set); err != nil {
				t.Fatal(err)
			}
			delete(set, "datasource")
			for name, value := range set {
				if !slices.Contains(known, name) && !slices.Contains(always, name) {
					t.Errorf("%s: %s has no member %s", b.UID, q.Type, name)
				}
				closed := append(slices.Clone(words[name]), words[q.Type+"."+name]...)
				if text, is := value.(string); is && len(closed) > 0 && !slices.Contains(closed, text) {
					t.Errorf("%s: %s.%s: %q is none of %v", b.UID, q.Type, name, text, closed)
				}
			}
			if q.Limit < 0 || q.Limit > most {
				t.Errorf("%s: %s: limit %d", b.UID, q.Type, q.Limit)
			}
		}
	}
}

// A question about one run or resource that names none has no answer.
func TestPanelAsksOfNoRun(t *testing.T) {
	for _, b := range All() {
		for _, q := range b.Queries() {
			switch {
			case q.Type == "resource" && q.Resource == "", q.Type == "logs" && q.Run+q.Agent == "",
				slices.Contains([]string{"trace", "touched", "touched_graph", "score"}, q.Type) && q.Run == "":
				t.Errorf("%s: %s of nothing: %+v", b.UID, q.Type, q)
			}
		}
	}
}

// A statement is text that the database runs: a variable in it would be a place for an agent's
// name to become SQL.
func TestVariableReachesAStatement(t *testing.T) {
	variable := regexp.MustCompile(`\$\{|\$[a-zA-Z]|\$__[a-zA-Z]+`)
	macros := []string{"$__timeFilter", "$__agent"}
	for _, b := range All() {
		for _, q := range b.Queries() {
			for _, found := range variable.FindAllString(q.SQL, -1) {
				if !slices.Contains(macros, found) {
					t.Errorf("%s: %q in %s", b.UID, found, q.SQL)
				}
			}
			if q.Type == "sql" && !strings.Contains(q.SQL, "LIMIT ") {
				t.Errorf("%s: a statement without a limit: %s", b.UID, q.SQL)
			}
		}
	}
}

var variableName = regexp.MustCompile(`\$\{([a-z]\w*)(?::\w+)?\}`)

func TestVariableIsUsedThatTheDashboardDoesNotHave(t *testing.T) {
	for _, b := range All() {
		have := map[string]bool{}
		for _, v := range b.variables {
			if have[v.Name] || v.Description == nil || *v.Description == "" {
				t.Errorf("%s: variable %s: twice, or without a description", b.UID, v.Name)
			}
			have[v.Name] = true
		}
		if !have["ds"] {
			t.Errorf("%s: the reader cannot choose the data source", b.UID)
		}
		raw, err := b.JSON()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range variableName.FindAllStringSubmatch(string(raw), -1) {
			if !have[m[1]] {
				t.Errorf("%s has no variable %q", b.UID, m[1])
			}
		}
	}
}

// A dashboard with a fixed data source shows one Flyball where the reader chose another.
func TestDashboardNamesAFixedDataSource(t *testing.T) {
	uid := regexp.MustCompile(`"datasource": \{\s*"type": "([^"]*)",\s*"uid": "([^"]*)"`)
	for _, b := range All() {
		raw, err := b.JSON()
		if err != nil {
			t.Fatal(err)
		}
		n := strings.Count(string(raw), `"datasource": {`)
		found := uid.FindAllStringSubmatch(string(raw), -1)
		for _, m := range found {
			if m[2] != "${ds}" {
				t.Errorf("%s: %v", b.UID, m)
			}
		}
		if len(found) != n || n < len(b.panels) {
			t.Errorf("%s: %d of %d data sources are read", b.UID, len(found), n)
		}
	}
}

// A browser that chooses rows has only the first ones of the answer: of the others a person reads that there is nothing.
func TestBrowserChoosesRowsOfALimitedAnswer(t *testing.T) {
	for _, b := range All() {
		for i := range b.panels {
			p := &b.panels[i]
			for field, variable := range p.only {
				for _, q := range p.asks {
					if field != "agent" || q.Agent != "${"+variable+"}" {
						t.Errorf("%s: %q asks for more than the rows whose %s is chosen: %+v", b.UID, p.title, field, q)
					}
				}
			}
		}
	}
}
