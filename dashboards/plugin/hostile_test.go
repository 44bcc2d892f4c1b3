package plugin

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// texts are what people and agents can put into a query or a name.
var texts = []string{"x' OR 1=1 --", "`; DROP TABLE calls", "${agent}", "$__all", "[[run]]",
	"{{.Value}}", "{agent:String}", "<script>alert(1)</script>",
	"\u202e\u2028\x00\x1b[2K", "\xff\xfe", "%s%d", "\\", "')) UNION ALL SELECT 1 --", "(a+)+$", "team/ä", strings.Repeat("A", 100_000)}

// FuzzTextOfAQueryBecomesAStatement puts a text into each member of each type: none is part of a statement, and none is an error of the
// plugin itself.
func FuzzTextOfAQueryBecomesAStatement(f *testing.F) {
	for i, text := range texts {
		for member := range uint8(16) {
			f.Add(uint8(i), member, text, "=~")
		}
	}
	const begin = "zq\u00a7" // of no statement
	f.Fuzz(func(t *testing.T, typ, member uint8, text, operator string) {
		q := Query{Type: Types[int(typ)%len(Types)], Limit: 7, Run: "task-7", Resource: "order:7", Agent: "a"}
		if q.Type == "sql" { // which is a statement
			return
		}
		text = begin + text
		q.Of = map[string]string{"count": "trips", "variable": "agents"}[q.Type]
		into := []*string{&q.Run, &q.Agent, &q.Tenant, &q.Resource, &q.Family, &q.Prefix, &q.Of, &q.By, &q.State, &q.Part, &q.Kinds, &q.MinLevel,
			&q.Sort, &q.Several}
		if int(member) < len(into) {
			*into[member] = text
		} else {
			key := filterKeys[int(member)%len(filterKeys)]
			q.Agent, q.Filters = "", []Filter{{Key: key, Operator: operator, Value: text, Values: []string{text, "a"}}}
		}
		db := &lastQuery{}
		_, err := answer(t.Context(), &question{Query: q, db: db, from: time.Unix(0, 0), to: time.Unix(3600, 0), step: time.Minute})
		if strings.Contains(db.sql, begin) {
			t.Errorf("%+v is part of %s", q, db.sql)
		}
		if err != nil && !errors.Is(err, errAsked) && failure(err).Status == backend.StatusInternal && !errors.Is(err, query.ErrNotFound) {
			t.Errorf("%+v: %v", q, err)
		}
		if path, err := channelOf(&Query{Type: "runs", Agent: text}); err == nil {
			if again, err := queryOf(path); err == nil && again.Agent != text {
				t.Errorf("the channel of %q is of %q", text, again.Agent)
			}
		}
		_, _ = queryOf(text)
		_, _ = queryOf("runs/" + text)
	})
}

func FuzzShownNameIsAnother(f *testing.F) {
	for _, text := range texts {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if name := unescaped(text); name != text && schema.Visible(name) != text {
			t.Errorf("%q is shown as %q, and was meant by %q", name, schema.Visible(name), text)
		}
	})
}
