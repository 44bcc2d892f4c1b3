package schema

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var updateEvents = flag.Bool("update", false, "write EVENTS.md anew")

// documentedWords are the words of closed sets, by the name of their type.
var documentedWords = map[string][]string{"Level": LevelWords, "FindingState": findingStateWords, "Trust": TrustWords,
	"Acquaintance": AcquaintanceWords[1:],
	"Action":       ActionWords, "Mode": ModeWords, "BreakerState": BreakerStateWords,
	"ScopeKind": ScopeKindWords, "VerdictLabel": VerdictWords,
	"GateState": GateStateWords, "Standing": StandingWords}

// TestRecordOfTheEventsTopicIsNotDocumented compares EVENTS.md with the types that a record of flyball.events is made of: every
// member that its JSON can have is documented, and no other. -update writes the document anew.
func TestRecordOfTheEventsTopicIsNotDocumented(t *testing.T) {
	structs, comments := parseStructs(t)
	var b strings.Builder
	b.WriteString(eventsHead)
	seen := []string{}
	queue := []reflect.Type{reflect.TypeFor[Event]()}
	words := map[string]bool{}
	for len(queue) > 0 {
		typ := queue[0]
		queue = queue[1:]
		if slices.Contains(seen, typ.Name()) {
			continue
		}
		seen = append(seen, typ.Name())
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| member | JSON | meaning |\n|---|---|---|\n", typ.Name(), comments[typ.Name()])
		for i := range typ.NumField() {
			f := typ.Field(i)
			if f.Anonymous { // its members are those of the type
				queue = append(queue, f.Type)
				fmt.Fprintf(&b, "| (members of %s) | | see below |\n", f.Type.Name())
				continue
			}
			name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
			if name == "-" || !f.IsExported() {
				continue
			}
			if name == "" {
				t.Errorf("%s.%s has no name in JSON", typ.Name(), f.Name)
			}
			optional := ""
			if strings.Contains(options, "omit") {
				optional = ", may be absent"
			}
			form, more := jsonForm(f.Type, words)
			if more != nil {
				queue = append(queue, more)
			}
			fmt.Fprintf(&b, "| `%s` | %s%s | %s |\n", name, form, optional, strings.ReplaceAll(structs[typ.Name()+"."+f.Name], "|", "\\|"))
		}
	}
	b.WriteString("\n## Words\n\n| set | words |\n|---|---|\n")
	var names []string
	for name := range words {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		list, known := documentedWords[name]
		if !known {
			t.Errorf("the words of %s are not documented", name)
		}
		fmt.Fprintf(&b, "| %s | `%s` |\n", name, strings.Join(list, "` `"))
	}
	if *updateEvents {
		if err := os.WriteFile("EVENTS.md", []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile("EVENTS.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != b.String() {
		t.Errorf("EVENTS.md differs from the types: go test ./schema -run EventsTopic -update, and read what has changed")
	}
}

const eventsHead = `# Records of flyball.events

Written by ` + "`schema/events_doc_test.go`" + ` from the types; the test fails when they differ.

A record is ` + "`{\"v\": 1, \"body\": EVENT}`" + `. ` + "`v`" + ` is the version of the format: it rises when a reader of the version before would understand a record
wrongly, and each record has the oldest version that can express it. 2: an acknowledgement that was taken back. New members and new kinds may come without a new version: ignore what you do not know. Records are written at least once; two with
the same ` + "`id`" + ` are the same event. All changes of a finding, and of the breakers that it opened, are in one partition, in order. Times that end in
` + "`_ns`" + ` are nanoseconds since 1970 in UTC. The topic keeps 7 days (` + "`kafka.retention.events`" + `), and needs the rights of Flyball's own topics to
read (with the embedded broker: user flyball, password in ` + "`DATA/broker.password`" + `). A SIEM that reads OCSF gets findings from ` + "`siem.topic`" + ` instead.
Texts can hold what an agent chose (its name, paths): escape them where you show them.
`

// jsonForm describes how a type stands in JSON; more is a type that is described further.
func jsonForm(t reflect.Type, words map[string]bool) (form string, more reflect.Type) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[RunID]():
		return "text (id of a run)", nil
	case reflect.TypeFor[OptionalFloat]():
		return "number", nil
	case reflect.TypeFor[EventKind]():
		return "text", nil
	}
	text := t.Implements(reflect.TypeFor[interface{ MarshalText() ([]byte, error) }]())
	switch t.Kind() {
	case reflect.Struct:
		if text {
			return "text", nil
		}
		return "object " + t.Name(), t
	case reflect.Slice:
		form, more := jsonForm(t.Elem(), words)
		return "array of " + form, more
	case reflect.Map:
		return "object", nil
	case reflect.String:
		return "text", nil
	case reflect.Bool:
		return "true or false", nil
	}
	if text {
		words[t.Name()] = true
		return "word of " + t.Name(), nil
	}
	return "number", nil
}

// parseStructs returns the comments of fields ("Type.Field") and of types in this package.
func parseStructs(t *testing.T) (fields, types map[string]string) {
	t.Helper()
	fields, types = map[string]string{}, map[string]string{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	line := func(groups ...*ast.CommentGroup) string {
		var out []string
		for _, g := range groups {
			if text := strings.Join(strings.Fields(g.Text()), " "); text != "" {
				out = append(out, text)
			}
		}
		return strings.Join(out, " ")
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			d, ok := n.(*ast.GenDecl)
			if !ok || d.Tok != token.TYPE {
				return true
			}
			for _, s := range d.Specs {
				ts := s.(*ast.TypeSpec)
				st, ok := ts.Type.(*ast.StructType)
				if !ok {
					continue
				}
				types[ts.Name.Name] = line(d.Doc, ts.Doc)
				for _, field := range st.Fields.List {
					for _, id := range field.Names {
						fields[ts.Name.Name+"."+id.Name] = line(field.Doc, field.Comment)
					}
				}
			}
			return true
		})
	}
	return fields, types
}
