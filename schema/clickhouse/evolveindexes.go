package clickhouse

import (
	"regexp"
	"strings"
)

// indexDefinition matches the definition of a skip index in the statement that makes a table.
var indexDefinition = regexp.MustCompile(`(?m)^\s+INDEX ((\w+) .+?),?$`)

// indexesSince are the indexes that a version of the schema added to a table of the version before, with that version. The table is
// altered by two statements: until the step is recorded, it is not known that the second one was executed.
var indexesSince = map[string]int{"runs_v5.ix_level": 7, "runs_v5.ix_run_start": 7}

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
