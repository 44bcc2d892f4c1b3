package redteam

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/realparts"
	"flyball/detect/enforce/api"
	"flyball/schema"
	"flyball/schema/wire"
)

var update = flag.Bool("update", false, "write the known failures and the table of deploy/README.md as they are now")

var verbose = flag.Bool("differences", false, "print in what log lines differ from what the check saw, and what took long")

// attacks returns all attacks; the files are ordered by kind.
func attacks() []Attack {
	return slices.Concat(dialectAttacks, identityAttacks, pathAttacks, methodAttacks, moneyAttacks, addressAttacks, protocolAttacks)
}

const files = "../../../../deploy/gateways"

// gateways returns the gateways that this machine can run. The build of Traefik takes eight
// minutes, so it runs only if FLYBALL_TEST_TRAEFIK is set.
func gateways() []string {
	if only, set := os.LookupEnv("FLYBALL_TEST_GATEWAYS"); set { // during development: only some of them
		return strings.Fields(only)
	}
	names := []string{"caddy", "envoy-grpc", "envoy-http", "haproxy", "nginx"}
	if os.Getenv("FLYBALL_TEST_TRAEFIK") != "" {
		names = append(names, "traefik")
	}
	return names
}

// fixture is one point with all ways to it: the check alone in each dialect, and the real
// gateways. The check can be made slow or unreachable for all of them together.
type fixture struct {
	point      *testPoint
	http, grpc *valve
	service    *service
	ways       []way
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	p := newPoint(t)
	f := &fixture{point: p, http: newValve(t, p.config.Check.Listen), grpc: newValve(t, p.config.Check.GRPC), service: newService(t)}
	f.ways = []way{newAloneGRPC(t, p.config.Check.GRPC)}
	for _, dialect := range []string{"envoy", "nginx", "caddy", "haproxy"} {
		f.ways = append(f.ways, &alone{dialect: dialect, addr: p.config.Check.Listen})
	}
	for _, name := range gateways() {
		f.ways = append(f.ways, &gateway{realparts.StartGateway(t, name, files, f.service.Listener.Addr().String(), f.http.addr, f.grpc.addr),
			f.service, "shop.example"})
	}
	return f
}

// attempt is one attack on one way, with the checks that failed.
type attempt struct {
	attack, way string
	sent        []*result
	faults      []string
	undecided   bool // the check is not reachable: the log names the caller as well as it can
}

func (a *attempt) fault(format string, args ...any) {
	if f := fmt.Sprintf(format, args...); !slices.Contains(a.faults, f) {
		a.faults = append(a.faults, f)
	}
}

func TestAttacks(t *testing.T) {
	f := newFixture(t)
	var all []*attempt
	for i, attack := range attacks() {
		for j, w := range f.ways {
			if attack.on(w) {
				all = append(all, f.point.run(&attack, w, fmt.Sprintf("%dw%d", i, j)))
			}
		}
	}
	f.compareLogs(all)
	judge(t, "attacks", all)
	fmt.Printf("%d attacks, %d attempts\n", len(attacks()), len(all))

	cells, table := f.matrix(t)
	f.compareLogs(cells)
	judge(t, "matrix", cells)
	checkTable(t, table)
}

func (f *fixture) compareLogs(all []*attempt) {
	for _, w := range f.ways {
		if w.log() != "" {
			f.point.compareLog(w, all)
		}
	}
}

