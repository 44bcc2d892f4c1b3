package clickhouse

import "testing"

func TestInsertsAreTakenApartAtTheRightByte(t *testing.T) {
	f := func(sql, head, format, data string) {
		t.Helper()
		in, ok := parseInsert(sql)
		if !ok || in.query || in.head != head || in.format != format || sql[in.data:] != data {
			t.Errorf("%q: %+v, data %q", sql, in, sql[in.data:])
		}
	}
	f("INSERT INTO t FORMAT CSV", "INSERT INTO t ", "CSV", "")
	f("INSERT INTO t FORMAT CSV\n1,2", "INSERT INTO t ", "CSV", "1,2")
	f("INSERT INTO t FORMAT TSV\n\tx", "INSERT INTO t ", "TSV", "\tx")
	f("INSERT INTO t FORMAT JSONEachRow {\"a\":1}", "INSERT INTO t ", "JSONEachRow", "{\"a\":1}")
	f("insert into `a b`.`c` (x, `format`) values (1)", "insert into `a b`.`c` (x, `format`) ", "Values", " (1)")
	f("INSERT INTO format VALUES (1)", "INSERT INTO format ", "Values", " (1)")
	f("INSERT INTO db.values FORMAT TSV\n1", "INSERT INTO db.values ", "TSV", "1")
	f("INSERT INTO TABLE FUNCTION null('a String') FORMAT CSV\nx", "INSERT INTO TABLE FUNCTION null('a String') ", "CSV", "x")
	f("/* FORMAT x */ INSERT INTO t -- FORMAT y\n SETTINGS a = 'FORMAT z' FORMAT CSV\n1",
		"/* FORMAT x */ INSERT INTO t -- FORMAT y\n SETTINGS a = 'FORMAT z' ", "CSV", "1")
	f("INSERT INTO t (a)", "INSERT INTO t (a)", "Values", "")
}

func TestStatementsThatAreNoInsertsWithData(t *testing.T) {
	for sql, query := range map[string]bool{
		"INSERT INTO t SELECT 1":                            true,
		"INSERT INTO t (a) WITH 1 AS x SELECT x FORMAT CSV": true,
		"INSERT INTO t FROM INFILE 'x' FORMAT CSV":          true,
		"SELECT 'INSERT INTO t VALUES'":                     false,
		"EXPLAIN INSERT INTO t SELECT 1":                    false,
		"":                                                  false,
		"INSERTED":                                          false,
	} {
		in, ok := parseInsert(sql)
		if ok != query || ok && !in.query {
			t.Errorf("%q: insert %v, %+v", sql, ok, in)
		}
	}
	if in, _ := parseInsert("INSERT INTO t SELECT * FROM input ('a UInt8') FORMAT CSV"); !in.input {
		t.Error("input() is not seen")
	}
	if in, _ := parseInsert("INSERT INTO t SELECT input FROM x"); in.input {
		t.Error("a column is taken for input()")
	}
}

func TestFormatOfAQueryIsTheOneAtItsEnd(t *testing.T) {
	for sql, want := range map[string]string{
		"SELECT 1":                           "TSV",
		"SELECT 1 FORMAT JSON":               "JSON",
		"SELECT 'FORMAT JSON'":               "TSV",
		"SELECT (SELECT 1 FORMAT JSON)":      "TSV",
		"SELECT 1 format CSV SETTINGS a = 1": "CSV",
		"SELECT 1 -- FORMAT JSON":            "TSV",
		"SELECT formatDateTime(now(), 'x')":  "TSV",
		// The engine writes out ASC where it rewrites a query for a user who may only read.
		"SELECT a, format FROM t ORDER BY a ASC, format ASC":      "TSV",
		"SELECT format AS f FROM t ORDER BY format DESC":          "TSV",
		"SELECT 1, t.format AS f FROM t":                          "TSV",
		"SELECT a FROM t ORDER BY a ASC, format ASC FORMAT JSON;": "JSON",
	} {
		if got := outputFormat(sql, "TSV"); got != want {
			t.Errorf("%q: %s, wanted %s", sql, got, want)
		}
	}
}

func TestSeveralStatementsAreRefused(t *testing.T) {
	for sql, ok := range map[string]bool{
		"SELECT 1": true, "SELECT 1;": true, "SELECT 1 ; ;\n": true, "SELECT ';'": true, "SELECT 1 -- ; x\n": true,
		"SELECT 1; SELECT 2": false, "SET a = 1; DROP TABLE t": false, "": false, " ; ": false, "-- nothing": false,
	} {
		if err := oneStatement(sql); (err == nil) != ok {
			t.Errorf("%q: %v", sql, err)
		}
	}
}

// FuzzLexer checks that no text makes the lexer hang or crash, and that the data of an insert begins inside the text.
func FuzzLexer(f *testing.F) {
	for _, s := range []string{"INSERT INTO t FORMAT CSV\n1", "SELECT 'a''b\\'' /* x", "INSERT INTO `", "((((", "INSERT INTO t VALUES ('"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if in, ok := parseInsert(s); ok && (in.data < 0 || in.data > len(s)) {
			t.Errorf("data at %d of %d", in.data, len(s))
		}
		_ = oneStatement(s)
		_ = outputFormat(s, "TSV")
	})
}
