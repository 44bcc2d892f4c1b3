package main

import (
	"os"
	"strings"
	"testing"
	"time"
)

// running is the HTTP address of a running Flyball's ClickHouse (FLYBALL_RUNNING), and after a comma the address of its control API.
var running = os.Getenv("FLYBALL_RUNNING")

// The story has a few rows, with short names. A deployment has thousands, with long ones: by hand, its dashboards are asked and drawn, too
// (make panels RUNNING=host:port).
func TestDashboardOfARunningFlyballHasAnError(t *testing.T) {
	if running == "" {
		t.Skip("FLYBALL_RUNNING names no running Flyball")
	}
	addr, control, _ := strings.Cut(running, ",")
	v := (&store{t: t, at: time.Now().Add(-2 * time.Hour)}).viewerOf(map[string]string{"addr": addr, "controlUrl": control})
	v.from, v.to = time.Now().Add(-6*time.Hour), time.Now()
	for _, d := range dashboards(t) {
		for _, values := range v.selections(&d)[:1] {
			for i := range d.Panels {
				for _, target := range d.Panels[i].Targets {
					if r := v.see(target, values); r.Error != nil {
						t.Errorf("%s: %q with %v: %v", d.UID, d.Panels[i].Title, values, r.Error)
					}
				}
			}
		}
	}
	v.keep(t, "running", func(d *dashboard) map[string]string { return v.fullest(d) })
}
