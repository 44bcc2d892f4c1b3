package storage

import (
	"encoding/xml"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"flyball/cmd/internal/embedded/clickhouse/enginetest"
	"flyball/detect/learn"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// usersSQL returns the statements of deploy/clickhouse-users.sql.
func usersSQL(t *testing.T) (out []string) {
	t.Helper()
	b, err := os.ReadFile("../../../../deploy/clickhouse-users.sql")
	if err != nil {
		t.Fatal(err)
	}
	text := regexp.MustCompile(`(?m)--.*$`).ReplaceAllString(string(b), "")
	for s := range strings.SplitSeq(text, ";") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// usersXML writes the rights of one of these users as those of the user default, and returns the file: the embedded engine has
// no other user and refuses CREATE USER. It demands the role flyball_writer.
func usersXML(t *testing.T, user string, profile map[string]string) string {
	t.Helper()
	grant := regexp.MustCompile(`^(GRANT .*) TO ` + user + `$`)
	var b strings.Builder
	b.WriteString("<clickhouse><profiles><default>")
	constraints := ""
	for name, value := range profile {
		value, most, bounded := strings.Cut(value, " MAX ")
		b.WriteString("<" + name + ">" + value + "</" + name + ">")
		if bounded {
			constraints += "<" + name + "><max>" + most + "</max></" + name + ">"
		}
	}
	b.WriteString("<constraints>" + constraints + "</constraints></default></profiles>" +
		"<quotas><default/></quotas><roles><flyball_writer><grants>")
	n := 0
	for _, s := range usersSQL(t) {
		if m := grant.FindStringSubmatch(s); m != nil {
			n++
			b.WriteString("<query>")
			_ = xml.EscapeText(&b, []byte(m[1]))
			b.WriteString("</query>")
		}
	}
	if n == 0 {
		t.Fatalf("no right of %s", user)
	}
	b.WriteString("</grants></flyball_writer></roles><users><default><password></password>" +
		"<networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota><grants><query>GRANT flyball_writer</query></grants>" +
		"</default></users></clickhouse>\n")
	file := filepath.Join(t.TempDir(), user+".xml")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// The file is to be copied: the engine parses it, and what Flyball does needs no other right.
func TestUsersToCopyLackARight(t *testing.T) {
	if cluster != "" {
		t.Skip("the cluster form needs rights of its own")
	}
	own := enginetest.StartOwn(t)
	open := func() *clickhouse.Conn {
		t.Helper()
		c, err := clickhouse.Open(clickhouse.Options{Addrs: []string{own.Addr}, Database: "flyball"})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	as := func(user string, profile map[string]string) *clickhouse.Conn {
		t.Helper()
		own.Kill()
		own.Users = usersXML(t, user, profile)
		own.Start()
		return open()
	}
	admin := open()
	profile := map[string]string{}
	for _, s := range usersSQL(t) {
		if _, err := admin.QueryText(t.Context(), "EXPLAIN AST "+s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
		if _, settings, ok := strings.Cut(s, "CREATE SETTINGS PROFILE flyball_reader SETTINGS "); ok {
			for x := range strings.SplitSeq(settings, ", ") {
				name, value, _ := strings.Cut(x, " = ")
				profile[name] = value
			}
		}
	}
	if len(profile) != 3 {
		t.Fatalf("the profile of the reader: %v", profile)
	}
	writer := as("flyball_writer", nil)
	if got, err := writer.QueryText(t.Context(), "SELECT count() FROM system.users"); err == nil {
		t.Fatalf("the rights of the file are not in force: %s", got)
	}
	if _, err := clickhouse.Migrate(t.Context(), writer, clickhouse.MigrateOptions{Target: target(writer)}); err != nil {
		t.Fatal(err)
	}
	h := newPastCalls(120)
	h.insert(t, writer, 0)
	written := h.answers(t, writer)
	nobody := clickhouse.PurgeOptions{Target: target(writer), Tenant: "default", Principal: "nobody"}
	if _, err := clickhouse.Purge(t.Context(), writer, nobody); err != nil {
		t.Errorf("purge: %v", err)
	}
	now := time.Now()
	k := keeper(t, writer, &now)
	insertHold(t, writer, h.runs[0].RunID.String(), 1, false)
	look(t, k)
	for _, quarantine := range []time.Duration{0, time.Hour} {
		if _, err := learn.ReadPin(t.Context(), writer, quarantine); err != nil {
			t.Errorf("learn: %v", err)
		}
	}

	reader := as("flyball_reader", profile)
	read := h.answers(t, reader)
	for what, want := range written {
		if read[what] != want {
			t.Errorf("%s: the reader has %.200s, the writer %.200s", what, read[what], want)
		}
	}
	for refused, why := range map[string]string{
		"INSERT INTO flyball.audit_store SELECT * FROM flyball.audit_store": "privileges",
		"DROP TABLE flyball.calls_v5":                                       "privileges",
		"ALTER TABLE flyball.calls_v5 DELETE WHERE 1":                       "privileges",
		"SELECT * FROM system.users":                                        "privileges",
		"SELECT * FROM file('x', 'CSV', 'a String')":                        "privileges",
		"SELECT 1 SETTINGS max_execution_time = 61":                         "max_execution_time shouldn't be greater than 60",
		"SELECT 1 SETTINGS max_memory_usage = 4000000001":                   "max_memory_usage shouldn't be greater than 4000000000",
		"SELECT 1 SETTINGS readonly = 0":                                    "readonly",
	} {
		if err := reader.RunStatement(t.Context(), refused); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("the reader, %s: %v", refused, err)
		}
	}
	if _, err := query.ReadOnly(t.Context(), reader, "flyball", "SELECT count() FROM calls", 10); err != nil {
		t.Errorf("SQL of a person in Grafana: %v", err)
	}
}
