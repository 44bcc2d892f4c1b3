package decode

import (
	"fmt"
	"testing"
	"time"

	"flyball/schema"
)

func TestFormsOfTime(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		in   string
		want string
		p    schema.Precision
	}{
		{"2026-10-02T09:30:15Z", "2026-10-02T09:30:15Z", schema.PrecisionSecond},
		{"2026-10-02T09:30:15.4Z", "2026-10-02T09:30:15.4Z", schema.PrecisionMilli},
		{"2026-10-02T09:30:15.417123Z", "2026-10-02T09:30:15.417123Z", schema.PrecisionMicro},
		{"2026-10-02T09:30:15.417123456Z", "2026-10-02T09:30:15.417123456Z", schema.PrecisionNano},
		{"2026-10-02T09:30:15.4171234Z", "2026-10-02T09:30:15.4171234Z", schema.PrecisionNano},
		{"2026-10-31T23:59:59.999Z", "2026-10-31T23:59:59.999Z", schema.PrecisionMilli},
		{"2024-02-29T00:00:00Z", "2024-02-29T00:00:00Z", schema.PrecisionSecond},
		{"2026-10-02T09:30:15.417+02:00", "2026-10-02T07:30:15.417Z", schema.PrecisionMilli},
		{"2026-10-02T09:30:15.417+0200", "2026-10-02T07:30:15.417Z", schema.PrecisionMilli},
		{"2026-10-02T09:30:15.417", "2026-10-02T07:30:15.417Z", schema.PrecisionMilli},
		{"2026-10-02 09:30:15.417123", "2026-10-02T07:30:15.417123Z", schema.PrecisionMicro},
		{"2026-10-02 09:30:15Z", "2026-10-02T09:30:15Z", schema.PrecisionSecond},
		{"02/Oct/2026:09:30:15 -0700", "2026-10-02T16:30:15Z", schema.PrecisionSecond},
		{"02/Oct/2026:09:30:15.655", "2026-10-02T07:30:15.655Z", schema.PrecisionMilli},
		{"2026/10/02 - 09:30:15", "2026-10-02T07:30:15Z", schema.PrecisionSecond},
		{"1790933415", "2026-10-02T09:30:15Z", schema.PrecisionSecond},
		{"1790933415.417", "2026-10-02T09:30:15.417Z", schema.PrecisionMilli},
		{"1790933415.123456789", "2026-10-02T09:30:15.123456789Z", schema.PrecisionNano},
		{"1790933415417", "2026-10-02T09:30:15.417Z", schema.PrecisionMilli},
		{"1790933415417.5", "2026-10-02T09:30:15.4175Z", schema.PrecisionMicro},
		{"1790933415417123", "2026-10-02T09:30:15.417123Z", schema.PrecisionMicro},
		{"1790933415417123456", "2026-10-02T09:30:15.417123456Z", schema.PrecisionNano},
		{"1.790933415e9", "2026-10-02T09:30:15Z", schema.PrecisionSecond},
		{"1.790933415417e+09", "2026-10-02T09:30:15.417Z", schema.PrecisionMilli},
		{"1790933415417e-3", "2026-10-02T09:30:15.417Z", schema.PrecisionMilli},
	} {
		ns, p, ok := parseTime(c.in, berlin)
		if got := time.Unix(0, ns).UTC().Format(time.RFC3339Nano); !ok || got != c.want || p != c.p {
			t.Errorf("%s: %s %s %v, want %s %s", c.in, got, p, ok, c.want, c.p)
		}
	}
	for _, s := range []string{"", "-", "yesterday", "-5", "1e400", "1e", "NaN", "2026-02-30T00:00:00Z", "2026-13-01T00:00:00Z",
		"0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
		"99999999999999999999", "9223372036854775807", "2026-10-02T25:00:00Z", "2026-10-02T09:30:15,5Z0", "2026-10-02T09:30:15.Z", "1.2.3",
		"/:T"} {
		if ns, _, ok := parseTime(s, time.UTC); ok {
			t.Errorf("%q is read as %s", s, time.Unix(0, ns).UTC())
		}
	}
}

// A float of seconds since 1970 is not precise enough for microseconds.
func TestFractionsAreNotRoundedThroughAFloat(t *testing.T) {
	for i := range 1000 {
		s := fmt.Sprintf("1790933415.%09d", i*999_983)
		if ns, _, ok := parseTime(s, time.UTC); !ok || fmt.Sprint(ns) != s[:10]+s[11:] {
			t.Fatalf("%s is read as %d", s, ns)
		}
	}
}

func TestListsOfTries(t *testing.T) {
	for _, c := range []struct {
		in   string
		sum  int64
		n    int
		last string
	}{
		{"0.100, 1.100", 1_200_000_000, 2, "1.100"}, {"0.1 : 0.2", 300_000_000, 2, "0.2"}, {"0.001, - : 0.002", 3_000_000, 2, "0.002"},
		{"-", 0, 0, ""}, {"", 0, 0, ""}, {"-1", 0, 0, ""},
	} {
		if sum, n, last := parseList(c.in, 1e9); sum != c.sum || n != c.n || last != c.last {
			t.Errorf("%q: %d %d %q", c.in, sum, n, last)
		}
	}
}