// run executes the steps of an attack on a way.
func (p *testPoint) run(attack *Attack, w way, word string) *attempt {
	a := &attempt{attack: attack.Name, way: w.name()}
	fill := func(s string) string { return strings.ReplaceAll(s, "@@", word) }
	n := 0
	gates := map[string]bool{}
	ask := func(r *Request) *result {
		n++
		out := w.send(r.unique(word), fmt.Sprintf("redteam/%s.%d", word, n))
		out.way = w.name()
		if gate := decisionHeader(out, "X-Flyball-Gate"); gate != "" {
			gates[gate] = true
		}
		return out
	}
	var last *result
	began := time.Now()
	defer func() {
		if took := time.Since(began); *verbose && took > 2*time.Second {
			fmt.Printf("%s, %s: %s\n", attack.Name, w.name(), took.Round(time.Millisecond))
		}
	}()
	var opened []schema.Scope
	defer func() { // breakers and gates of this attack must not affect the next one
		for _, scope := range opened {
			p.operate("POST", "/v1/breakers/reset", api.ResetRequest{Scope: scope, Reason: "test"})
		}
		for gate := range gates {
			p.refuse(gate)
		}
	}()
	for _, s := range attack.Steps {
		switch {
		case s.Manifest != "":
			p.operate("PUT", "/v1/manifests", api.PutManifestRequest{Text: fill(s.Manifest), Reason: "test"})
		case s.Trip.Kind != schema.ScopeNone:
			scope := schema.Scope{Kind: s.Trip.Kind, Value: fill(s.Trip.Value)}
			if secret, ok := strings.CutPrefix(scope.Value, "secret:"); ok {
				scope.Value = p.resolver.CredentialID("api_key", secret)
			}
			p.operate("POST", "/v1/breakers/trip", api.TripRequest{Scope: scope, TTL: 3600, Force: true, Reason: "test"})
			opened = append(opened, scope)
		case s.TripRun != nil:
			run := decisionHeader(ask(s.TripRun), "X-Flyball-Run")
			if run == "" {
				a.fault("the check answers no run id")
				continue
			}
			p.operate("POST", "/v1/breakers/trip", api.TripRequest{Scope: schema.Scope{Kind: schema.ScopeRun, Value: run}, TTL: 3600,
				Reason: "test"})
		case s.Detect != nil:
			r := ask(s.Detect)
			calls := p.observed(r.agent, 2*time.Second)
			if len(calls) == 0 {
				a.fault("the check says nothing of a request")
				continue
			}
			p.trip(&calls[0], word)
		case s.Grant:
			gate := decisionHeader(last, "X-Flyball-Gate")
			if gate == "" {
				a.fault("no question was asked")
				continue
			}
			p.operate("POST", "/v1/grants/"+url.PathEscape(gate)+"/grant", api.GrantRequest{Reason: "test"})
		case s.Asks != nil:
			// The rate of gates is limited: repeat the call until it opens one.
			for end := time.Now().Add(5 * time.Second); ; time.Sleep(200 * time.Millisecond) {
				last = ask(s.Asks)
				a.sent = append(a.sent, last)
				if why := denied(last); why != "" {
					a.fault("%s %s: %s", last.request.Method, last.request.Path, why)
				}
				if decisionHeader(last, "X-Flyball-Gate") != "" || time.Now().After(end) {
					break
				}
			}
		case s.Send != nil:
			for range s.Again + 1 {
				last = ask(s.Send)
				a.sent = append(a.sent, last)
				if s.Must != nil {
					if why := s.Must(last); why != "" {
						a.fault("%s %s: %s", last.request.Method, last.request.Path, why)
					}
				}
				p.compareCheck(a, last)
			}
		}
	}
	return a
}

// decisionHeader returns a header of the check's response, as the client or the service saw
// it.
func decisionHeader(r *result, name string) string {
	if r == nil {
		return ""
	}
	if v := r.header.Get(name); v != "" {
		return v
	}
	if len(r.served) > 0 {
		return r.served[len(r.served)-1].header.Get(name)
	}
	return ""
}

// trip writes the command that the detector writes for a runaway, and waits until the point
// has applied it.
func (p *testPoint) trip(c *schema.Call, id string) {
	p.t.Helper()
	scope := schema.Scope{Kind: schema.ScopeCredential, Value: c.CredentialID}
	if run := runOf(c); run != "" {
		scope = schema.Scope{Kind: schema.ScopeRun, Value: run}
	}
	run, _ := schema.ParseRunID(runOf(c))
	value, err := wire.EncodeCommand(&schema.Command{ID: "trip-" + id, Kind: schema.CommandTrip, Tenant: c.Tenant, By: "detect",
		TTL: int64(15 * time.Minute), ActiveAgents: 1 << 20,
		Decision: &schema.Decision{Mode: schema.ModeArmed, Action: schema.ActionDeny, Scope: scope, RunID: run, AgentID: c.AgentID,
			CredentialID: c.CredentialID}})
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.out.ProduceSync(p.t.Context(), &kgo.Record{Topic: wire.CommandsTopic, Value: value}).FirstErr(); err != nil {
		p.t.Fatal(err)
	}
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		r, err := http.Get("http://" + p.config.Control.Listen + "/v1/breakers")
		if err != nil {
			p.t.Fatal(err)
		}
		var lines []struct{ Scope schema.Scope }
		err = json.NewDecoder(r.Body).Decode(&lines)
		r.Body.Close()
		if err == nil && slices.ContainsFunc(lines, func(l struct{ Scope schema.Scope }) bool { return l.Scope == scope }) {
			return
		}
	}
	p.t.Fatalf("the trip of %s is not there after 5 s", scope)
}

