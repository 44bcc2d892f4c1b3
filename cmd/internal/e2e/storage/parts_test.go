package storage

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/journal"
	"flyball/schema"
	"flyball/schema/wire"
)

// backfill makes journal records with calls of many days in random order.
func backfill(days, records, rows int) (out []*kgo.Record, calls int) {
	r := rand.New(rand.NewPCG(5, 9))
	g := newGateway(3, 20, true)
	w := journal.New(0)
	base := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	var c schema.Call
	for i := range records {
		for range rows {
			g.next(&c)
			c.Start = base.AddDate(0, 0, r.IntN(days)).Add(time.Duration(calls) * time.Millisecond).UnixNano()
			c.KafkaTime = c.Start // it arrived on that day, and is stored later
			c.Source.Partition, c.CallsPart, c.CallsOffset, c.Pos = 0, 0, int64(i), schema.Position{Offset: int64(calls)}
			w.Add(&c, &schema.RunSnapshot{RunID: c.RunID, Tenant: c.Tenant, AgentID: c.AgentID})
			calls++
		}
		w.Covered(int64(i))
		out = append(out, &kgo.Record{Topic: wire.JournalTopic, Partition: 0, Value: w.Cut(callsTopic)})
	}
	return out, calls
}

// Calls of 30 days in random order make a part of each day and table with every insert. ClickHouse rejects inserts when it has too
// many parts, until it has merged them: the store waits, makes fewer and larger inserts, and stores everything once.
func TestBackfillOfManyDaysMakesTooManyPartsForEver(t *testing.T) {
	c := migrated(t)
	sql(t, c, "ALTER TABLE {db}.calls_v5 MODIFY SETTING parts_to_delay_insert = 4, parts_to_throw_insert = 4")
	_, kafka := broker(t)
	sql(t, c, "SYSTEM STOP MERGES {db}.calls_v5") // a server that merges more slowly than the store inserts
	rs, calls := backfill(30, 60, 60)
	r := start(t, quick(), kafka, &gate{Conn: c})
	for i, record := range rs[:4] { // a batch each, and a part of each day
		produce(t, kafka, record)
		until(t, "a commit", func() bool { return committed(t, kafka, wire.StoreGroup) == int64(i+1) })
	}
	produce(t, kafka, rs[4:]...)
	until(t, "rejected inserts", func() bool { return counter(t, r.reg, "flyball_store_retries_total", "") > 5 })
	if err := r.Ready(); err == nil || !strings.Contains(err.Error(), "Too many parts") {
		t.Errorf("the store does not say why it waits: %v", err)
	}
	sql(t, c, "SYSTEM START MERGES {db}.calls_v5")
	until(t, "commits", func() bool {
		sql(t, c, "OPTIMIZE TABLE {db}.calls_v5 FINAL") // the server finds the time to merge
		return committed(t, kafka, wire.StoreGroup) == int64(len(rs))
	})
	if got, want := sql(t, c, "SELECT count(), "+positions+" FROM {db}.calls"), fmt.Sprintf("%d\t%d", calls, calls); got != want {
		t.Errorf("calls, positions: %s, want %s", got, want)
	}
	retries := counter(t, r.reg, "flyball_store_retries_total", "")
	const active = " FROM system.parts WHERE database = '{db}' AND active "
	if days := sql(t, c, "SELECT uniqExact(partition)"+active+"AND table = 'calls_v5'"); days != "30" {
		t.Errorf("%s days are stored, want 30", days)
	}
	most := sql(t, c, "SELECT max(n) FROM (SELECT count() AS n"+active+"GROUP BY table, partition)")
	t.Logf("%d calls in %d records; %.0f rejected requests; at most %s parts of a day at the end", calls, len(rs), retries,
		strings.TrimSpace(most))
	if err := r.Ready(); err != nil {
		t.Error(err)
	}
}