func at(t *testing.T, start string, kafka int64) schema.Call {
	t.Helper()
	p := newPipeline(t, Options{}, &seen{})
	calls, dead := p.Decode(&Record{Timestamp: kafka,
		Value: []byte(`{"start_time":"` + start + `","method":"GET","path":"/","response_code":200}`)}, nil)
	wantCalls(t, calls, dead, 1)
	return calls[0]
}

// Skew is measured only against the record's own timestamp, and only into the future.
func TestAClockAheadOfKafkaIsNotBelieved(t *testing.T) {
	kafka := time.Date(2026, 10, 2, 9, 30, 0, 0, time.UTC).UnixNano()
	for _, c := range []struct {
		start string
		kafka int64
		basis schema.Basis
	}{
		{"2026-10-02T09:40:00Z", kafka, schema.BasisStart},
		{"2026-10-02T09:40:00.001Z", kafka, schema.BasisKafka},
		{"2100-01-01T00:00:00Z", kafka, schema.BasisKafka},
		{"1999-01-01T00:00:00Z", kafka, schema.BasisStart},
		{"2100-01-01T00:00:00Z", 0, schema.BasisStart},
		{"2100-01-01T00:00:00Z", -1, schema.BasisStart},
		{"2026-10-02T09:30:00Z", 1<<63 - 1, schema.BasisStart},
	} {
		got := at(t, c.start, c.kafka)
		if got.TSBasis != c.basis || got.TSBasis == schema.BasisKafka && got.Start != c.kafka ||
			got.TSBasis == schema.BasisStart && got.StartTime().Year() != mustYear(t, c.start) {
			t.Errorf("%s against %d: %s, %s", c.start, c.kafka, got.StartTime(), got.TSBasis)
		}
	}
}

func mustYear(t *testing.T, s string) int {
	t.Helper()
	v, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return v.Year()
}

func TestKafkaTimeIsNotTheEventTime(t *testing.T) {
	if got := at(t, "2026-10-02T09:30:15Z", kafkaTime); got.Start == got.KafkaTime || got.KafkaTime != kafkaTime {
		t.Errorf("start %d, kafka %d", got.Start, got.KafkaTime)
	}
}

// nginx logs the end of a call, Envoy its start.
func TestEndIsNotStart(t *testing.T) {
	n, _ := oneCall(t, []byte(`{"msec":"1790933415.500","request_time":"0.250","request_uri":"/","request_method":"GET","status":"200"}`))
	if n.Start != 1790933415_250_000_000 || n.TSBasis != schema.BasisEndMinusDuration || n.EndNs() != 1790933415_500_000_000 {
		t.Errorf("nginx: %s %s", n.StartTime(), n.TSBasis)
	}
	n, _ = oneCall(t, []byte(`{"time_local":"02/Oct/2026:08:50:15 +0000","request":"GET / HTTP/1.1","status":200}`))
	if n.Start != 1790931015_000_000_000 || n.TSBasis != schema.BasisEnd || n.DurationNs != -1 || n.TSPrecision != schema.PrecisionSecond {
		t.Errorf("nginx without a duration: %d %s", n.Start, n.TSBasis)
	}
	// The better time is used, in any order.
	for _, s := range [...]string{`"msec":"1790933415.500","time_iso8601":"2026-10-02T08:50:15+00:00"`,
		`"time_iso8601":"2026-10-02T08:50:15+00:00","msec":"1790933415.500"`} {
		n, _ = oneCall(t, []byte(`{`+s+`,"request_uri":"/","request_method":"GET","status":"200"}`))
		if n.Start != 1790933415_500_000_000 {
			t.Errorf("%s: %s", s, n.StartTime())
		}
	}
}

// The time of a shipper is used only if the line has none.
func TestShippersTimeIsNotTheCalls(t *testing.T) {
	c, _ := oneCall(t, []byte(`{"@timestamp":"2026-10-02T08:00:00Z","message":`+quote(envoyLine)+`}`))
	if c.TSBasis != schema.BasisStart || c.StartTime().Hour() != 9 {
		t.Errorf("%s %s", c.StartTime(), c.TSBasis)
	}
	c, _ = oneCall(t, []byte(`{"@timestamp":1790931600.5,"message":"{\"method\":\"GET\",\"path\":\"/\",\"response_code\":200,\"response_flags\":null}"}`))
	if c.TSBasis != schema.BasisLog || c.Start != 1790931600_500_000_000 {
		t.Errorf("%s %s", c.StartTime(), c.TSBasis)
	}
}

func TestZoneOfTimesWithoutOne(t *testing.T) {
	calls, dead := with(t, Input{Format: "nginx_json", Timezone: "America/New_York"},
		[]byte(`{"time":"2026-07-01 12:00:00","request":"GET / HTTP/1.1","status":200}`))
	wantCalls(t, calls, dead, 1)
	if calls[0].StartTime().Hour() != 16 {
		t.Error(calls[0].StartTime())
	}
}
