package storage

import (
	"fmt"
	"testing"
	"strings"

	"flyball/schema/topic"
)

func TestProfile(t *testing.T) {
	w := newWriter(0)
	w.g = newGateway(1, 10000, true)
	by := map[string][][]byte{}
	n := 0
	for range 100 {
		j, _ := topic.DecodeJournal(w.record(900).Value)
		n += 900
		for _, s := range j.Sections { by[s.Table] = append(by[s.Table], s.Native) }
	}
	run := func(label string, tables []string, alters ...string) {
		c := migrated(t)
		for _, a := range alters { sql(t, c, a) }
		for _, tb := range tables {
			sz := 0
			for _, b := range by[tb] { sz += len(b) }
			_, e0 := cpu()
			for range 3 {
				if err := c.InsertNative(t.Context(), tb, by[tb]...); err != nil { t.Fatal(err) }
			}
			_, e1 := cpu()
			fmt.Printf("%-40s %-15s %6.2f µs/row %d bytes/row\n", label, tb, float64((e1-e0).Microseconds())/float64(3*n), sz/n)
		}
	}

	c := migrated(t)
	cols := map[string]string{}
	var names []string
	for _, l := range strings.Split(sql(t, c, "SELECT name, type FROM system.columns WHERE database='{db}' AND table='calls_store'"), "\n") {
		f := strings.SplitN(l, "\t", 2)
		cols[f[0]] = strings.ReplaceAll(f[1], "\\'", "'")
		names = append(names, f[0])
	}
	fill(t, c, newGateway(1, 100, true), 2000)
	var used, unused []string
	for _, n := range names {
		if sql(t, c, "SELECT countIf("+n+" = defaultValueOfArgumentType("+n+")) = count() FROM {db}.calls_store") == "0" { used = append(used, n) } else { unused = append(unused, n) }
	}
	fmt.Println("used", len(used), "unused", len(unused))
	key := "tenant run_id start_time source_topic source_topic_id source_partition source_offset item"
	var dropIx []string
	for _, ix := range strings.Fields("ix_trace ix_request ix_address ix_host ix_credential ix_run_key ix_position") {
		dropIx = append(dropIx, "ALTER TABLE {db}.calls_store DROP INDEX "+ix)
	}
	run("base", []string{"calls_store", "touches_store", "trace_calls", "runs_store"})
	run("no trace/req idx", []string{"calls_store"}, dropIx[:2]...)
	run("no indexes", []string{"calls_store"}, dropIx...)
	var d []string
	for _, n := range unused { if !strings.Contains(key, n) { d = append(d, "ALTER TABLE {db}.calls_store DROP COLUMN "+n) } }
	run("no indexes, no unused", []string{"calls_store"}, append(append([]string{}, dropIx...), d...)...)
	var lc []string
	for _, n := range used { if strings.HasPrefix(cols[n], "LowCard") && !strings.Contains(key, n) { lc = append(lc, "ALTER TABLE {db}.calls_store MODIFY COLUMN "+n+" String CODEC(ZSTD(1))") } }
	run("+ words as String in table", []string{"calls_store"}, append(append(append([]string{}, dropIx...), d...), lc...)...)
	var tolc []string
	for _, n := range used { if cols[n] == "String" && n != "path" { tolc = append(tolc, "ALTER TABLE {db}.calls_store MODIFY COLUMN "+n+" LowCardinality(String) CODEC(ZSTD(1))") } }
	run("+ names as LC in table", []string{"calls_store"}, append(append(append([]string{}, dropIx...), d...), tolc...)...)
	var en []string
	for _, n := range used { if strings.HasPrefix(cols[n], "Enum8") && !strings.Contains(key, n) { en = append(en, "ALTER TABLE {db}.calls_store MODIFY COLUMN "+n+" Int8 CODEC(ZSTD(1))") } }
	run("+ enums as Int8 in table", []string{"calls_store"}, append(append(append([]string{}, dropIx...), d...), en...)...)
	run("+ no arrays/maps", []string{"calls_store"}, append(append(append([]string{}, dropIx...), d...), "ALTER TABLE {db}.calls_store DROP COLUMN attrs", "ALTER TABLE {db}.calls_store DROP COLUMN resources", "ALTER TABLE {db}.calls_store DROP COLUMN resource_sources", "ALTER TABLE {db}.calls_store DROP COLUMN query_keys")...)
	w2 := newWriter(0); w2.g = newGateway(1, 10000, true)
	by = map[string][][]byte{}
	for range 10 { j, _ := topic.DecodeJournal(w2.record(9000).Value); for _, s := range j.Sections { by[s.Table] = append(by[s.Table], s.Native) } }
	run("no indexes, blocks of 9000", []string{"calls_store"}, dropIx...)
	run("no indexes, no unused, 9000", []string{"calls_store"}, append(append([]string{}, dropIx...), d...)...)
}
