package engine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/baselinestore"
	"flyball/detect/model/baseline"
	"flyball/schema/wire"
)

// A baseline that cannot be used is counted and named in the log, and the last one stays active:
// the partition continues.
func TestBadBaselineStopsAPartition(t *testing.T) {
	l := newLog(t)
	put := func(version string, value []byte) {
		t.Helper()
		if err := l.client.ProduceSync(context.Background(), &kgo.Record{Topic: wire.BaselinesTopic, Key: []byte(version),
			Value: value}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	document := func(format int, version string, change func(*baseline.Baseline)) []byte {
		b := baseline.New("default")
		b.Version = version
		if change != nil {
			change(b)
		}
		value, err := wire.EncodeDocument(format, b)
		if err != nil {
			t.Fatal(err)
		}
		return value
	}
	put("default/good", document(wire.BaselineVersion, "default/good", nil))
	put("default/newer", document(wire.BaselineVersion+1, "default/newer", nil))
	put("default/unsound", document(wire.BaselineVersion, "default/unsound",
		func(b *baseline.Baseline) { b.All[0] = baseline.Count{Hits: 9, Calls: 1} }))
	put("default/torn", document(wire.BaselineVersion, "default/torn", nil)[:40])
	put("default/usable", document(wire.BaselineVersion, "default/usable", nil))
	put("default/empty", []byte(`{"v":1,"body":{"version":"default/empty"}}`))
	r := prometheus.NewRegistry()
	e, stop := l.start(func(c *Config) { c.Registerer = r })
	count := func(name string) float64 {
		families, err := r.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == name {
				return f.Metric[0].GetCounter().GetValue()
			}
		}
		return 0
	}
	from := int64(0)
	for i, step := range []struct {
		version         string
		refused, absent float64
		warning         string // of the part detect, which status shows
	}{
		{"default/good", 0, 0, ""}, {"default/newer", 1, 0, "made by a newer version of Flyball and is not used"},
		{"default/unsound", 2, 0, "default/unsound is not used"}, {"default/torn", 3, 0, "default/torn is not used"},
		{"default/gone", 3, 1, "run flyball learn --once"}, {"default/empty", 3, 1, "default/gone"}, {"default/usable", 3, 1, ""},
	} {
		l.write(wire.EncodeMarks(nil, &wire.Marks{Activate: []wire.Activation{{What: "baseline", Version: step.version}}}))
		l.block(from, from+10)
		from += 10
		if got := l.rows(int(from)); got != int(from) {
			t.Fatalf("step %d: %d calls went through, %d were sent", i, got, from)
		}
		for end := time.Now().Add(10 * time.Second); count("flyball_detect_refused_baselines_total") != step.refused ||
			count("flyball_detect_missing_baselines_total") != step.absent; {
			if time.Now().After(end) {
				t.Fatalf("after %s: %g refused, %g missing", step.version, count("flyball_detect_refused_baselines_total"),
					count("flyball_detect_missing_baselines_total"))
			}
			time.Sleep(20 * time.Millisecond)
		}
		if err := e.Warning(); (err == nil) != (step.warning == "") || err != nil && !strings.Contains(err.Error(), step.warning) {
			t.Errorf("after %s: the warning is %v, want %q", step.version, err, step.warning)
		}
	}
	// After a restart the baseline before it is used if the last one cannot be used.
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	b := &baselines{kafka: l.opts, known: map[string]*baseline.Baseline{}}
	for version, want := range map[string]string{"default/newer": "default/good", "default/unsound": "default/good", "default/aaa": ""} {
		body, err := b.before(context.Background(), version)
		if want == "" {
			if !errors.Is(err, baselinestore.ErrNotPublished) {
				t.Errorf("before %s: %v", version, err)
			}
		} else if err != nil || body.Version != want {
			t.Errorf("before %s: %v, want %s", version, err, want)
		}
	}
}
