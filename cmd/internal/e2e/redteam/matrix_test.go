package redteam

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"flyball/schema"
)

// The matrix: every gateway, every kind of identity of a caller, every function of
// enforcement. Its table is part of deploy/README.md.

// callers are the kinds of identity. Each also has its own name, which only the gateway of the
// consumer establishes.
var callers = []struct{ name, as, agent string }{
	{"plain", "", "bot@@"}, {"bearer", "bearer:tok@@", "bot@@"}, {"API key", "key:tok@@", "bot@@"}, {"both", "both:tok@@", "bot@@"},
	{"consumer", "consumer:bot@@", "bot@@"},
}

// situation is a row of the table.
type situation struct {
	name  string
	check string // state of the check: "", slow, gone
	// steps of a caller; nil: the row does not apply to it.
	steps func(as string) []Step
}

func call(method, path, as string, headers ...string) *Request {
	return send(method, path, as, append([]string{"X-Agent-Id: bot@@"}, headers...)...)
}

const runHeader = "X-Agent-Run-Id: run@@"

var situations = []situation{
	{"allowed", "", func(as string) []Step {
		return []Step{must(passesAsDecided, call("GET", "/v1/orders/1?q=1", as, runHeader))}
	}},
	{"a write outside the manifest", "", func(as string) []Step {
		return []Step{{Manifest: scoped}, must(denied, call("DELETE", "/v1/accounts/7", as, runHeader))}
	}},
	{"the same after a yes, twice", "", func(as string) []Step {
		ask := call("DELETE", "/v1/accounts/7", as, runHeader)
		return []Step{{Manifest: scoped}, {Asks: ask}, {Grant: true}, must(passes, ask), must(denied, ask)}
	}},
	{"a tripped run", "", func(as string) []Step {
		return []Step{{Detect: call("GET", "/v1/orders/1", as, runHeader)}, must(denied, call("GET", "/v1/orders/2", as, runHeader))}
	}},
	{"a tripped run under another id", "", func(as string) []Step {
		if as == "" {
			return nil // a name that any client can claim is not established
		}
		return []Step{{Detect: call("GET", "/v1/orders/1", as, runHeader)},
			must(denied, call("GET", "/v1/orders/2", as, "X-Agent-Run-Id: other@@"))}
	}},
	{"a kill switch on the run", "", func(as string) []Step {
		return []Step{{TripRun: call("GET", "/v1/orders/1", as, runHeader)}, must(denied, call("GET", "/v1/orders/2", as, runHeader))}
	}},
	{"on the credential", "", func(as string) []Step {
		kind, name, _ := strings.Cut(as, ":")
		switch kind {
		case "":
			return nil
		case "consumer":
		case "both":
			name = "secret:b-" + name
		default:
			name = "secret:" + name
		}
		return []Step{kill(schema.ScopeCredential, name), must(denied, call("GET", "/v1/orders/2", as, runHeader))}
	}},
	{"on the agent", "", func(as string) []Step {
		if !strings.HasPrefix(as, "consumer:") {
			return nil // a name that any client can claim is not held, also not when it is left out
		}
		return []Step{kill(schema.ScopeAgent, "bot@@"), must(denied, call("GET", "/v1/orders/2", as, runHeader)),
			must(denied, call("DELETE", "/v1/accounts/7", as))}
	}},
	{"on the route", "", func(as string) []Step {
		return []Step{kill(schema.ScopeRoute, "PUT /v9/r@@/{id}"), must(denied, call("PUT", "/v9/r@@/7", as, runHeader))}
	}},
	{"on the address", "", func(as string) []Step {
		return []Step{kill(schema.ScopeAddress, "127.0.9.1"), must(denied,
			call("GET", "/v1/orders/2", as, runHeader, "X-Forwarded-For: 192.0.2.9").from("127.0.9.1"))}
	}},
	{"check slow: read, write", "slow", away},
	{"check gone: read, write", "gone", away},
	{"check gone: a GET that a header makes a DELETE", "gone", func(as string) []Step {
		return []Step{must(refused, call("GET", "/v1/accounts/7", as, "X-HTTP-Method-Override: DELETE"))}
	}},
}

func away(as string) []Step {
	return []Step{must(servedUndecided, call("GET", "/v1/orders/1", as)), must(refused, call("DELETE", "/v1/accounts/7", as))}
}

