package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Mention is a table in whose rows the name of a principal still occurs.
type Mention struct {
	Where string `json:"where"`
	Table string `json:"table"`
	Rows  uint64 `json:"rows"` // stored ones, repeats included
	// Columns counts the rows by the column in which the name occurs.
	Columns map[string]uint64 `json:"columns"`
	// Examples are ids of such rows, at most maxExamples: of runs, findings, questions and so on, as ExampleOf says.
	Examples  []string `json:"examples"`
	ExampleOf string   `json:"example_of"`
	Why       string   `json:"why"` // why it stays, and what can be done
}

// Mentions is what a search for the name of a principal found.
type Mentions struct {
	List []Mention
	// NotSearched has a sentence for each table, or part of one, that was not searched.
	NotSearched []string
}

const maxExamples = 5

// searchedTable is what a proof says of a table with the name. example is an expression for the id of a row.
type searchedTable struct{ where, example, of, why string }

const (
	keptAsCalls = "the rows are kept as long as calls (clickhouse.retention)"
	keptAsRuns  = "the rows are kept as long as runs (clickhouse.retention)"
	keptForEver = "what people decided is kept for ever"
)

// searchedTables describes tables. Of the others, the name of the table is said.
var searchedTables = map[string]searchedTable{
	AuditTable.name: {"audit entries", "toString(seq)", "sequence number",
		"the audit trail is a chain of hashes that nobody shortens: an operator has written the name there"},
	CallsTable.name:          {"calls of others", "toString(run_id)", "run", keptAsCalls},
	LegacyCallsTable.name:    {"calls of others", "toString(run_id)", "run", keptAsCalls},
	HeldCallsTable.name:      {"copies of calls in held runs", "toString(run_id)", "run", "kept until flyball hold release"},
	HeldFindingsTable.name:   {"copies of findings about held runs", "finding_id", "finding", "kept until flyball hold release"},
	HeldRunsTable.name:       {"copies of held runs", "toString(run_id)", "run", "kept until flyball hold release"},
	RunsTable.name:           {"runs of others", "toString(run_id)", "run", keptAsRuns},
	LegacyRunsTable.name:     {"runs of others", "toString(run_id)", "run", keptAsRuns},
	TouchesTable.name:        {"resources that others touched", "toString(run_id)", "run", keptAsCalls},
	LegacyTouchesTable.name:  {"resources that others touched", "toString(run_id)", "run", keptAsCalls},
	HeldTouchesTable.name:    {"copies of resources that held runs touched", "toString(run_id)", "run", "kept until flyball hold release"},
	PostingsTable.name:       {"index of the names of others", "toString(kind)", "kind", keptAsCalls},
	GatesTable.name:          {"questions to people", "gate_id", "question", keptForEver},
	VerdictsTable.name:       {"verdicts", "finding_id", "finding", keptForEver},
	VerdictHistoryTable.name: {"verdicts", "finding_id", "finding", keptForEver},
	HoldsTable.name:          {"holds", "toString(run_id)", "run", "the reason of a hold is kept for ever"},
	BaselinesTable.name: {"baselines of agents", "name", "agent",
		"an agent has learned something with this name: flyball baselines reset AGENT learns it again from runs that are left"},
	BaselineOrdersTable.name: {"orders about baselines", "agent", "agent", keptForEver},
	BreakersTable.name:       {"breakers of others", "toString(scope_kind)", "scope", keptForEver},
	DeadLettersTable.name: {"dead letters", "toString(dead_offset)", "offset",
		"kept as long as runs; the records themselves for 14 days in Kafka"},
	FindingsTable.name:  {"findings about others", "finding_id", "finding", keptAsRuns},
	DecisionsTable.name: {"decisions about others", "decision_id", "decision", keptAsRuns},
}

// inParts are the large tables that are searched partition by partition, the latest first: a search that has no more time says which ones
// it did not reach.
var inParts = []string{CallsTable.name, LegacyCallsTable.name, HeldCallsTable.name, TouchesTable.name, RunsTable.name}

// hasTenant reports whether the rows of a table belong to tenants.
func hasTenant(t TableSpec) bool {
	return slices.ContainsFunc(t.Columns, func(c ColumnSpec) bool { return c.Name == "tenant" })
}

