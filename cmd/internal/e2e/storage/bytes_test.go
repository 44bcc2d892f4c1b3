package storage

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"flyball/schema"
	"flyball/schema/clickhouse"
)

// fill stores n calls of a gateway with their touches and traces, in blocks of
// 900 rows and inserts of 90,000.
func fill(t testing.TB, c *clickhouse.Conn, g *gateway, n int) {
	t.Helper()
	calls, touches, traces := clickhouse.CallsTable.NewBlock(), clickhouse.TouchesTable.NewBlock(), clickhouse.CallIDsTable.NewBlock()
	var b, b2, b3 []byte
	flush := func() {
		b, b2, b3 = calls.AppendNative(b), touches.AppendNative(b2), traces.AppendNative(b3)
		calls.Reset()
		touches.Reset()
		traces.Reset()
	}
	insert := func() {
		flush()
		for table, blocks := range map[string][]byte{"calls_v5": b, "touches_v5": b2, "call_ids": b3} {
			if err := c.InsertNative(t.Context(), table, blocks); err != nil {
				t.Fatal(err)
			}
		}
		b, b2, b3 = b[:0], b2[:0], b3[:0]
	}
	var call schema.Call
	for i := 1; i <= n; i++ {
		g.next(&call)
		calls.Append(&call)
		touches.AppendValue(touchOf(&call))
		traces.AppendValue(idOf(&call))
		if i%900 == 0 {
			flush()
		}
		if i%90000 == 0 {
			insert()
		}
	}
	insert()
}

// TestStoredCallIsTooLarge checks the limits of bytes for a stored call.
func TestStoredCallIsTooLarge(t *testing.T) {
	n := 200000
	if s := os.Getenv("FLYBALL_STORED_CALLS"); s != "" {
		n, _ = strconv.Atoi(s)
	}
	for _, with := range []struct {
		ids bool
		bar float64
	}{{false, 60}, {true, 100}} {
		t.Run(fmt.Sprintf("ids=%v", with.ids), func(t *testing.T) {
			c := migrated(t)
			fill(t, c, newGateway(1, max(100, n/100), with.ids), n)
			for _, table := range []string{"calls_v5", "touches_v5", "call_ids"} {
				sql(t, c, "OPTIMIZE TABLE {db}."+table+" FINAL")
			}
			size := func(table string) float64 {
				v, _ := strconv.ParseFloat(sql(t, c,
					"SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = '{db}' AND table = '"+table+"'"), 64)
				return v / float64(n)
			}
			if testing.Verbose() {
				fmt.Println(sql(t, c,
					fmt.Sprintf("SELECT name, type, compression_codec, round(data_compressed_bytes / %d, 2) AS b, round(marks_bytes / %d, 2) FROM "+
						"system.columns WHERE database = '{db}' AND table = 'calls_v5' AND b >= 0.05 ORDER BY b DESC", n, n)))
				fmt.Println(sql(t, c,
					fmt.Sprintf("SELECT name, round(data_compressed_bytes / %d, 2) FROM system.data_skipping_indices WHERE database = '{db}' AND "+
						"table = 'calls_v5'", n)))
			}
			calls := size("calls_v5")
			t.Logf("%d calls: calls_v5 %.1f bytes a call, touches_v5 %.1f, call_ids %.1f", n, calls, size("touches_v5"),
				size("call_ids"))
			if calls > with.bar {
				t.Errorf("%.1f bytes a stored call, want at most %.0f", calls, with.bar)
			}
		})
	}
}

// idOf returns the row by which the trace of a call is found.
func idOf(c *schema.Call) schema.CallID {
	return schema.CallID{Tenant: c.Tenant, Day: schema.DayOf(c.Start), Kind: schema.CallIDTrace, ID: schema.HashCallID(c.TraceID[:]),
		Actor: c.ActorHash}
}
