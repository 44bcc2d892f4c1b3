package clickhouse

import (
	"fmt"
	"slices"
	"strings"
)

// withColumns adds steps for tables without some columns of their list, or with an Enum8
// without some values. Both change only metadata. They are executed before the other steps,
// because views read the columns. Any other difference of type is an error: it needs a
// separate step. Columns that only the live table has belong to a newer binary and are not
// changed.
func (l *liveSchema) withColumns(todo, all []Migration, t Target) ([]Migration, error) {
	var alter []Migration
	for _, tb := range Tables() {
		live := l.columns[tb.Name]
		n := slices.IndexFunc(all, func(s Migration) bool { return s.Name == tb.Name })
		if live == nil || n < 0 {
			continue // n < 0: it is dropped
		}
		r := rendering{Target: t}
		for i, s := range tb.Columns {
			var change, why string
			switch have, ok := live[s.Name]; {
			case !ok:
				change, why = "ADD COLUMN IF NOT EXISTS "+definition(s), "column missing"
				if i > 0 {
					change += " AFTER " + quote(tb.Columns[i-1].Name)
				}
			case have == s.Type:
				continue
			case widens(have, s.Type):
				change, why = "MODIFY COLUMN "+definition(s), "words missing"
			default:
				return nil, fmt.Errorf("table %s.%s: column %s is %s, this binary writes %s: "+
					"the change needs a step of its own in schema/clickhouse/sql",
					t.Database, tb.Name, s.Name, have, s.Type)
			}
			st := Migration{Number: all[n].Number, Name: tb.Name + "." + s.Name, Why: why}
			st.Statements = append(st.Statements, "ALTER TABLE "+r.Table(tb.Name)+" "+change)
			if t.Cluster != "" {
				st.Statements = append(st.Statements, "ALTER TABLE "+r.Name(tb.Name)+r.onCluster()+" "+withoutCodec(change, s))
			}
			alter = append(alter, st)
		}
		todo = l.withView(todo, all, tb, "SELECT * FROM "+r.Name(tb.Name)+" ")
	}
	return append(alter, todo...), nil
}

// withView adds the views of a table that must be created again after a change of the table,
// because a view keeps the columns and types from the time of its creation.
func (l *liveSchema) withView(todo, all []Migration, tb TableSpec, reads string) []Migration {
	for _, s := range all {
		live := l.columns[s.Name]
		known := slices.ContainsFunc(todo, func(t Migration) bool { return t.Name == s.Name })
		if !s.Replaces || known || live == nil || !strings.Contains(s.Statements[0], reads) {
			continue
		}
		if slices.ContainsFunc(tb.Columns, func(c ColumnSpec) bool { return live[c.Name] != c.Type }) {
			s.Why = "its table's columns change"
			todo = append(todo, s)
		}
	}
	return todo
}

func definition(s ColumnSpec) string {
	d := quote(s.Name) + " " + s.Type
	if s.Default != "" {
		d += " DEFAULT " + s.Default
	}
	if s.Codec != "" {
		d += " CODEC(" + s.Codec + ")"
	}
	return d
}

// withoutCodec returns the change for a Distributed table, which stores no data.
func withoutCodec(change string, s ColumnSpec) string {
	return strings.Replace(change, " CODEC("+s.Codec+")", "", 1)
}

// widens reports whether a change only adds values at the end of an enum.
func widens(have, want string) bool {
	h := strings.TrimRight(have, ")")
	return strings.Contains(h, "Enum8(") && strings.HasPrefix(want, h+", '")
}
