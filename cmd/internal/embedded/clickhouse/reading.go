package clickhouse

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// What the engine's readonly setting and its grants let through is refused here, by reading the statement. The table of what was tried is
// in adr/0001-who-reads-and-who-writes.md. The text that is read is the engine's own rendering of the statement
// (formatQuerySingleLine): one line, without comments, with literals in single quotes and names in backquotes, so that this lexer and the
// engine's parser cannot disagree about where a literal ends.

// readingKinds are the first words of statements that only read.
var readingKinds = words("SELECT WITH EXPLAIN SHOW DESCRIBE EXISTS")

// explainKinds are the words after EXPLAIN, settings of EXPLAIN included. QUERY TREE shows columns of tables that may not be read.
var explainKinds = words("SELECT WITH PLAN PIPELINE ESTIMATE AST SYNTAX indexes header actions description json compact graph oneline")

// showKinds are the words after SHOW. PROCESSLIST shows the statements of others.
var showKinds = words("TABLES DATABASES CREATE COLUMNS FULL EXTENDED INDEX INDEXES INDICES KEYS SETTING SETTINGS FUNCTIONS GRANTS")

// deniedNames are functions that read files, make requests or write logs. Functions can be used by name alone (arrayMap(file, …),
// APPLY file), so the name is refused wherever it stands as a name.
var deniedNames = words("file aiClassify aiEmbed aiExtract aiGenerate aiTranslate catboostEvaluate logTrace showCertificate " +
	"getClientHTTPHeader run_query_tree_passes")

// allowedTableFunctions compute their rows. All others are refused, those of later engines too.
var allowedTableFunctions = words("numbers numbers_mt zeros zeros_mt values null view format primes generateRandom generateSeries " +
	"generate_series SQLStandardValues")

// allowedSystemTables describe the engine and what its user may read.
var allowedSystemTables = words("one numbers numbers_mt zeros zeros_mt tables columns databases functions table_functions settings " +
	"formats data_type_families time_zones parts parts_columns data_skipping_indices metrics asynchronous_metrics events merges " +
	"keywords collations aggregate_function_combinators build_options contributors licenses")

// words returns a set of words, which are compared without case.
func words(list string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(list) {
		m[strings.ToLower(w)] = true
	}
	return m
}

// refusal is the reason why a statement is no reading statement. It is empty if it is one.
type refusal string

// readStatement returns why an analyst must not run a statement; sql is the engine's rendering of it. tableFunctions are all names of
// table functions of the engine, in lower case.
func readStatement(sql string, tableFunctions map[string]bool) refusal {
	ts := tokens(sql)
	if r := refuseKind(ts); r != "" {
		return r
	}
	for i := range ts {
		for _, rule := range []func([]token, int, map[string]bool) refusal{refuseOutfile, refuseName, refuseTableFunction, refuseSystemTable,
			refuseIdentifierParameter, refuseSettings} {
			if r := rule(ts, i, tableFunctions); r != "" {
				return r
			}
		}
	}
	return ""
}

func tokens(sql string) []token {
	l := lexer{s: sql}
	var ts []token
	for t := l.next(); t.kind != tokEnd; t = l.next() {
		ts = append(ts, t)
	}
	return ts
}

// at returns the token at i, or the end.
func at(ts []token, i int) token {
	if i < 0 || i >= len(ts) {
		return token{kind: tokEnd}
	}
	return ts[i]
}

// name returns the name that a token is, in lower case, with or without backquotes. ok is false for other tokens.
func (t token) name() (s string, ok bool) {
	if t.kind == tokQuoted && t.text[0] != '\'' {
		return strings.ToLower(strings.Trim(t.text, "`\"")), true
	}
	return strings.ToLower(t.text), t.kind == tokWord
}

func refuseKind(ts []token) refusal {
	first := 0
	for at(ts, first).text == "(" {
		first++
	}
	kind, second := at(ts, first), strings.ToLower(at(ts, first+1).text)
	switch word := strings.ToLower(kind.text); {
	case kind.kind != tokWord || !readingKinds[word]:
		return refusal(strings.ToUpper(kind.text) + " is none of SELECT, WITH, EXPLAIN, SHOW, DESCRIBE, EXISTS")
	case word == "explain" && second != "(" && !explainKinds[second]:
		return refusal("EXPLAIN " + strings.ToUpper(second) + " is not available to readers")
	case word == "show" && !showKinds[second]:
		return refusal("SHOW " + strings.ToUpper(second) + " is not available to readers")
	}
	return ""
}

func refuseOutfile(ts []token, i int, _ map[string]bool) refusal {
	if t := ts[i]; (t.is("OUTFILE") && at(ts, i-1).is("INTO")) || (t.is("INFILE") && at(ts, i-1).is("FROM")) {
		return refusal(strings.ToUpper(t.text) + " writes or reads a file of this machine")
	}
	return ""
}

func refuseName(ts []token, i int, _ map[string]bool) refusal {
	if n, ok := ts[i].name(); ok && deniedNames[n] {
		return refusal(fmt.Sprintf("the name %s is refused wherever it stands, because the function reads files or makes requests", n))
	}
	return ""
}