// servedUndecided checks that a read passes when the check is not reachable; Traefik can only
// reject it.
func servedUndecided(r *result) string {
	if r.way == "traefik" {
		return refused(r)
	}
	if r.status != 200 || len(r.served) != 1 {
		return fmt.Sprintf("must pass: status %d, reached the service %d times", r.status, len(r.served))
	}
	return ""
}

// matrix runs every cell and returns the table: situation, gateway, result.
func (f *fixture) matrix(t *testing.T) (all []*attempt, table map[string]map[string]string) {
	table = map[string]map[string]string{}
	for i, s := range situations {
		table[s.name] = map[string]string{}
		switch s.check {
		case "slow":
			f.http.stall()
			f.grpc.stall()
		case "gone":
			f.http.gone()
			f.grpc.gone()
		}
		for k, w := range f.ways {
			if _, real := w.(*gateway); !real {
				continue
			}
			if s.check == "slow" && w.name() == "traefik" {
				table[s.name]["traefik"] = "waits"
				continue
			}
			cells := map[string][]string{} // results, with the callers that got them
			for j, c := range callers {
				steps := s.steps(c.as)
				if steps == nil {
					cells["–"] = append(cells["–"], c.name)
					continue
				}
				a := f.point.run(&Attack{Name: s.name + ", " + c.name, Steps: steps}, w, fmt.Sprintf("%dc%dw%d", i, j, k))
				a.undecided = s.check != ""
				if s.check != "" {
					a.faults = slices.DeleteFunc(a.faults, func(f string) bool { return strings.Contains(f, "without a decision") })
				}
				all = append(all, a)
				var came []string
				for _, r := range a.sent {
					came = append(came, fmt.Sprint(r.status))
				}
				if steps[0].Manifest != "" && len(came) > 3 { // the rate of gates is limited: use the last results
					came = came[len(came)-3:]
				}
				cells[strings.Join(came, ", ")] = append(cells[strings.Join(came, ", ")], c.name)
			}
			table[s.name][w.name()] = cellText(cells)
		}
		switch s.check {
		case "slow":
			f.http.resume()
			f.grpc.resume()
		case "gone":
			f.http.back(t)
			f.grpc.back(t)
		}
	}
	return all, table
}

// cellText names callers only if their results differ.
func cellText(cells map[string][]string) string {
	var parts []string
	for came, who := range cells {
		if len(cells) == 1 {
			return came
		}
		parts = append(parts, fmt.Sprintf("%s: %s", strings.Join(who, ", "), came))
	}
	slices.Sort(parts)
	if len(cells) == 2 && len(cells["–"]) > 0 {
		for came := range cells {
			if came != "–" {
				return came
			}
		}
	}
	return strings.Join(parts, "; ")
}

const (
	readme     = "../../../../deploy/README.md"
	tableBegin = "<!-- matrix: written by `make redteam-table` -->\n"
	tableEnd   = "<!-- matrix: end -->\n"
)

var columns = []string{"envoy-grpc", "envoy-http", "nginx", "caddy", "haproxy", "traefik"}

// checkTable compares the table with the one in deploy/README.md, for the
// gateways that ran; -update writes those.
func checkTable(t *testing.T, table map[string]map[string]string) {
	t.Helper()
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), tableBegin)
	old, after, ok2 := strings.Cut(rest, tableEnd)
	if !ok || !ok2 {
		t.Fatalf("%s has no table between its two marks", readme)
	}
	was := map[string][]string{}
	for _, line := range strings.Split(old, "\n") {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		if len(cells) == len(columns)+1 {
			was[cells[0]] = cells[1:]
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "| | %s |\n|%s\n", strings.Join(columns, " | "), strings.Repeat("---|", len(columns)+1))
	for _, s := range situations {
		fmt.Fprintf(&b, "| %s |", s.name)
		for i, g := range columns {
			cell, ran := table[s.name][g]
			if !ran && was[s.name] != nil {
				cell = was[s.name][i]
			} else if !ran {
				cell = "not run"
			}
			fmt.Fprintf(&b, " %s |", cell)
		}
		b.WriteString("\n")
	}
	if *update {
		if err := os.WriteFile(readme, []byte(before+tableBegin+b.String()+tableEnd+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if b.String() != old {
		t.Errorf("the table in deploy/README.md is another one; make redteam-table writes this:\n%s", b.String())
	}
}
