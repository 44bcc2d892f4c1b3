package clickhouse

import (
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

//go:embed sql/*.sql sql/shared.tmpl
var sqlFiles embed.FS

// Migration is one numbered step of the schema with its statements. Every statement is
// idempotent, so that an interrupted step can be executed again.
type Migration struct {
	Number     int
	Name       string // name of the object
	Statements []string
	// Sum is the hash of the step's content in this binary.
	Sum string
	// Why is the reason for the execution: "new", "missing", "changed", "column missing" or
	// "words missing".
	Why string
	// Replaces is true if the step may be executed again with other content: a view is
	// replaced; a table always gets a further step.
	Replaces bool
}

// Target is the database in which the schema is created.
type Target struct {
	Database string
	// Cluster, if set, adds ON CLUSTER to every statement and makes the tables Replicated and
	// sharded, with a Distributed table under the usual name.
	Cluster string
}

// rendering has the methods that the templates call.
type rendering struct {
	Target
	keeps     map[string]bool // tables of schema version 4 that the database has
	retention Retention
	since     string // day before which no row's retention begins
}

// steps returns the steps of the schema, in order. Of the tables of schema version 4 only those have steps that the
// database keeps; the views read these, too.
func (r rendering) steps() ([]Migration, error) {
	entries, err := sqlFiles.ReadDir("sql")
	if err != nil {
		return nil, err
	}
	var out []Migration
	for _, e := range entries {
		if e.Name() == sharedFile {
			continue
		}
		body, err := sqlFiles.ReadFile("sql/" + e.Name())
		if err != nil {
			return nil, err
		}
		s, err := r.step(e.Name(), string(body))
		if err != nil {
			return nil, fmt.Errorf("sql/%s: %w", e.Name(), err)
		}
		if legacyTables[s.Name] && !r.keeps[s.Name] {
			continue
		}
		out = append(out, s)
	}
	slices.SortFunc(out, func(a, b Migration) int { return cmp.Compare(a.Number, b.Number) })
	return out, nil
}

// sharedFile has the templates that several steps use.
const sharedFile = "shared.tmpl"

var stepName = regexp.MustCompile(`^(\d{3})_([a-z0-9_]+)\.sql$`)

func (r rendering) step(file, body string) (Migration, error) {
	m := stepName.FindStringSubmatch(file)
	if m == nil {
		return Migration{}, fmt.Errorf("name is not NNN_object.sql")
	}
	n, _ := strconv.Atoi(m[1])
	s := Migration{Number: n, Name: m[2], Replaces: strings.Contains(body, "CREATE OR REPLACE")}
	tpl, err := template.New(file).Option("missingkey=error").ParseFS(sqlFiles, "sql/"+sharedFile)
	if err != nil {
		return s, err
	}
	if tpl, err = tpl.Parse(body); err != nil {
		return s, err
	}
	var b strings.Builder
	if err := tpl.Execute(&b, r); err != nil {
		return s, err
	}
	s.Statements = []string{strings.TrimSpace(b.String())}
	if r.Cluster != "" && strings.HasPrefix(body, "CREATE TABLE") {
		s.Statements = append(s.Statements, r.distributed(s.Name))
	}
	sum := sha256.Sum256([]byte(strings.Join(s.Statements, ";\n")))
	s.Sum = hex.EncodeToString(sum[:8])
	return s, nil
}

// Keeps reports whether the database has a table of schema version 4.
func (r rendering) Keeps(table string) bool { return r.keeps[table] }

// Name returns the name of an object in queries.
func (r rendering) Name(object string) string { return quote(r.Database) + "." + quote(object) }

// View returns the name under which a view is created.
func (r rendering) View(object string) string { return r.Name(object) + r.onCluster() }

// localSuffix ends the name of the part of a table on a shard of a cluster.
const localSuffix = "_local"

// Table returns the name under which a table is created: in a cluster, that of the part on
// each shard.
func (r rendering) Table(object string) string { return r.Name(r.local(object)) + r.onCluster() }

func (r rendering) local(object string) string {
	if r.Cluster == "" {
		return object
	}
	return object + localSuffix
}

func (r rendering) onCluster() string {
	if r.Cluster == "" {
		return ""
	}
	return " ON CLUSTER " + quote(r.Cluster)
}

// Engine returns a MergeTree engine, replicated in a cluster. The path contains the UUID of
// the table, so that a table that is dropped and created again has another path.
func (r rendering) Engine(engine string, args ...string) string {
	if r.Cluster != "" {
		engine = "Replicated" + engine
		args = append([]string{"'/clickhouse/tables/{uuid}/{shard}'", "'{replica}'"}, args...)
	}
	if len(args) == 0 {
		return engine
	}
	return engine + "(" + strings.Join(args, ", ") + ")"
}

// Columns returns the columns of a table, from the list that its writer uses.
func (r rendering) Columns(object string) (string, error) {
	t, err := tableNamed(object)
	if err != nil {
		return "", err
	}
	lines := make([]string, len(t.Columns))
	for i, s := range t.Columns {
		lines[i] = "    " + definition(s)
	}
	return strings.Join(lines, ",\n"), nil
}

// Type returns the type of a column of a table.
func (r rendering) Type(object, column string) (string, error) {
	t, err := tableNamed(object)
	if err != nil {
		return "", err
	}
	for _, s := range t.Columns {
		if s.Name == column {
			return s.Type, nil
		}
	}
	return "", fmt.Errorf("table %q has no column %q", object, column)
}

// Names returns the names of the columns of a table, in order: columns of both sides of a UNION are matched by
// their place, which a table that older versions made and changed may have otherwise.
func (r rendering) Names(object string) (string, error) {
	t, err := tableNamed(object)
	if err != nil {
		return "", err
	}
	names := make([]string, len(t.Columns))
	for i, s := range t.Columns {
		names[i] = s.Name
	}
	return strings.Join(names, ", "), nil
}

func (r rendering) distributed(object string) string {
	t, err := tableNamed(object)
	shard := t.shard
	if err != nil {
		shard = "rand()"
	}
	return fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s%s AS %s\nENGINE = Distributed(%s, %s, %s, %s)",
		r.Name(object), r.onCluster(), r.Name(r.local(object)), literal(r.Cluster), literal(r.Database), literal(r.local(object)), shard)
}

func quote(s string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(s) + "`"
}
func literal(s string) string {
	return "'" + strings.NewReplacer("\\", "\\\\", "'", "\\'").Replace(s) + "'"
}
