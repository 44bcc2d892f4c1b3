package api

import (
	"fmt"
	"net/http"

	"flyball/detect/enforce"
	"flyball/detect/enforce/ledger"
	"flyball/schema"
)

// settings holds the operations on the settings that all points share.
type settings struct{ *server }

func (s *settings) operations() []operation {
	return []operation{
		list("/v1/settings", "settings", "What every point folds by, and what this point's file says", SettingsLine{},
			func(x *exchange) any { return s.settingsLine(x.caller.tenant) }),
		withBody(operation{path: "/v1/settings", id: "setSettings", role: Admin, answer: ChangeResult{}, problems: []int{409},
			summary: "Change the settings that all points share: the bounds of automatic trips"}, s.change),
	}
}

// SettingsLine is the response of /v1/settings: the settings in force, and those of this point's
// file.
type SettingsLine struct {
	ledger.TenantSettings
	Since  string       `json:"since,omitempty"`
	File   FileSettings `json:"file"`
	Differ bool         `json:"differ"` // the file differs, and is not in force
}

// FileSettings are the settings in the configuration file of the point that responds.
type FileSettings struct {
	TripsPerHour  int `json:"trips_per_hour"`
	AgentsPercent int `json:"agents_percent"`
}

func (s *server) settingsLine(tenant string) SettingsLine {
	v := s.o.State.Acquire()
	have := v.Settings(tenant)
	v.Release()
	file := FileSettings{s.o.Budget.PerHour, s.o.Budget.Percent}
	return SettingsLine{TenantSettings: have, Since: timestamp(have.At), File: file,
		Differ: have.Generation != 0 && file != FileSettings{have.TripsPerHour, have.AgentsPercent}}
}

func (s *settings) change(x *exchange, in *ChangeSettingsRequest) {
	was := s.settingsLine(x.caller.tenant)
	x.submit(change{met: []string{fmt.Sprintf("it was at most %d automatic trips an hour, of at most %d %% of the active agents",
		was.TripsPerHour, was.AgentsPercent)}, command: schema.Command{Kind: schema.CommandSettings, By: x.by(in.By), Reason: in.Reason,
		Settings: &schema.Settings{TripsPerHour: in.TripsPerHour, AgentsPercent: in.AgentsPercent}}, success: enforce.InForce,
		statuses: map[enforce.ResultCode]int{enforce.Rejected: http.StatusBadRequest}})
}