func refuseTableFunction(ts []token, i int, all map[string]bool) refusal {
	n, ok := ts[i].name()
	if !ok || at(ts, i+1).text != "(" || !all[n] || allowedTableFunctions[n] {
		return ""
	}
	return refusal(fmt.Sprintf("table function %s is not available to readers", n))
}

func refuseSystemTable(ts []token, i int, _ map[string]bool) refusal {
	if n, ok := ts[i].name(); !ok || n != "system" || at(ts, i+1).text != "." {
		return ""
	}
	n, ok := at(ts, i+2).name()
	if ok && allowedSystemTables[n] {
		return ""
	}
	return refusal(fmt.Sprintf("system.%s is not available to readers", n))
}

// refuseIdentifierParameter refuses {x:Identifier}: its value is a name that this reading does not see.
func refuseIdentifierParameter(ts []token, i int, _ map[string]bool) refusal {
	if ts[i].is("Identifier") && at(ts, i-1).text == ":" {
		return "parameters of type Identifier are not available to readers: write the name"
	}
	return ""
}

// refuseSettings refuses settings of a statement that change more than the form of its output. The engine takes them in subqueries even
// if it refuses them at the top.
func refuseSettings(ts []token, i int, _ map[string]bool) refusal {
	if !settingsClause(ts, i) {
		return ""
	}
	for i++; ; {
		name, ok := at(ts, i).name()
		if !ok || at(ts, i+1).text != "=" {
			return ""
		}
		if !formSettings[name] && !formatSetting(name) {
			return refusal(fmt.Sprintf("setting %s could lift a limit: pass a narrower limit as a URL parameter", name))
		}
		depth := ts[i].depth
		for i += 2; i < len(ts) && (ts[i].depth != depth || ts[i].text != ","); i++ {
			if ts[i].depth < depth || settingsClause(ts, i) {
				return "" // the end of the clause; what follows is looked at on its own
			}
		}
		i++
	}
}

// settingsClause reports whether a SETTINGS clause begins at i. SETTINGS can also be a name.
func settingsClause(ts []token, i int) bool {
	_, named := at(ts, i+1).name()
	return ts[i].is("SETTINGS") && named && at(ts, i+2).text == "="
}

// hasSettings reports whether a statement sets anything.
func hasSettings(sql string) bool {
	ts := tokens(sql)
	for i := range ts {
		if settingsClause(ts, i) {
			return true
		}
	}
	return false
}

// overflowModes say what a limit does when it is reached.
var overflowModes = words("result_overflow_mode read_overflow_mode timeout_overflow_mode")

// readerLimits are limits that a reader may narrow. A value above the limit of the engine's options, or 0 (none), becomes that limit.
var readerLimits = words("max_execution_time max_threads max_memory_usage max_result_rows max_result_bytes max_rows_to_read " +
	"max_bytes_to_read max_block_size")

// formSettings change only the form of an output or the meaning of a reading statement.
var formSettings = words("date_time_output_format join_use_nulls session_timezone extremes log_comment prefer_column_name_to_alias " +
	"cast_keep_nullable union_default_mode aggregate_functions_null_for_empty date_time_input_format use_client_time_zone")

// readerSettings returns the settings of a reader's session: those of the request, with limits no wider than own. An error names the first
// setting that a reader may not set.
func readerSettings(asked, own []param) ([]param, error) {
	limit := map[string]string{}
	for _, p := range own {
		limit[p.name] = p.value
	}
	var out []param
	for _, p := range asked {
		name := strings.ToLower(p.name)
		switch {
		case readerLimits[name]:
			p.value = narrower(p.value, limit[name])
			if p.value == "" {
				continue
			}
		case overflowModes[name], formSettings[name], formatSetting(name):
		default:
			return nil, readerRefusal(refusal(fmt.Sprintf("setting %s is not available to readers", p.name)))
		}
		out = append(out, p)
	}
	return out, nil
}

// narrower returns the lower of two limits; own may be empty for none, and so may the result.
func narrower(asked, own string) string {
	a, err := strconv.ParseFloat(asked, 64)
	o, ownErr := strconv.ParseFloat(own, 64)
	if err != nil || !(a > 0) || (ownErr == nil && a > o) {
		return own
	}
	return asked
}

// formatSetting reports whether a setting changes only how an output is written. Some with these prefixes read files or make requests.
func formatSetting(name string) bool {
	if slices.ContainsFunc([]string{"schema", "template", "path", "secret"}, func(s string) bool { return strings.Contains(name, s) }) {
		return false
	}
	return strings.HasPrefix(name, "output_format_") || strings.HasPrefix(name, "format_csv_") || strings.HasPrefix(name, "format_tsv_")
}

func readerRefusal(r refusal) error {
	return exceptionf(codeReadonly, "READONLY", "Readers only read: %s. "+
		"To write, use POST at clickhouse.listen with user flyball and the password in engine.password of the data folder", string(r))
}
