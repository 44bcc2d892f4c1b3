package doctor

import (
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/schema/clickhouse"
)

var now = time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)

// healthy returns the facts of a deployment in which nothing is wrong.
func healthy() *Facts {
	return &Facts{Now: now,
		Kafka: Kafka{Address: "k:9092", Authorizer: true, Topics: []Topic{{Name: "flyball.calls", Want: 8, Have: 8},
			{Name: "gateway-logs", Input: true, Have: 3}},
			Clock: Clock{Of: "Kafka", Known: true}},
		ClickHouse: ClickHouse{Address: "c:8123", Version: "26.7.2.1", WantCalls: 90, HaveCalls: 90, WantRuns: 400, HaveRuns: 400,
			Clock: Clock{Of: "ClickHouse", Known: true}},
		Process:   Process{Address: "m:7174", Clock: Clock{Of: "the control API", Known: true}},
		Gateways:  Gateways{Seen: []Gateway{{Name: "envoy", Calls: 1000, Asked: 900, Decisions: 900, Receipts: 890, Established: 1000}}},
		Disk:      Disk{Dir: "/data", Free: 100 << 30, Total: 200 << 30, Kept: 1 << 30, GrowthPerDay: 1 << 30},
		Receivers: []Endpoint{{Name: "soc", Address: "soc:443"}},
		Links:     Links{URL: "https://flyball.example", Deployment: "d_1", Want: "d_1"},
		Tokens:    []Expiry{{Key: "control.tokens[0]", Name: "ops", At: now.AddDate(1, 0, 0)}, {Key: "control.tokens[1]", Name: "ci"}},
		Certs:     []Expiry{{Key: "check.tls.cert", At: now.AddDate(0, 3, 0)}},
		Files:     []File{{Key: "secret_key_file", Path: "/data/secret.key", Mode: 0o600}},
		Listeners: []Listener{{Key: "check.listen", Address: ":7172", TLS: true}, {Key: "metrics.listen",
			Address: "127.0.0.1:7174", Loopback: true, NoTLS: true}}}
}

func TestHealthyDeploymentIsComplainedAbout(t *testing.T) {
	for _, f := range Examine(healthy()) {
		if f.Result != Good || f.Found == "" || f.Reason != "ok" {
			t.Errorf("%+v", f)
		}
	}
}

// Each fault alone is found under its name, with what to do, and nothing else is wrong.
func TestFaultIsNotFoundOrHasAnotherName(t *testing.T) {
	for want, change := range map[string]func(*Facts){
		"kafka kafka_away":                       func(f *Facts) { f.Kafka.Error = "refused" },
		"kafka.topics topic_missing":             func(f *Facts) { f.Kafka.Topics[0].Missing = true },
		"kafka.topics input_missing":             func(f *Facts) { f.Kafka.Topics[1].Missing = true },
		"kafka.topics partitions_differ":         func(f *Facts) { f.Kafka.Topics[0].Have = 4 },
		"kafka.topics topic_settings_differ":     func(f *Facts) { f.Kafka.Topics[0].Drift = []string{"retention.ms: has 1, want 2"} },
		"kafka.acls not_authorized":              func(f *Facts) { f.Kafka.Denied = []string{"write flyball.calls"} },
		"clickhouse clickhouse_away":             func(f *Facts) { f.ClickHouse.Error = "refused" },
		"clickhouse version_too_old":             func(f *Facts) { f.ClickHouse.Version = "24.8.1.1" },
		"clickhouse not_migrated":                func(f *Facts) { f.ClickHouse.NotMigrated = true },
		"clickhouse.rights rights_missing":       func(f *Facts) { f.ClickHouse.Denied = []string{"INSERT"} },
		"clickhouse.retention retention_differs": func(f *Facts) { f.ClickHouse.HaveCalls = 30 },
		"clickhouse.merges no_room_to_merge": func(f *Facts) {
			f.ClickHouse.Unmerged = clickhouse.Unmerged{Days: 3, Bytes: 9 << 30, Largest: 4 << 30, Free: 4 << 30}
		},
		"clocks clock_differs":                       func(f *Facts) { f.ClickHouse.Clock.Ahead = -time.Minute },
		"links links_elsewhere":                      func(f *Facts) { f.Links.Deployment = "" },
		"process process_away":                       func(f *Facts) { f.Process.Error = "refused" },
		"process part_not_ready":                     func(f *Facts) { f.Process.NotReady = []string{"store: away"} },
		"process part_warns":                         func(f *Facts) { f.Process.Warnings = []string{"control: stale"} },
		"process restart_needed":                     func(f *Facts) { f.Process.Restart = []string{"detect.mode"} },
		"process file_not_usable":                    func(f *Facts) { f.Process.FileError = "line 3" },
		"gateways.ids ids_not_logged":                func(f *Facts) { f.Gateways.Seen[0].Decisions, f.Gateways.Seen[0].Receipts = 0, 0 },
		"gateways.ids receipts_not_logged":           func(f *Facts) { f.Gateways.Seen[0].Receipts = 10 },
		"gateways.identity nobody_established":       func(f *Facts) { f.Gateways.Seen[0].Established = 0 },
		"gateways.identity client_names_logged":      func(f *Facts) { f.Gateways.Seen[0].Contradicted = 500 },
		"disk disk_full":                             func(f *Facts) { f.Disk.Free = 1 << 29 },
		"disk disk_grows":                            func(f *Facts) { f.Disk.GrowthPerDay = 50 << 30 },
		"disk disk_low":                              func(f *Facts) { f.Disk.Free, f.Disk.GrowthPerDay = 5<<30, 0 },
		"receivers no_receiver":                      func(f *Facts) { f.Receivers = nil },
		"receivers receiver_away":                    func(f *Facts) { f.Receivers[0].Error = "refused" },
		"tokens expired":                             func(f *Facts) { f.Tokens[0].At = now.Add(-time.Second) },
		"tokens expires_soon":                        func(f *Facts) { f.Tokens[0].At = now.Add(time.Hour) },
		"tokens not_readable":                        func(f *Facts) { f.Tokens[0].Error = "no such file" },
		"certificates expired":                       func(f *Facts) { f.Certs[0].At = now },
		"certificates expires_soon":                  func(f *Facts) { f.Certs[0].At = now.AddDate(0, 0, 20) },
		"files open_to_others":                       func(f *Facts) { f.Files[0].Mode = 0o640 },
		"files not_readable":                         func(f *Facts) { f.Files[0].Error = "permission denied" },
		"listeners open_without_tls":                 func(f *Facts) { f.Listeners[0].TLS = false },
		"listeners open_without_tls of plain parts ": func(f *Facts) { f.Listeners[1].Loopback = false },
	} {
		f := healthy()
		change(f)
		found := Examine(f)
		check, reason, _ := strings.Cut(want, " ")
		reason, _, _ = strings.Cut(reason, " ")
		n := 0
		for i, x := range found {
			switch {
			case x.Result == Wrong && x.Check == check && x.Reason == reason:
				n++
				if x.Found == "" || x.Do == "" && x.Check != checkProcess {
					t.Errorf("%s: says nothing of what to do: %+v", want, x)
				}
			case x.Result == Wrong:
				t.Errorf("%s: found besides: %+v", want, x)
			}
			if i > 0 && x.Result == Wrong && found[i-1].Result != Wrong {
				t.Errorf("%s: what is wrong does not come first", want)
			}
		}
		if n != 1 {
			t.Errorf("%s: found %d times in %+v", want, n, found)
		}
	}
}