// compareCheck verifies that the check decided on the request that the service received.
func (p *testPoint) compareCheck(a *attempt, r *result) {
	for _, s := range r.served {
		where := fmt.Sprintf("%s %s", s.method, s.target)
		if s.header.Get("X-Flyball-Decision") == "" {
			a.fault("%s reached the service without a decision", where)
			continue
		}
		calls := p.observed(r.agent, 2*time.Second)
		if len(calls) == 0 {
			a.fault("%s reached the service and the check was not asked", where)
			continue
		}
		path, _, _ := strings.Cut(s.target, "?")
		path = app.RedactPath(path) // the record contains the redacted path
		if !slices.ContainsFunc(calls, func(c schema.Call) bool { return c.Method == s.method && c.Path == path }) {
			a.fault("%s reached the service, decided was %s %s", where, calls[0].Method, calls[0].Path)
		}
	}
}

// compareLog verifies that the access log names the caller that the check saw.
func (p *testPoint) compareLog(w way, all []*attempt) {
	var rows map[string][]schema.Call
	missing := func() (n int) {
		for _, a := range all {
			for _, r := range a.sent {
				if a.way == w.name() && len(r.served) > 0 && len(rows[r.agent]) == 0 {
					n++
				}
			}
		}
		return n
	}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		if rows = p.rows(w.log()); missing() == 0 || time.Now().After(end) {
			break
		}
	}
	for _, a := range all {
		if a.way != w.name() || a.undecided {
			continue
		}
		for _, r := range a.sent {
			calls := p.observed(r.agent, 0)
			if len(calls) == 0 {
				continue
			}
			got := rows[r.agent]
			if len(got) == 0 {
				if len(r.served) > 0 {
					a.fault("log: no line of a request that reached the service")
				}
				continue
			}
			for i := range got {
				var f string
				for j := range calls { // several, if the client sent several requests at once
					if f = differs(&calls[j], &got[i]); f == "" {
						break
					}
				}
				if f != "" {
					a.fault("log: %s", f)
				}
			}
		}
	}
}

// differs returns the first difference in caller or call between a log line and the check; ""
// if there is none.
func differs(check, row *schema.Call) string {
	if check.Method == http.MethodConnect {
		return "" // the row has no path
	}
	var all []string
	for _, f := range []struct{ name, check, row string }{
		{"method", check.Method, row.Method}, {"path", check.Path, row.Path}, {"credential", check.CredentialID, row.CredentialID},
		{"run", runOf(check), runOf(row)}, {"agent", check.AgentID, row.AgentID},
		{"trust of the agent", check.AgentTrust.String(), row.AgentTrust.String()},
		{"routing key", check.RoutingKey, row.RoutingKey}} {
		if f.check != f.row {
			all = append(all, f.name)
			if *verbose {
				fmt.Printf("%s: %s at the check %q, in the log %q\n", check.UserAgent, f.name, f.check, f.row)
			}
		}
	}
	if all == nil {
		return ""
	}
	return strings.Join(all, ", ") + " differs"
}

// judge compares the failed checks with the known failures: both must be the same.
func judge(t *testing.T, kind string, all []*attempt) {
	t.Helper()
	knownFile := "testdata/known_" + kind + ".json"
	known := map[string]map[string][]string{} // attack, way, faults
	if text, err := os.ReadFile(knownFile); err == nil {
		if err := json.Unmarshal(text, &known); err != nil {
			t.Fatal(err)
		}
	}
	found := map[string]map[string][]string{}
	for _, a := range all {
		kinds := kindsOf(a.faults)
		if len(kinds) > 0 {
			if found[a.attack] == nil {
				found[a.attack] = map[string][]string{}
			}
			found[a.attack][a.way] = kinds
		}
		if !*update && !slices.Equal(kinds, known[a.attack][a.way]) {
			t.Errorf("%s, %s: %d faults, known are %v:\n    %s", a.attack, a.way, len(a.faults), known[a.attack][a.way],
				strings.Join(a.faults, "\n    "))
		}
	}
	if *update {
		text, err := json.MarshalIndent(found, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(knownFile, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// kindsOf returns the faults without the parts that change from run to run.
func kindsOf(faults []string) (kinds []string) {
	for _, f := range faults {
		kind := "another decision than the service got"
		switch {
		case strings.HasPrefix(f, "log: "):
			kind = f
		case strings.Contains(f, "must pass"):
			kind = "does not pass"
		case strings.Contains(f, "must be"):
			kind = "is not refused"
		case strings.Contains(f, "without a decision"), strings.Contains(f, "was not asked"):
			kind = "reaches the service undecided"
		case strings.Contains(f, "no question"), strings.Contains(f, "no run id"):
			kind = f
		}
		if !slices.Contains(kinds, kind) {
			kinds = append(kinds, kind)
		}
	}
	slices.Sort(kinds)
	return kinds
}
