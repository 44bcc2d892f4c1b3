package app

import (
	"runtime"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestHeapIsNotMeasured(t *testing.T) {
	reg := prometheus.NewRegistry()
	reg.MustRegister(newHeapMetrics())
	read := func() map[string]float64 {
		runtime.GC()
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		out := map[string]float64{}
		for _, f := range families {
			out[f.GetName()] = f.Metric[0].GetGauge().GetValue() + f.Metric[0].GetCounter().GetValue()
		}
		return out
	}
	before := read()
	const size, others = 256 << 20, 64 << 20 // others: what other tests leave and the collector frees meanwhile
	held := make([]byte, size)
	after := read()
	runtime.KeepAlive(held)
	if grown := after["flyball_heap_live_bytes"] - before["flyball_heap_live_bytes"]; grown < size-others || grown > size+others {
		t.Errorf("the live heap grew by %.0f bytes with %d more", grown, len(held))
	}
	gc, all := after["flyball_collector_cpu_seconds_total"], after["flyball_runtime_cpu_seconds_total"]
	if gc <= before["flyball_collector_cpu_seconds_total"] || all < gc {
		t.Errorf("collector %v s of %v s", gc, all)
	}
}
