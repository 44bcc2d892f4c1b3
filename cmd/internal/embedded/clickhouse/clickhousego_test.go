package clickhouse_test

import (
	"context"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/google/uuid"
	"github.com/shopspring/decimal"

	"flyball/cmd/internal/embedded/clickhouse/enginetest"
)

func open(t testing.TB, addr, db string, with ...func(*clickhouse.Options)) clickhouse.Conn {
	t.Helper()
	opt := &clickhouse.Options{
		Protocol: clickhouse.HTTP, Addr: []string{addr}, Auth: clickhouse.Auth{Database: db},
		MaxOpenConns: 8, DialTimeout: 10 * time.Second,
	}
	for _, w := range with {
		w(opt)
	}
	c, err := clickhouse.Open(opt)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestClickhouseGoPingsAndReadsTheVersion(t *testing.T) {
	addr := enginetest.Start(t)
	c := open(t, addr, "default")
	if err := c.Ping(t.Context()); err != nil {
		t.Fatal(err)
	}
	v, err := c.ServerVersion()
	if err != nil || v.Version.Major < 24 {
		t.Errorf("version %v, err %v", v, err)
	}
}

// everyType has one column of each type that the product or its users' queries use, with the values of two rows.
var everyType = []struct {
	typ  string
	vals [2]any
}{
	{"UInt8", [2]any{uint8(0), uint8(255)}},
	{"Int64", [2]any{int64(-1 << 63), int64(1<<63 - 1)}},
	{"UInt64", [2]any{uint64(0), uint64(1<<64 - 1)}},
	{"Float32", [2]any{float32(-1.5), float32(3.25)}},
	{"Float64", [2]any{1e-300, -2.5e300}},
	{"Bool", [2]any{true, false}},
	{"String", [2]any{"", "a\x00b\n'\"\\ü"}},
	{"FixedString(4)", [2]any{"abcd", "\x00\x01\x02\x03"}},
	{"LowCardinality(String)", [2]any{"x", "y"}},
	{"LowCardinality(Nullable(String))", [2]any{(*string)(nil), ptr("y")}},
	{"Nullable(UInt32)", [2]any{(*uint32)(nil), ptr(uint32(7))}},
	{"Nullable(String)", [2]any{ptr(""), (*string)(nil)}},
	{"Array(String)", [2]any{[]string{}, []string{"a", "", "c"}}},
	{"Array(LowCardinality(String))", [2]any{[]string{"p", "q"}, []string{}}},
	{"Array(Array(UInt16))", [2]any{[][]uint16{{1}, {}}, [][]uint16{{2, 3}}}},
	{"Map(String, String)", [2]any{map[string]string{}, map[string]string{"k": "v", "l": ""}}},
	{"Map(LowCardinality(String), UInt64)", [2]any{map[string]uint64{"a": 1}, map[string]uint64{}}},
	{"Tuple(String, UInt8)", [2]any{[]any{"t", uint8(1)}, []any{"", uint8(0)}}},
	{"Enum8('low' = -1, 'high' = 1)", [2]any{"low", "high"}},
	{"UUID", [2]any{uuid.MustParse("00112233-4455-6677-8899-aabbccddeeff"), uuid.Nil}},
	{"IPv4", [2]any{net.IPv4(192, 0, 2, 7).To4(), net.IPv4(0, 0, 0, 0).To4()}},
	{"IPv6", [2]any{net.ParseIP("2001:db8::7"), net.ParseIP("::ffff:192.0.2.9")}},
	{"Date", [2]any{day(1999, 12, 31), day(2026, 2, 28)}},
	{"Date32", [2]any{day(1931, 1, 1), day(2250, 6, 1)}},
	{"DateTime('UTC')", [2]any{time.Unix(0, 0).UTC(), time.Unix(1767225599, 0).UTC()}},
	{"DateTime64(9, 'UTC')", [2]any{time.Unix(1, 1).UTC(), time.Unix(1767225599, 999999999).UTC()}},
	{"Decimal(18, 4)", [2]any{decimal.RequireFromString("-1.2345"), decimal.RequireFromString("99999999.0001")}},
	{"Int128", [2]any{big.NewInt(-5), new(big.Int).Lsh(big.NewInt(1), 100)}},
}

func ptr[T any](v T) *T { return &v }

func day(y, m, d int) time.Time { return time.Date(y, time.Month(m), d, 0, 0, 0, 0, time.UTC) }

func TestEveryColumnTypeSurvivesABatchAndASelect(t *testing.T) {
	addr := enginetest.Start(t)
	db := enginetest.Database(t, addr)
	for _, way := range []struct {
		name string
		with func(*clickhouse.Options)
	}{
		{"plain", func(*clickhouse.Options) {}},
		{"lz4", func(o *clickhouse.Options) {
			o.Compression = &clickhouse.Compression{Method: clickhouse.CompressionLZ4}
		}},
		{"zstd", func(o *clickhouse.Options) {
			o.Compression = &clickhouse.Compression{Method: clickhouse.CompressionZSTD, Level: 1}
		}},
		{"gzip", func(o *clickhouse.Options) {
			o.Compression = &clickhouse.Compression{Method: clickhouse.CompressionGZIP, Level: 1}
			o.Settings = clickhouse.Settings{"enable_http_compression": 1}
		}},
	} {
		t.Run(way.name, func(t *testing.T) {
			c := open(t, addr, db, way.with)
			var cols []string
			for i, ty := range everyType {
				cols = append(cols, fmt.Sprintf("c%d %s", i, ty.typ))
			}
			ctx := t.Context()
			table := "types_" + way.name
			if err := c.Exec(ctx, "CREATE TABLE "+table+" (n UInt8, "+strings.Join(cols, ", ")+") ENGINE = MergeTree ORDER BY n"); err != nil {
				t.Fatal(err)
			}
			b, err := c.PrepareBatch(ctx, "INSERT INTO "+table)
			if err != nil {
				t.Fatal(err)
			}
			for n := range 2 {
				row := []any{uint8(n)}
				for _, ty := range everyType {
					row = append(row, ty.vals[n])
				}
				if err := b.Append(row...); err != nil {
					t.Fatal(err)
				}
			}
			if err := b.Send(); err != nil {
				t.Fatal(err)
			}
			rows, err := c.Query(ctx, "SELECT * EXCEPT n FROM "+table+" ORDER BY n")
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			for n := 0; rows.Next(); n++ {
				dest := make([]any, len(everyType))
				for i, ct := range rows.ColumnTypes() {
					dest[i] = reflect.New(ct.ScanType()).Interface()
				}
				if err := rows.Scan(dest...); err != nil {
					t.Fatal(err)
				}
				for i, ty := range everyType {
					got, want := show(reflect.ValueOf(dest[i]).Elem().Interface()), show(ty.vals[n])
					if got != want {
						t.Errorf("row %d, %s: got %s, sent %s", n, ty.typ, got, want)
					}
				}
			}
			if err := rows.Err(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// show makes values comparable that the driver scans into its own types.
func show(v any) string {
	switch x := v.(type) {
	case time.Time:
		return x.UTC().Format(time.RFC3339Nano)
	case net.IP:
		a, _ := netip.AddrFromSlice(x)
		return a.Unmap().String()
	case big.Int:
		return x.String()
	}
	rv := reflect.ValueOf(v)
	if rv.Kind() == reflect.Pointer {
		if rv.IsNil() {
			return "NULL"
		}
		if s, ok := v.(fmt.Stringer); ok && rv.Elem().Kind() != reflect.String {
			return s.String()
		}
		return show(rv.Elem().Interface())
	}
	return fmt.Sprint(v)
}

func TestParametersBindByTypeAndNeverAsText(t *testing.T) {
	addr := enginetest.Start(t)
	c := open(t, addr, "default")
	nasty := `it's "x" \ ; DROP TABLE t -- ü`
	var s string
	var n uint64
	var arr []string
	err := c.QueryRow(t.Context(), "SELECT {s:String}, {n:UInt64}, {a:Array(String)}",
		clickhouse.Named("s", nasty), clickhouse.Named("n", "42"), clickhouse.Named("a", "['p','q']")).Scan(&s, &n, &arr)
	if err != nil {
		t.Fatal(err)
	}
	if s != nasty || n != 42 || len(arr) != 2 || arr[1] != "q" {
		t.Errorf("got %q %d %q", s, n, arr)
	}
}

func TestErrorsArriveTypedWithClickHousesCode(t *testing.T) {
	addr := enginetest.Start(t)
	c := open(t, addr, "default")
	for sql, code := range map[string]int32{
		"SELECT * FROM no_such_table": 60,
		"SELEC 1":                     62,
		"SELECT no_such_column":       47,
		"SELECT throwIf(1)":           395,
		"CREATE TABLE no_db.t (a UInt8) ENGINE = Memory": 81,
	} {
		var e *clickhouse.Exception
		if err := c.Exec(t.Context(), sql); !errors.As(err, &e) || e.Code != code {
			t.Errorf("%s: wanted code %d, got %v", sql, code, err)
		}
	}
}

func TestErrorInTheMiddleOfALargeResultIsNotTakenForItsEnd(t *testing.T) {
	addr := enginetest.Start(t)
	c := open(t, addr, "default")
	rows, err := c.Query(t.Context(), "SELECT number, throwIf(number = 4000000) FROM numbers(5000000)")
	n := 0
	if err == nil {
		defer rows.Close()
		for rows.Next() {
			n++
		}
		err = rows.Err()
	}
	var e *clickhouse.Exception
	if !errors.As(err, &e) || e.Code != 395 {
		t.Errorf("after %d rows: wanted exception 395, got %v", n, err)
	}
}

func TestSameDeduplicationTokenStoresOnce(t *testing.T) {
	addr := enginetest.Start(t)
	db := enginetest.Database(t, addr)
	c := open(t, addr, db)
	if err := c.Exec(t.Context(),
		"CREATE TABLE d (a UInt64) ENGINE = MergeTree ORDER BY a SETTINGS non_replicated_deduplication_window = 100"); err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{"one", "one", "two"} {
		ctx := clickhouse.Context(t.Context(), clickhouse.WithSettings(clickhouse.Settings{"insert_deduplication_token": token}))
		b, err := c.PrepareBatch(ctx, "INSERT INTO d")
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Append(uint64(1)); err != nil {
			t.Fatal(err)
		}
		if err := b.Send(); err != nil {
			t.Fatal(err)
		}
	}
	var n uint64
	if err := c.QueryRow(t.Context(), "SELECT count() FROM d").Scan(&n); err != nil || n != 2 {
		t.Errorf("count %d, err %v: wanted 2", n, err)
	}
}

func TestEmptyResultHasNoRowsAndNoError(t *testing.T) {
	addr := enginetest.Start(t)
	c := open(t, addr, "default")
	rows, err := c.Query(t.Context(), "SELECT number FROM numbers(10) WHERE number > 100")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if rows.Next() || rows.Err() != nil {
		t.Errorf("rows where none are, or %v", rows.Err())
	}
}

func TestSlowQueryEndsAtItsTimeLimit(t *testing.T) {
	addr := enginetest.Start(t)
	c := open(t, addr, "default")
	// The driver derives this setting from a deadline, so the context has none.
	ctx := clickhouse.Context(context.Background(), clickhouse.WithSettings(clickhouse.Settings{"max_execution_time": 1}))
	var e *clickhouse.Exception
	err := c.Exec(ctx, "SELECT count() FROM numbers(1e12) WHERE sipHash64(number) = 1")
	if !errors.As(err, &e) || e.Code != 159 {
		t.Errorf("wanted TIMEOUT_EXCEEDED, got %v", err)
	}
}
