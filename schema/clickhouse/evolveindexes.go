package clickhouse

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// indexDefinition matches the definition of a skip index in the statement that makes a table.
var indexDefinition = regexp.MustCompile(`(?m)^\s+INDEX ((\w+) .+?),?$`)

// indexesSince are the indexes that a version of the schema added to a table of the version before, with that version. The table is
// altered by two statements: until the step is recorded, it is not known that the second one was executed.
var indexesSince = map[string]int{"runs_v5.ix_level": 7, "runs_v5.ix_run_start": 7, "runs_v5.ix_run_id": 8}

// replacedIndexes are the indexes that another one of the same table replaces.
var replacedIndexes = []struct{ table, old, by string }{{"runs_v5", "ix_run", "ix_run_id"}}

// withIndexes adds steps for tables without some of their skip indexes. Such an index changes only metadata; the engine then makes it for
// the stored parts in the background. Until it has, a part without it is read in full, and no answer differs.
func (l *liveSchema) withIndexes(todo, all []Migration, t Target) []Migration {
	r := rendering{Target: t}
	for _, s := range all {
		if s.Replaces || l.columns[s.Name] == nil {
			continue
		}
		for _, m := range indexDefinition.FindAllStringSubmatch(s.Statements[0], -1) {
			definition, name := m[1], s.Name+"."+m[2]
			_, recorded := l.sums[name]
			_, made := l.sums[s.Name] // no: an interrupted migration made the table as it is now
			if l.indexes[s.Name][m[2]] && (recorded || !made || l.versions[s.Name] >= indexesSince[name]) {
				continue
			}
			alter := "ALTER TABLE " + r.Table(s.Name) + " "
			todo = append(todo, Migration{Number: s.Number, Name: name, Why: "index missing", Statements: []string{
				alter + "ADD INDEX IF NOT EXISTS " + definition, alter + "MATERIALIZE INDEX " + m[2]}})
		}
	}
	return todo
}

// replacedQuiet is how long after the step that added an index the one that it replaces is removed at the earliest: other servers of a
// cluster, which one does not see, have made it for their stored parts by then, or else read these in full for a while.
const replacedQuiet = 24 * time.Hour

// withoutIndexes adds steps that remove the indexes that another one replaces, once the server has made that one for the stored parts.
// Until then questions use the old one. Only a migration that is told the retention removes it, as those of the role store and of flyball
// migrate are: it is no step that an answer waits for.
func (l *liveSchema) withoutIndexes(ctx context.Context, c *Conn, todo, all []Migration, o MigrateOptions) ([]Migration, error) {
	if o.Retention == nil {
		return todo, nil
	}
	r := rendering{Target: o.Target}
	for _, x := range replacedIndexes {
		n := slices.IndexFunc(all, func(s Migration) bool { return s.Name == x.table })
		added, recorded := l.applied[x.table+"."+x.by]
		live := l.indexes[x.table]
		if n < 0 || !recorded || o.Now.Sub(added) < replacedQuiet || !live[x.old] || !live[x.by] {
			continue
		}
		waiting, err := c.QueryText(ctx, fmt.Sprintf("SELECT count() FROM system.mutations WHERE database = %s AND table = %s "+
			"AND NOT is_done AND command LIKE %s", literal(o.Database), literal(r.local(x.table)), literal("%MATERIALIZE INDEX "+x.by+"%")))
		if err != nil {
			return nil, fmt.Errorf("whether index %s of %s is made: %w", x.by, x.table, err)
		}
		if strings.TrimSpace(waiting) == "0" {
			todo = append(todo, Migration{Number: all[n].Number, Name: x.table + "." + x.old, Why: "index replaced", Statements: []string{
				"ALTER TABLE " + r.Table(x.table) + " DROP INDEX IF EXISTS " + x.old}})
		}
	}
	return todo, nil
}

// withSettings adds steps for tables that do not have some of their settings. A setting that somebody has given another value is left as
// it is. Settings change only metadata.
func (l *liveSchema) withSettings(todo, all []Migration, t Target) []Migration {
	r := rendering{Target: t}
	for _, s := range all {
		if l.columns[s.Name] == nil {
			continue
		}
		var missing []string
		for _, setting := range storages[s.Name].settings {
			if name, _, _ := strings.Cut(setting, " "); !l.settings[s.Name][name] {
				missing = append(missing, setting)
			}
		}
		if len(missing) > 0 {
			todo = append(todo, Migration{Number: s.Number, Name: s.Name + ".settings", Why: "settings missing",
				Statements: []string{"ALTER TABLE " + r.Table(s.Name) + " MODIFY SETTING " + strings.Join(missing, ", ")}})
		}
	}
	return todo
}
