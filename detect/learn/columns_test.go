package learn

import (
	"context"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
)

// fakeDB returns one row for a query of runs and one for a query of calls, and none for others. It selects the values by
// the expressions of the statement.
type fakeDB struct{ values map[string]any }

func (f fakeDB) Query(_ context.Context, query string, _ ...any) (driver.Rows, error) {
	var row factsRow
	columns := row.columns()
	if strings.HasPrefix(query, olderRuns[:strings.Index(olderRuns, "\n")]) {
		columns = []column{{"count()", nil}, {"sum(calls)", nil}, {"toUnixTimestamp64Nano(max(last_at))", nil}}
	} else if !strings.HasPrefix(query, "SELECT "+selectList(columns)+" FROM ") {
		var call callRow
		columns = append(call.columns(), (&decisionColumns{}).columns()...)
		if !strings.HasPrefix(query, "SELECT "+selectList(columns)+" FROM calls AS c ") {
			return &fakeRows{read: true}, nil
		}
	}
	var names []string
	for _, c := range columns {
		names = append(names, c.sql)
	}
	return &fakeRows{values: f.values, columns: names}, nil
}

type fakeRows struct {
	driver.Rows
	values  map[string]any
	columns []string
	read    bool
}

func (r *fakeRows) Next() bool   { was := r.read; r.read = true; return !was }
func (r *fakeRows) Err() error   { return nil }
func (r *fakeRows) Close() error { return nil }

func (r *fakeRows) Scan(into ...any) error {
	for i, name := range r.columns {
		if v, ok := r.values[name]; ok {
			reflect.ValueOf(into[i]).Elem().Set(reflect.ValueOf(v))
		}
	}
	return nil
}

func TestColumnIsReadIntoAnotherField(t *testing.T) {
	at := time.Unix(1_700_000_000, 7).UTC()
	db := fakeDB{map[string]any{
		"toString(c.run_id)": "0190a000-0000-7000-8000-000000000001", "toString(run_id)": "0190a000-0000-7000-8000-000000000001",
		"toString(agent_trust)": "verified", "agent_id": "shop/a", "toString(caller_kind)": "agent", "task_id": "refund",
		alarmed: true, "c.method": "POST", "c.route": "/orders/{id}", "c.args_digest": uint64(11), "c.result_digest": uint64(12),
		"c.bytes_in": uint64(13), "c.bytes_out": uint64(14), "toString(c.effect)": "update", "toString(c.reversibility)": "irreversible",
		"c.resources": []string{"order:7"}, "c.start_time": at, "c.duration_ns": int64(15),
		"c.tokens_in": uint32(16), "c.tokens_out": uint32(17),
		"c.attrs['amount']": "18.5", "c.attrs['currency']": "EUR",
		"toString(run_rule)": "explicit", "credential_id": "cred", "actor": "actor", "toString(agent_version)": "2",
		verdictOf:              "benign",
		"toString(task_trust)": "verified", "toUnixTimestamp64Nano(started_at)": at.UnixNano(),
		"toUnixTimestamp64Nano(last_at)": at.UnixNano(), "c.run_key": "key", "c.tool_name": "tool", "c.client_ip": "192.0.2.7",
		"c.calls_partition": int32(3),
		"c.calls_offset":    int64(19),
	}}
	n := 0
	r, err := PlanReading(t.Context(), db, Window{Tenant: "t"})
	if err != nil {
		t.Fatal(err)
	}
	err = r.ReadAll(t.Context(), func(c *StoredCall) {
		n++
		if c.Agent != "shop/a" || c.Group != "shop" || c.Task != "refund" || !c.Alarmed || !c.First || c.Route != "POST /orders/{}" ||
			!c.At.Equal(at) {
			t.Errorf("%+v", c)
		}
		if !c.Write || c.Failed || c.Args != 11 || c.Result != 12 || c.Bytes != 14 || c.Tokens != 33 || !c.Irreversible || c.Money != 18.5 ||
			c.Currency != "EUR" ||
			c.Start != at.UnixNano() || c.End != at.UnixNano()+15 || len(c.Resources) != 1 {
			t.Errorf("features: %+v", c.Input)
		}
		s := &c.Stored
		if s.BytesIn != 13 || s.CredentialID != "cred" || s.RunKey != "key" || s.ToolName != "tool" || s.ClientIP.String() != "192.0.2.7" ||
			s.CallsPart != 3 || s.CallsOffset != 19 || s.Tenant != "t" || s.AgentTrust != schema.TrustVerified {
			t.Errorf("stored: %+v", s)
		}
		if c.Of.Actor != "actor" || c.Of.AgentVersion != "2" || c.Of.StartedAt != at.UnixNano() || c.TaskType != "refund" ||
			c.Verdict != schema.VerdictBenign {
			t.Errorf("run: %+v, %q, %v", c.Of, c.TaskType, c.Verdict)
		}
	})
	if err != nil || n != 1 {
		t.Fatalf("%d calls: %v", n, err)
	}
}
