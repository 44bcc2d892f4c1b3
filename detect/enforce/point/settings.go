package point

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"sync"

	"flyball/detect/enforce/breaker"
	"flyball/schema"
)

// Supports returns an error unless a kind of command may be written. The error names the live
// points that are not known to fold it: such a command would end their fold. A point that was
// stopped counts as live until its heartbeat is ten minutes old.
func (p *Point) Supports(kind schema.CommandKind) error {
	need := kind.Feature()
	switch {
	case need <= 1:
		return nil
	case need > schema.CommandsFeature:
		return fmt.Errorf("%s: this release does not fold it", kind)
	case !p.points.complete.Load():
		return fmt.Errorf("%s: the heartbeats of the other points are being read", kind)
	}
	var old []string
	for _, x := range p.Live() {
		if x.Reads < need {
			old = append(old, x.Point)
		}
	}
	if len(old) == 0 {
		return nil
	}
	slices.Sort(old)
	return fmt.Errorf("%s: these enforcement points do not read it yet: %s; upgrade them (one that was stopped is forgotten after %d minutes)",
		kind, strings.Join(old, ", "), int64(pointTTL.Minutes()))
}

// settingsWriter holds what was written and logged about the settings of the file.
type settingsWriter struct {
	mu      sync.Mutex
	written bool  // the settings of the file were written
	sent    int64 // number of written ticks at that time
	differ  bool  // it was logged that the log's settings differ
}

// settingsRetry is the number of ticks after which settings that are not folded are written again.
const settingsRetry = 10

// writeSettings writes the settings of the file while the log has none of the tenant, and
// logs once that the log's settings differ from the file.
func (p *Point) writeSettings() {
	if !p.points.complete.Load() || p.Ready() != nil {
		return
	}
	v := p.Acquire()
	have := v.Settings(p.o.Tenant)
	v.Release()
	differ := have.Generation != 0 && p.o.Budget != breaker.Budget{PerHour: have.TripsPerHour, Percent: have.AgentsPercent}
	s := &p.settings
	s.mu.Lock()
	defer s.mu.Unlock()
	p.m.settingsDiffer.Set(map[bool]float64{true: 1}[differ])
	if differ && !s.differ {
		p.o.Logger.Warn("control.trip_budget of this point's file is not what holds: the log's settings do (flyball settings set changes them)",
			"file_per_hour", p.o.Budget.PerHour, "file_agents_percent", p.o.Budget.Percent,
			"per_hour", have.TripsPerHour, "agents_percent", have.AgentsPercent, "by", have.By)
	}
	s.differ = differ
	waits := s.written && p.ticks.sent.Load()-s.sent < settingsRetry
	if have.Generation != 0 || waits || p.Supports(schema.CommandSettings) != nil {
		return
	}
	s.written, s.sent = true, p.ticks.sent.Load()
	p.log.Send(InitialSettings(p.o.Tenant, p.o.Name, p.o.Budget), nil)
}

// InitialSettings returns the command that puts the settings of a configuration file in force. Its
// id is derived from its content, so points with the same file write the same command.
func InitialSettings(tenant, point string, b breaker.Budget) *schema.Command {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %d %d", tenant, b.PerHour, b.Percent))
	return &schema.Command{ID: "settings_" + hex.EncodeToString(sum[:8]), Kind: schema.CommandSettings, Tenant: tenant, By: point,
		Reason:   "control.trip_budget of the file with which the first point started",
		Settings: &schema.Settings{TripsPerHour: &b.PerHour, AgentsPercent: &b.Percent, Initial: true}}
}
