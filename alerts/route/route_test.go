package route

import (
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/alerts/incident"
	"flyball/schema"
)

func agent(name string, trust schema.Trust, level schema.Level) *schema.Finding {
	return &schema.Finding{AgentID: name, AgentTrust: trust, Level: level, Family: schema.FamilyLoop, Tenant: "t"}
}

var registry = incident.Registry{
	Owner: func(a string) string { return map[string]string{"billing/bot": "payments"}[a] },
	Tags:  func(a string) []string { return map[string][]string{"billing/bot": {"pci", "money"}}[a] },
}

func no() *bool  { v := false; return &v }
func yes() *bool { v := true; return &v }

func TestFindingGoesToAnotherReceiver(t *testing.T) {
	bot := agent("billing/bot", schema.TrustVerified, schema.LevelTrip)
	posing := agent("billing/bot", schema.TrustAsserted, schema.LevelTrip)
	soc := Route{Receivers: []string{"soc"}}
	for name, tc := range map[string]struct {
		routes []Route
		f      *schema.Finding
		want   string // receivers | routes
	}{
		"no routes":        {nil, bot, "all | no routes: all receivers"},
		"first match wins": {[]Route{{Agents: []string{"billing/*"}, Receivers: []string{"pay"}}, soc}, bot, "pay | routes[0]"},
		"continue":         {[]Route{{Receivers: []string{"pay"}, Continue: true}, soc}, bot, "pay soc | routes[0] routes[1]"},
		"no match":         {[]Route{{Agents: []string{"x"}, Receivers: []string{"pay"}}}, bot, " | "},
		"level": {[]Route{{MinLevel: schema.LevelTrip, Receivers: []string{"pay"}}, soc},
			agent("a", schema.TrustVerified, schema.LevelAlert), "soc | routes[1]"},
		"family":                        {[]Route{{Families: []string{"runaway.*"}, Receivers: []string{"pay"}}, soc}, bot, "pay | routes[0]"},
		"tenant":                        {[]Route{{Tenants: []string{"other"}, Receivers: []string{"pay"}}, soc}, bot, "soc | routes[1]"},
		"owner":                         {[]Route{{Owners: []string{"pay*"}, Receivers: []string{"pay"}}, soc}, bot, "pay | routes[0]"},
		"tag":                           {[]Route{{Tags: []string{"money"}, Receivers: []string{"pay"}}, soc}, bot, "pay | routes[0]"},
		"owner of a claimed name":       {[]Route{{Owners: []string{"pay*"}, Receivers: []string{"pay"}}, soc}, posing, "soc | routes[1]"},
		"tag of a claimed name":         {[]Route{{Tags: []string{"money"}, Receivers: []string{"pay"}}, soc}, posing, "soc | routes[1]"},
		"nobody":                        {[]Route{{Name: "known", Agents: []string{"billing/*"}}, soc}, bot, " | routes[0] (known) to nobody"},
		"claimed name takes nobody":     {[]Route{{Agents: []string{"billing/*"}}, soc}, posing, "soc | routes[1]"},
		"claimed names to nobody":       {[]Route{{Claimed: yes()}, soc}, posing, " | routes[0] to nobody"},
		"claimed names only":            {[]Route{{Claimed: yes()}, soc}, bot, "soc | routes[1]"},
		"established agents only":       {[]Route{{Claimed: no(), Receivers: []string{"pay"}}, soc}, posing, "soc | routes[1]"},
		"below alert is sent to nobody": {[]Route{soc}, agent("a", schema.TrustVerified, schema.LevelAnnotate), " | "},
	} {
		table := Table{Routes: tc.routes, All: []string{"all"}, Registry: registry}
		got := table.Find(tc.f, 0)
		if s := strings.Join(got.Receivers, " ") + " | " + strings.Join(got.By, " "); s != tc.want {
			t.Errorf("%s: %q, want %q", name, s, tc.want)
		}
	}
}

func TestHoursOfAnotherTimeZone(t *testing.T) {
	at := func(s string) int64 {
		v, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return v.UnixNano()
	}
	office, err := ParseHours("Europe/Berlin", []string{"mon-fri"}, "09:00", "17:00")
	if err != nil {
		t.Fatal(err)
	}
	night, err := ParseHours("America/New_York", []string{"fri"}, "22:00", "06:00")
	if err != nil {
		t.Fatal(err)
	}
	weekend, err := ParseHours("", []string{"sat-sun"}, "", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		hours *Hours
		at    string
		want  bool
	}{
		{office, "2026-11-30T08:00:00Z", true}, // 09:00 in winter
		{office, "2026-11-30T07:59:00Z", false},
		{office, "2026-11-30T16:00:00Z", false}, // the end is outside
		{office, "2026-07-01T07:00:00Z", true},  // 09:00 in summer
		{office, "2026-11-29T10:00:00Z", false}, // Sunday
		{night, "2026-11-28T03:00:00Z", true},   // Friday 22:00
		{night, "2026-11-28T10:59:00Z", true},   // Saturday 05:59 belongs to Friday
		{night, "2026-11-28T11:00:00Z", false},
		{night, "2026-11-27T10:00:00Z", false}, // Friday 05:00 belongs to Thursday
		{weekend, "2026-11-29T23:59:59Z", true},
		{weekend, "2026-11-30T00:00:00Z", false},
	} {
		if got := tc.hours.Contain(at(tc.at)); got != tc.want {
			t.Errorf("%s: %v", tc.at, got)
		}
	}
	table := Table{Routes: []Route{{Hours: office, Receivers: []string{"soc"}}, {Receivers: []string{"phone"}}}}
	f := agent("a", schema.TrustVerified, schema.LevelTrip)
	if day, later := table.Find(f, at("2026-11-30T10:00:00Z")), table.Find(f, at("2026-11-30T20:00:00Z")); !day.Timed ||
		!slices.Equal(day.Receivers, []string{"soc"}) || !slices.Equal(later.Receivers, []string{"phone"}) {
		t.Errorf("by day %v, later %v", day, later)
	}
}
