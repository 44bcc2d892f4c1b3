package clickhouse

import "strings"

// insertText is a parsed INSERT statement.
type insertText struct {
	head   string // up to the FORMAT clause or VALUES
	format string // format of the data
	data   int    // index of the data in the text
	query  bool   // INSERT … SELECT and similar: without data, the engine runs it as one statement
	input  bool   // INSERT … SELECT … FROM input(…)
}

// parseInsert parses a text and reports whether it is an INSERT.
func parseInsert(sql string) (insertText, bool) {
	l := lexer{s: sql}
	if !l.next().is("INSERT") {
		return insertText{}, false
	}
	t := l.next()
	if t.is("INTO") {
		t = l.next()
	}
	if t.is("TABLE") || t.is("FUNCTION") {
		l.next()
	}
	// The name of the table may be any word, also FORMAT or VALUES.
	for t = l.next(); t.kind == tokOther && t.text == "."; t = l.next() {
		l.next()
	}
	in := insertText{head: sql, format: "Values", data: len(sql)}
	for ; t.kind != tokEnd; t = l.next() {
		if t.depth > 0 || t.kind != tokWord {
			continue
		}
		switch {
		case t.is("VALUES"):
			in.head, in.data = sql[:t.start], t.end
			return in, true
		case t.is("FORMAT"):
			f := l.next()
			if f.kind != tokWord {
				return in, true // the engine reports the error
			}
			in.head, in.format, in.data = sql[:t.start], f.text, dataStart(sql, f.end)
			if strings.EqualFold(f.text, "Values") {
				in.format = "Values"
			}
			return in, true
		case t.is("SELECT"), t.is("WITH"), t.is("FROM"), t.is("WATCH"):
			in.query = true
			in.input = callsInput(sql[t.start:])
			return in, true
		}
	}
	return in, true
}

// dataStart returns the index of the data after FORMAT. As the server does, it skips blanks and one line end. The data may itself begin
// with blanks on its own line.
func dataStart(sql string, i int) int {
	for i < len(sql) && (sql[i] == ' ' || sql[i] == '\t' || sql[i] == '\r' || sql[i] == ';') {
		i++
	}
	if i < len(sql) && sql[i] == '\n' {
		i++
	}
	return i
}

func callsInput(sql string) bool {
	l := lexer{s: sql}
	for t := l.next(); t.kind != tokEnd; t = l.next() {
		if t.is("input") {
			if n := l.next(); n.text == "(" {
				return true
			}
		}
	}
	return false
}

// outputFormat returns the format that a query names, or def. A column may be called format, too: the clause is the last one but for
// SETTINGS, and nothing before it demands an expression.
func outputFormat(sql, def string) string {
	l := lexer{s: sql}
	format := def
	var before token
	for t := l.next(); t.kind != tokEnd; t = l.next() {
		begins := t.depth == 0 && t.is("FORMAT") && before.text != "," && before.text != "." && !before.is("BY") && !before.is("SELECT")
		before = t
		if !begins {
			continue
		}
		rest := l
		f, after := rest.next(), rest.next()
		if f.kind == tokWord && f.depth == 0 && (after.kind == tokEnd || after.text == ";" || after.is("SETTINGS")) {
			format = f.text
		}
	}
	return format
}

// oneStatement returns an error if a request contains several statements, as the server does, because the engine's function would run all
// of them.
func oneStatement(sql string) error {
	l := lexer{s: sql}
	empty := true
	for t := l.next(); t.kind != tokEnd; t = l.next() {
		if t.text == ";" && t.kind == tokOther {
			if n := l.next(); n.kind != tokEnd && n.text != ";" {
				return exceptionf(codeSyntaxError, "SYNTAX_ERROR", "Syntax error (Multi-statements are not allowed): failed at position %d", n.start+1)
			}
			continue
		}
		empty = false
	}
	if empty {
		return exceptionf(codeSyntaxError, "SYNTAX_ERROR", "Syntax error: Empty query")
	}
	return nil
}

// selects reports whether a statement is a SELECT, which is the only kind that can be streamed.
func selects(sql string) bool {
	l := lexer{s: sql}
	t := l.next()
	for t.text == "(" {
		t = l.next()
	}
	return t.is("SELECT") || t.is("WITH")
}

// streamable reports whether pieces of a format can be concatenated. The engine starts each piece as a new document, so formats with a
// header, a footer or separators must be rendered as a whole.
func streamable(format string) bool {
	switch strings.ToLower(format) {
	case "native", "tabseparated", "tsv", "tabseparatedraw", "tsvraw", "raw", "csv", "tskv",
		"jsoneachrow", "jsonlines", "ndjson", "jsoncompacteachrow", "jsonstringseachrow",
		"jsoncompactstringseachrow", "rowbinary", "lineasstring", "rawblob", "null":
		return true
	}
	return false
}

// hasTotals reports whether a query has totals, which are a footer in every format.
func hasTotals(sql string) bool {
	l := lexer{s: sql}
	for t := l.next(); t.kind != tokEnd; t = l.next() {
		if t.is("TOTALS") {
			return true
		}
	}
	return false
}

func quoteName(s string) string {
	return "`" + strings.NewReplacer("\\", "\\\\", "`", "\\`").Replace(s) + "`"
}

func quoteText(s string) string {
	return "'" + strings.NewReplacer("\\", "\\\\", "'", "\\'").Replace(s) + "'"
}
