package api

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/http"
	"sort"
	"strings"
	"sync"

	"flyball/detect/enforce"
	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/ledger"
	"flyball/schema"
)

// Supports says whether a kind of command may be written: an error names the live
// points of which nobody knows that they fold it. A point that is gone is waited for
// until it is no longer listed.
func (c *Control) Supports(kind schema.CommandKind) error {
	need := kind.Feature()
	switch {
	case need <= 1:
		return nil
	case need > schema.CommandsFeature:
		return fmt.Errorf("%s: this release does not fold it", kind)
	case !c.others.read.Load():
		return fmt.Errorf("%s: the heartbeats of the other points are being read", kind)
	}
	var old []string
	for _, p := range c.live() {
		if p.Reads < need {
			old = append(old, p.Point)
		}
	}
	if len(old) == 0 {
		return nil
	}
	sort.Strings(old)
	return fmt.Errorf("%s: these enforcement points do not read it yet: %s; upgrade them (one that was stopped is forgotten after %d minutes)",
		kind, strings.Join(old, ", "), int64(pointGone)/60e9)
}

// settingsNotice remembers what was written and said of settings.
type settingsNotice struct {
	mu      sync.Mutex
	written bool  // the settings of the file, and nobody has folded them yet
	sent    int64 // the value of ticks.sent then
	differ  bool  // it was said that they are not what holds
}

// settle writes the settings of the file where the log says nothing of the tenant,
// and says where the log says something else.
func (c *Control) settle() {
	if !c.others.read.Load() || c.Ready() != nil {
		return
	}
	c.mu.RLock()
	have := c.state.Settings(c.o.Tenant)
	c.mu.RUnlock()
	differ := have.Generation != 0 && c.o.Budget != breaker.Budget{PerHour: have.TripsPerHour, Percent: have.AgentsPercent}
	c.settings.mu.Lock()
	defer c.settings.mu.Unlock()
	c.m.settingsDiffer.Set(map[bool]float64{true: 1}[differ])
	if differ && !c.settings.differ {
		c.o.Logger.Warn("control.trip_budget of this point's file is not what holds: the log's settings do (flyball settings set changes them)",
			"file_per_hour", c.o.Budget.PerHour, "file_agents_percent", c.o.Budget.Percent,
			"per_hour", have.TripsPerHour, "agents_percent", have.AgentsPercent, "by", have.By)
	}
	c.settings.differ = differ
	waits := c.settings.written && c.ticks.sent.Load()-c.settings.sent < 10
	if have.Generation != 0 || waits || c.Supports(schema.CommandSettings) != nil {
		return
	}
	c.settings.written, c.settings.sent = true, c.ticks.sent.Load()
	c.submitLater(initialSettings(c.o.Tenant, c.o.Name, c.o.Budget))
}

// initialSettings are those of a file. Their id is made of what they say: points
// with the same file write one command.
func initialSettings(tenant, point string, b breaker.Budget) *schema.Command {
	sum := sha256.Sum256(fmt.Appendf(nil, "%q %d %d", tenant, b.PerHour, b.Percent))
	return &schema.Command{ID: "settings_" + hex.EncodeToString(sum[:8]), Kind: schema.CommandSettings, Tenant: tenant, By: point,
		Reason:   "control.trip_budget of the file with which the first point started",
		Settings: &schema.Settings{TripsPerHour: &b.PerHour, AgentsPercent: &b.Percent, Initial: true}}
}

// ChangeSettingsRequest changes what every point folds by. What is absent stays.
type ChangeSettingsRequest struct {
	TripsPerHour  *int   `json:"trips_per_hour,omitempty" rule:"0..1000000"`
	AgentsPercent *int   `json:"agents_percent,omitempty" rule:"0..100"`
	Reason        string `json:"reason" rule:"1..1000 words"`
	By            string `json:"by,omitempty" rule:"0..100"`
}

// SettingsLine is the answer of /v1/settings: what holds, and what this point's file says.
type SettingsLine struct {
	ledger.TenantSettings
	Since  string       `json:"since,omitempty"`
	File   FileSettings `json:"file"`
	Differ bool         `json:"differ"` // the file says something else, and does not hold
}

// FileSettings is what the configuration file of the point that answers says.
type FileSettings struct {
	TripsPerHour  int `json:"trips_per_hour"`
	AgentsPercent int `json:"agents_percent"`
}

func (c *Control) settingsLine(tenant string) SettingsLine {
	c.mu.RLock()
	have := c.state.Settings(tenant)
	c.mu.RUnlock()
	file := FileSettings{c.o.Budget.PerHour, c.o.Budget.Percent}
	return SettingsLine{TenantSettings: have, Since: stamp(have.At), File: file,
		Differ: have.Generation != 0 && file != FileSettings{have.TripsPerHour, have.AgentsPercent}}
}

func (c *Control) setSettings(in *call) {
	ask := in.ask.(*ChangeSettingsRequest)
	in.submit(c, schema.Command{Kind: schema.CommandSettings, By: in.who.named(ask.By), Reason: ask.Reason,
		Settings: &schema.Settings{TripsPerHour: ask.TripsPerHour, AgentsPercent: ask.AgentsPercent}}, enforce.InForce,
		map[enforce.ResultCode]int{enforce.Rejected: http.StatusBadRequest}, done)
}