// searchedForms are the forms of a name in texts: as it is, and as a path and a query have it. Case is ignored.
func searchedForms(name string) []string {
	forms := []string{name, url.PathEscape(name), url.QueryEscape(name), strings.ReplaceAll(url.PathEscape(name), "@", "%40")}
	slices.Sort(forms)
	return slices.Compact(forms)
}

// textColumns returns conditions for rows that have one of the forms of a name, by column. Columns without text are left out.
func textColumns(t TableSpec, name string) (columns, conditions []string) {
	forms := searchedForms(name)
	for i := range forms {
		forms[i] = literal(forms[i])
	}
	in := func(text string) string {
		return "multiSearchAnyCaseInsensitive(" + text + ", [" + strings.Join(forms, ", ") + "])"
	}
	for _, c := range t.Columns {
		column, condition := quote(c.Name), ""
		switch c.Type {
		case "String":
			condition = in(column)
		case "LowCardinality(String)":
			condition = in("toString(" + column + ")")
		case "Array(String)", "Array(LowCardinality(String))":
			condition = "arrayExists(x -> " + in("toString(x)") + ", " + column + ")"
		case "Map(LowCardinality(String), String)":
			condition = "arrayExists(x -> " + in("toString(x)") + ", arrayConcat(arrayMap(k -> toString(k), mapKeys(" + column + ")), mapValues(" +
				column + ")))"
		}
		if condition == "" || c.Name == "tenant" {
			continue
		}
		columns, conditions = append(columns, c.Name), append(conditions, condition)
	}
	return columns, conditions
}

// FindMentions searches all columns with text of all tables for the name of a principal, beside the rows that Purge deletes or has left,
// which done counts. It ends after a time; 0: nothing is searched.
func FindMentions(ctx context.Context, c *Conn, o PurgeOptions, done []PurgedTable, limit time.Duration) (*Mentions, error) {
	out := &Mentions{List: []Mention{}, NotSearched: []string{}}
	exists, err := o.complete(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("search for the name: %w", err)
	}
	own := map[string]string{}
	for _, s := range o.steps(exists) {
		own[s.table] = s.where
	}
	short, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	s := &mentionSearch{conn: c, o: o, limit: limit, asked: ctx, out: out}
	for _, t := range Tables() {
		if !exists[t.Name] {
			continue
		}
		where := []string{}
		if hasTenant(t) {
			where = append(where, "tenant = "+literal(o.Tenant))
		}
		if i := slices.IndexFunc(done, func(p PurgedTable) bool { return p.Table == t.Name }); i >= 0 && done[i].Left > 0 {
			where = append(where, "NOT ("+own[t.Name]+")")
		}
		if err := s.table(short, t, where); err != nil {
			return nil, err
		}
	}
	return out, nil
}

type mentionSearch struct {
	conn  *Conn
	o     PurgeOptions
	limit time.Duration
	asked context.Context // of who asks; the context of the statements ends with the time
	out   *Mentions
}

var errNoTimeLeft = errors.New("no time left")

// ask executes a statement in the time that is left.
func (s *mentionSearch) ask(ctx context.Context, sql string) ([][]string, error) {
	if ctx.Err() != nil && s.asked.Err() == nil {
		return nil, errNoTimeLeft
	}
	rows, err := ask(ctx, s.conn, sql+subqueries+", max_execution_time = "+strconv.Itoa(int(s.limit.Seconds())+1))
	if err != nil && ctx.Err() != nil && s.asked.Err() == nil {
		return nil, errNoTimeLeft
	}
	return rows, err
}

// table searches one table.
func (s *mentionSearch) table(ctx context.Context, t TableSpec, where []string) error {
	columns, conditions := textColumns(t, s.o.Principal)
	if len(columns) == 0 {
		return nil
	}
	about, known := searchedTables[t.Name]
	if !known {
		about = searchedTable{where: "rows of " + t.Name, example: "''"}
	}
	m := Mention{Where: about.where, Table: t.Name, Columns: map[string]uint64{}, Examples: []string{}, ExampleOf: about.of, Why: about.why}
	from := rendering{Target: s.o.Target}.Name(t.Name)
	parts, err := [][]string{{""}}, error(nil)
	if slices.Contains(inParts, t.Name) {
		if parts, err = s.ask(ctx, "SELECT DISTINCT _partition_id FROM "+from+" ORDER BY _partition_id DESC"); err != nil {
			return s.notSearched(t.Name, "", err)
		}
	}
	for _, p := range parts {
		in, label := where, ""
		if id := p[0]; id != "" {
			in, label = append(slices.Clone(where), "_partition_id = "+literal(id)), "in partition "+id+" and before"
		}
		if err = m.add(ctx, s, from, in, columns, conditions, about.example); err != nil {
			if err = s.notSearched(t.Name, label, err); err != nil {
				return err
			}
			break
		}
	}
	if m.Rows > 0 {
		s.out.List = append(s.out.List, m)
	}
	return nil
}