// A check that has looked at a part does not call the whole good.
func TestGatewaysThatWereNotLookedAtAreCalledGood(t *testing.T) {
	f := &Facts{Now: now, Gateways: Gateways{Left: "more than 100 gateways",
		Seen: []Gateway{{Name: "envoy", Calls: 1000, Asked: 900, Decisions: 900, Receipts: 890, Established: 1000}}}}
	n := 0
	for _, x := range Examine(f) {
		if x.Check != checkIDs && x.Check != checkIdentity {
			continue
		}
		if n++; x.Result != Unknown || x.Found != f.Gateways.Left {
			t.Errorf("%+v", x)
		}
	}
	if n != 2 {
		t.Errorf("%d findings", n)
	}
}

// Days that wait to be merged are work in the background, not a fault: after an upgrade all stored days wait.
func TestDaysThatWaitToBeMergedAreCalledAFault(t *testing.T) {
	f := healthy()
	f.ClickHouse.Unmerged = clickhouse.Unmerged{Days: 89, Bytes: 9 << 30, Largest: 1 << 30, Free: 4 << 30, Parts: 12}
	for _, x := range Examine(f) {
		if x.Result != Good {
			t.Errorf("%+v", x)
		}
		if x.Check == checkMerges && (!strings.Contains(x.Found, "89 days") || !strings.Contains(x.Found, "12 parts")) {
			t.Errorf("it does not say how much waits: %s", x.Found)
		}
	}
}

// What cannot be reached is not called good.
func TestPartThatIsAwayIsCalledGood(t *testing.T) {
	f := &Facts{Now: now, Kafka: Kafka{Error: "away"}, ClickHouse: ClickHouse{Error: "away"}, Process: Process{Error: "away"},
		Gateways: Gateways{Error: "away"}, Disk: Disk{Error: "away"}, Links: Links{URL: "https://a.example", Error: "away"}}
	var goods []string
	for _, x := range Examine(f) {
		if x.Result == Good {
			goods = append(goods, x.Check)
		}
	}
	for _, check := range []string{checkKafka, checkTopics, checkACLs, checkClickHouse, checkRights, checkRetention, checkMerges,
		checkClocks, checkProcess, checkIDs,
		checkIdentity, checkDisk, checkLinks} {
		if slices.Contains(goods, check) {
			t.Errorf("%s is good although nothing is known of it", check)
		}
	}
}
