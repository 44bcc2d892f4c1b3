package main

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"flyball/cmd/internal/config"
)

// scrapeTimeout is the longest time that a request for metrics may take.
const scrapeTimeout = 3 * time.Second

// metrics are those of a process, by name.
type metrics map[string]*dto.MetricFamily

// scrape reads the metrics of the process that a configuration names.
func scrape(ctx context.Context, c config.Config) (metrics, error) {
	ctx, cancel := context.WithTimeout(ctx, scrapeTimeout)
	defer cancel()
	r, err := getFromProcess(ctx, c, "/metrics")
	if err != nil {
		return nil, err
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("/metrics: %s", r.Status)
	}
	p := expfmt.NewTextParser(model.UTF8Validation)
	return p.TextToMetricFamilies(r.Body)
}

// getFromProcess sends a GET request to metrics.listen. This is a URL if the command talks to another
// machine: then it is the control listener, which serves the same paths.
func getFromProcess(ctx context.Context, c config.Config, path string) (*http.Response, error) {
	base := c.Metrics.Listen
	t := target{url: base}
	if !strings.Contains(base, "://") {
		t.url = "http://" + base
	} else if ca := c.Control.TLS.CA; ca != "" {
		t.authorities = []authority{{"ca", ca}}
	}
	client, err := newControlClient(t)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url+path, nil)
	if err != nil {
		return nil, err
	}
	return client.http.Do(req)
}

// value is that of a counter or a gauge; of a histogram it is the number of samples.
func value(m *dto.Metric) float64 {
	switch {
	case m.Counter != nil:
		return m.Counter.GetValue()
	case m.Gauge != nil:
		return m.Gauge.GetValue()
	case m.Histogram != nil:
		return float64(m.Histogram.GetSampleCount())
	}
	return m.Untyped.GetValue()
}

// sum adds up all series of a metric.
func (m metrics) sum(name string) float64 {
	var n float64
	if f := m[name]; f != nil {
		for _, x := range f.Metric {
			n += value(x)
		}
	}
	return n
}

// total is the sum of a metric's series; nil if the process does not have the metric.
func (m metrics) total(name string) *float64 {
	if m[name] == nil {
		return nil
	}
	n := m.sum(name)
	return &n
}

// by adds up the series of a metric by a label.
func (m metrics) by(name, label string) map[string]float64 {
	out := map[string]float64{}
	if f := m[name]; f != nil {
		for _, x := range f.Metric {
			for _, l := range x.Label {
				if l.GetName() == label {
					out[l.GetValue()] += value(x)
				}
			}
		}
	}
	return out
}

// lag is the number of records that wait for the readers of a group, of all partitions. ok is false
// if the process does not know it.
func (m metrics) lag(group string) (records float64, ok bool) {
	if m.sum("flyball_lag_known") != 1 {
		return 0, false
	}
	n, ok := m.by("flyball_lag_records", "group")[group]
	return n, ok
}