// notSearched notes what there was no time for; another error is returned.
func (s *mentionSearch) notSearched(table, part string, err error) error {
	if !errors.Is(err, errNoTimeLeft) {
		return fmt.Errorf("search for the name in %s: %w", table, err)
	}
	what := strings.TrimSpace("rows of " + table + " " + part)
	s.out.NotSearched = append(s.out.NotSearched, what+": there was no time left (--search)")
	return nil
}

// add counts the rows of a part of a table.
func (m *Mention) add(ctx context.Context, s *mentionSearch, from string, where, columns, conditions []string, example string) error {
	counts := make([]string, len(conditions))
	hits := make([]string, len(conditions))
	for i, c := range conditions {
		counts[i], hits[i] = fmt.Sprintf("countIf(h[%d])", i+1), "("+c+") > 0"
	}
	sql := fmt.Sprintf("SELECT count(), arrayStringConcat(groupUniqArray(%d)(replaceRegexpAll(example, '[[:cntrl:]]', '?')), '\\x01'), "+
		"%s "+
		"FROM (SELECT [%s] AS h, %s AS example FROM %s%s) WHERE has(h, 1)",
		maxExamples, strings.Join(counts, ", "), strings.Join(hits, ", "), example, from, whereAll(where))
	rows, err := s.ask(ctx, sql)
	if err != nil {
		return err
	}
	if len(rows) != 1 || len(rows[0]) != len(columns)+2 {
		return fmt.Errorf("%d rows", len(rows))
	}
	named := func(id string) bool { // a proof does not contain the name
		return slices.ContainsFunc(searchedForms(s.o.Principal), func(form string) bool {
			return strings.Contains(strings.ToLower(id), strings.ToLower(form))
		})
	}
	number := func(text string) (n uint64) {
		if err == nil {
			n, err = strconv.ParseUint(text, 10, 64)
		}
		return n
	}
	m.Rows += number(rows[0][0])
	for _, id := range strings.Split(rows[0][1], "\x01") {
		if id != "" && !named(id) && len(m.Examples) < maxExamples && !slices.Contains(m.Examples, id) {
			m.Examples = append(m.Examples, id)
		}
	}
	for i, column := range columns {
		if n := number(rows[0][i+2]); n > 0 {
			m.Columns[column] += n
		}
	}
	slices.Sort(m.Examples)
	return err
}

func whereAll(conditions []string) string {
	if len(conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(conditions, " AND ")
}

// SharedRuns returns runs of a principal with calls of other principals, at most limit, and how many there are. Purge deletes the scores,
// findings and decisions about such a run: they are about all of its calls.
func SharedRuns(ctx context.Context, c *Conn, o PurgeOptions, limit int) (runs []string, n uint64, err error) {
	exists, err := o.complete(ctx, c)
	if err != nil {
		return nil, 0, fmt.Errorf("shared runs: %w", err)
	}
	r := rendering{Target: o.Target}
	var from []string
	for _, t := range []string{CallsTable.name, LegacyCallsTable.name, HeldCallsTable.name} {
		if exists[t] {
			from = append(from, "SELECT run_id FROM "+r.Name(t)+" WHERE tenant = "+literal(o.Tenant)+" AND principal_id NOT IN ('', "+
				literal(o.Principal)+") AND "+o.inRuns(exists))
		}
	}
	rows, err := ask(ctx, c, fmt.Sprintf("SELECT count(), arrayStringConcat(arraySort(groupArray(%d)(id)), ' ') FROM "+
		"(SELECT DISTINCT toString(run_id) AS id FROM (%s))", limit, strings.Join(from, " UNION ALL "))+subqueries)
	if err != nil {
		return nil, 0, fmt.Errorf("shared runs: %w", err)
	}
	if len(rows) != 1 || len(rows[0]) != 2 {
		return nil, 0, fmt.Errorf("shared runs: %d rows", len(rows))
	}
	n, err = strconv.ParseUint(rows[0][0], 10, 64)
	return strings.Fields(rows[0][1]), n, err
}
