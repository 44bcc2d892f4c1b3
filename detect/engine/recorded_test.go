package engine

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/model/scope"
	"flyball/detect/policy"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

var update = flag.Bool("update", false, "write the recorded output of this package anew")

// recordedStates are the states that earlier versions had stored in the middle of the stream, by the version of their
// entries.
var recordedStates = map[byte]string{9: "testdata/state-v9.gz", 10: "testdata/state-v10.gz", 11: "testdata/state-v11.gz"}

// recorded is a stream of calls in which every detector finds something. It is written to partition
// 0 in blocks; both halves end with a run that has a finding at its first call, so that a test can
// detect the end of the half.
type recorded struct {
	*log
	offset int64
	block  []*schema.Call
	at     time.Time
	listed map[string]int64 // by topic: the next record to list
}

func (s *recorded) call(run, agent string, change func(*schema.Call)) {
	c := &schema.Call{Source: schema.Source{Topic: "gw", TopicID: schema.TopicID{7}}, Pos: schema.Position{Offset: s.offset},
		Tenant:     "default",
		RoutingKey: "g:" + agent, CredentialID: "key-" + agent, AgentID: agent, AgentTrust: schema.TrustVerified, CallerKind: schema.CallerAgent,
		RunKey: run, RunKeySource: "x-agent-run-id", Start: s.at.UnixNano(), DurationNs: 1e6, ObserverKind: schema.ObserverGateway,
		Observer: "edge", Format: "json", Method: "GET", RouteKey: "/orders/{}", Route: "/orders/{id}", Path: "/orders/1", Status: 200,
		Outcome: schema.OutcomeOK,
		Effect:  schema.EffectRead, Reversibility: schema.ReadOnly, BytesOut: 100,
		ArgsDigest: uint64(s.offset + 1), ArgsDigestBasis: schema.DigestLogged, ResultDigest: uint64(s.offset + 1),
		ResultDigestBasis: schema.DigestLogged}
	if change != nil {
		change(c)
	}
	s.offset++
	s.block = append(s.block, c)
	if len(s.block) == 40 {
		s.flush()
	}
}

func (s *recorded) flush() {
	s.t.Helper()
	if len(s.block) == 0 {
		return
	}
	var enc wire.CallsEncoder
	s.write(enc.Encode(nil, s.block))
	s.block = nil
}

// half writes the first or the second half of the stream: the runs of the first continue in the
// second, and are then closed by silence.
func (s *recorded) half(n int) {
	random := rand.New(rand.NewPCG(1, uint64(n)))
	step := func() { s.at = s.at.Add(time.Second) }
	for i := range 4 {
		reader(random, func(route string, args uint64, write bool) {
			method, path, _ := strings.Cut(route, " ")
			s.call(fmt.Sprint("usual-", n, i), "g/1", func(c *schema.Call) {
				c.Method, c.RouteKey, c.Route, c.ArgsDigest, c.ResultDigest = method, path, path, args, args
			})
			step()
		})
	}
	s.oneRun(step)
	for i := range 24 { // one runaway cut into many runs
		for k := range 3 {
			id := 5000*n + 3*i + k
			s.call(fmt.Sprint("piece-", n, i), "g/5", func(c *schema.Call) {
				c.ArgsDigest, c.ResultDigest, c.Resources = uint64(id), uint64(id), []schema.Resource{{Type: "order", ID: fmt.Sprint(id)}}
			})
		}
		step()
	}
	for i := range 150 { // far more calls than at that hour of the week
		s.call(fmt.Sprint("fast-", n, i/5), "g/6", func(c *schema.Call) {
			c.Start += int64(i) * 2e8
			c.RouteKey = []string{"/orders/{}", "/users/{}", "/items/{}"}[i%3]
		})
	}
	s.people(n, step)
	s.strangers(n, step)
	s.observed(n, step)
	if n == 1 { // silence closes all runs, and a closed one continues
		late := s.at
		s.at = s.at.Add(40 * time.Minute)
		s.call("later", "g/1", nil)
		s.flush()
		s.at = late
		for range 3 {
			s.call("loop", "g/2", func(c *schema.Call) { c.ArgsDigest, c.ResultDigest = 9, 9 })
			s.call("scope", "shop/0", func(c *schema.Call) { c.Method, c.RouteKey, c.Effect = "POST", "/users", schema.EffectCreate })
		}
		s.at = late.Add(5 * time.Hour)
		s.call("latest", "g/1", nil)
	}
	s.flush()
	s.call(fmt.Sprint("end-", n), "end/x", func(c *schema.Call) { c.AgentAsserted = "somebody" })
	s.flush()
}

// oneRun writes runaways of each family in a separate run.
func (s *recorded) oneRun(step func()) {
	for i := range 26 {
		s.call("loop", "g/2", func(c *schema.Call) { c.ArgsDigest, c.ResultDigest = uint64(min(i, 6)), uint64(min(i, 6)) })
		s.call("meant", "g/8", func(c *schema.Call) { c.ArgsDigest, c.ResultDigest = uint64(min(i, 6)), uint64(min(i, 6)) })
		s.call("sweep", "g/3", func(c *schema.Call) {
			c.Resources = []schema.Resource{{Type: "order", ID: fmt.Sprint(s.offset)}}
		})
		s.call("destroy", "g/4", func(c *schema.Call) {
			c.Method, c.Effect, c.Reversibility = "DELETE", schema.EffectDelete, schema.Irreversible
			c.Resources = []schema.Resource{{Type: "order", ID: fmt.Sprint(s.offset)}}
		})
		s.call("retry", "g/7", func(c *schema.Call) {
			c.ArgsDigest, c.Status, c.Outcome = uint64(i/20), 503, schema.OutcomeServerError
		})
		s.call("export", "g/9", func(c *schema.Call) { c.BytesOut = 50 << 20 })
		step()
	}
}

// people writes a session in which a machine uses a person's cookie, and one in which the person
// does.
func (s *recorded) people(n int, step func()) {
	for i := range 20 {
		for who, of := range []func(int) schema.Call{byMachine, byPerson} {
			s.call("", "", func(c *schema.Call) {
				as := of(i + 20*n)
				c.RoutingKey, c.CredentialID, c.RunKeySource, c.AgentTrust = fmt.Sprint("c:cookie-", who), fmt.Sprint("cookie-",
					who), "", schema.TrustNone
				c.PrincipalID, c.PrincipalKind, c.CallerKind = fmt.Sprint("person-", who, "@example.com"), schema.PrincipalHuman, as.CallerKind
				c.Method, c.Path, c.BytesIn, c.BytesOut, c.Outcome = or(as.Method, "POST"), as.Path, as.BytesIn, as.BytesOut, as.Outcome
				c.RouteKey, c.Start = "/orders", s.at.UnixNano()+int64(i)*2e9
			})
		}
		step()
	}
}

// strangers writes calls outside a scope and calls with conflicting identities.
func (s *recorded) strangers(n int, step func()) {
	for i, c := range [][3]string{{"GET", "/orders/{}", ""}, {"POST", "/refunds", "main"}, {"POST", "/users", ""}, {"GET", "/secrets", ""},
		{"POST", "/refunds", "thief"}, {"POST", "/users", ""}, {"POST", "/refunds", "thief"}, {"DELETE", "/users", ""}} {
		for _, run := range []string{"scope", "declared"} {
			write := func(out *schema.Call) {
				out.TaskID, out.TaskTrust, out.Method, out.RouteKey, out.Route = "refund", schema.TrustAsserted, c[0], c[1], c[1]
				if c[0] == "POST" {
					out.Effect = schema.EffectCreate
				}
				if c[0] == "DELETE" {
					out.Effect, out.Reversibility = schema.EffectDelete, schema.Irreversible
				}
				if c[2] != "" {
					out.Resources = []schema.Resource{{Type: "account", ID: c[2]}}
				}
			}
			if run == "declared" && i == 0 && n == 0 {
				s.call(run, "shop/0", func(out *schema.Call) {
					write(out)
					out.ObserverKind, out.Observer, out.ArgsDigest = schema.ObserverGate, "point", 0
					out.SetAttr(schema.AttrTaskType, "refund")
					out.SetAttr(schema.AttrTaskTargets, "declared")
				})
			}
			s.call(run, "shop/0", write)
		}
		s.call("renamed", "shop/1", func(c *schema.Call) { c.AgentAsserted = "billing/bot" })
		s.call("shared", "shop/1", func(c *schema.Call) {
			c.PrincipalID, c.PrincipalTrust = fmt.Sprint("p-", i%2), schema.TrustVerified
		})
		s.call(fmt.Sprint("first-asserted-", n), "", func(c *schema.Call) {
			if c.RoutingKey, c.CredentialID = "g:x", "key-x"; i == 0 {
				c.AgentID, c.AgentTrust = "claimed/x", schema.TrustAsserted
			} else {
				c.AgentID = "shop/2"
			}
		})
		step()
	}
}

// observed writes calls that are not judged, or only once, and calls of a credential that the API
// accepts.
func (s *recorded) observed(n int, step func()) {
	for i := range 24 {
		for _, by := range []schema.ObserverKind{schema.ObserverGateway, schema.ObserverSidecar, schema.ObserverGate} {
			first := n == 0 && i == 0 // in version 9, an actor's first call of a second observer counted twice
			if first && by == schema.ObserverGate {
				continue
			}
			s.call("twice", "g/0", func(c *schema.Call) {
				if c.ObserverKind, c.Observer = by, by.String(); !first {
					c.RequestID = fmt.Sprint("q", n, i)
				}
				c.ArgsDigest, c.ResultDigest = uint64(i), uint64(i)
			})
		}
		s.call("denied", "g/0", func(c *schema.Call) { c.Outcome, c.DeniedBy, c.Status = schema.OutcomeDenied, "flyball", 403 })
		s.call("sampled", "g/0", func(c *schema.Call) { c.SampleWeight = 10 })
		s.call("token", "", func(c *schema.Call) {
			c.RoutingKey, c.CredentialID, c.CredentialTrust, c.AgentTrust = "c:token", "token", schema.TrustAsserted, schema.TrustNone
			c.Start -= int64(24-i) * int64(time.Minute)
		})
		step()
	}
}

func recording(t *testing.T) *recorded {
	return &recorded{log: newLog(t), at: night.Add(2 * time.Hour), listed: map[string]int64{}}
}

// publish activates a baseline that has data for every detector.
func (s *recorded) publish() {
	s.t.Helper()
	body := readers()
	body.ByClass = nil // the stream was recorded with a baseline of a release without classes of acquaintance
	var runs []*scope.TrainingRun
	for i := range 20 {
		r := &scope.TrainingRun{ID: fmt.Sprint(i), Agent: fmt.Sprint("shop/", i%2), Group: "shop", Task: "refund",
			Names: []string{"GET /orders/{}", "POST /refunds"}}
		r.Calls = []scope.Access{scope.NewAccess(r.Names[0], false, nil), scope.NewAccess(r.Names[1], true,
			[]schema.Resource{{Type: "account", ID: "main"}})}
		runs = append(runs, r)
	}
	body.Scopes, body.CallRates, body.People = scope.LearnModel(runs), paceOfDayWorkers(), peopleOf(s.t, "/orders", false)
	value, err := wire.EncodeDocument(wire.BaselineVersion, body)
	if err != nil {
		s.t.Fatal(err)
	}
	record := &kgo.Record{Topic: wire.BaselinesTopic, Key: []byte(body.Version), Value: value}
	if err := s.client.ProduceSync(context.Background(), record).FirstErr(); err != nil {
		s.t.Fatal(err)
	}
	s.write(wire.EncodeMarks(nil, &wire.Marks{Activate: []wire.Activation{{What: "baseline", Version: body.Version}}}))
}

// apply runs an engine until the half's last run has its finding, and stops it regularly. Before
// the stop only the results of findings are written, and the clock does not move: the output is the
// same at every run of the test.
func (s *recorded) apply(half int, more ...func(*Config)) {
	s.t.Helper()
	change := func(c *Config) {
		c.CheckpointEvery, c.SnapshotEvery, c.JournalEvery, c.JournalRows = time.Hour, time.Hour, time.Hour, 1<<20
		c.Now, c.ProvenCommands = func() time.Time { return night.Add(2 * time.Hour) }, func() bool { return true }
		c.About = func(agent string) ([]string, string) { return []string{"tag-of-" + agent}, "high" }
		c.Rules.Arming = policy.ParseArming(false, []string{"g/*", "shop/*"})
		c.Rules.TTL = 2 * time.Minute
		c.Rules.Exceptions = []policy.Exception{{Name: "meant", Agent: "g/8", Family: "runaway.*", Expires: 1 << 62, Approver: "ana",
			Why: "a test"}}
		c.Rules.Graded = []policy.Rule{{Name: "slow down", Family: schema.FamilyPace, Action: schema.ActionThrottle},
			{Name: "ask a person", Family: schema.FamilyBorrowed, Action: schema.ActionGate}}
	}
	_, stop := s.start(append([]func(*Config){change}, more...)...)
	end := fmt.Sprint("end-", half)
	for until := time.Now().Add(30 * time.Second); !s.found(end); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			s.t.Fatalf("half %d was not applied within 30 s", half)
		}
	}
	if err := stop(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *recorded) found(runKey string) (yes bool) {
	s.each(wire.EventsTopic, func(r *kgo.Record) { yes = yes || bytes.Contains(r.Value, []byte(`"`+runKey+`"`)) })
	return yes
}

// output returns the new output since its last call, one line for each finding, command and section
// of the journal.
func (s *recorded) output() string {
	s.t.Helper()
	var out strings.Builder
	fresh := func(topic string, write func(*kgo.Record)) {
		s.each(topic, func(r *kgo.Record) {
			if r.Offset >= s.listed[topic] {
				write(r)
				s.listed[topic] = r.Offset + 1
			}
		})
	}
	var findings []*schema.Finding
	fresh(wire.EventsTopic, func(r *kgo.Record) { findings = append(findings, s.finding(r)) })
	// Runs that close at the same time close in any order after a restart.
	slices.SortStableFunc(findings, func(a, b *schema.Finding) int {
		if a.Call == b.Call && a.State == schema.FindingClosed && b.State == schema.FindingClosed {
			return bytes.Compare(a.RunID[:], b.RunID[:])
		}
		return cmp.Compare(a.Call.Version(), b.Call.Version())
	})
	for _, f := range findings {
		writeFinding(&out, f)
	}
	fresh(wire.CommandsTopic, func(r *kgo.Record) {
		c, err := wire.DecodeCommand(r.Value)
		if err != nil {
			s.t.Fatal(err)
		}
		fmt.Fprintf(&out, "command %s %v %v %s ttl=%s exposure=%v active=%d", c.ID, c.Kind, c.Scope, c.Reason, time.Duration(c.TTL), c.Exposure,
			c.ActiveAgents)
		if h := c.Holder; h != nil {
			fmt.Fprintf(&out, " holder=%s/%v/%s/%v/%v", h.AgentID, h.AgentTrust, h.CredentialID, h.Standing, h.Tags)
		}
		out.WriteByte('\n')
	})
	fresh(wire.JournalTopic, func(r *kgo.Record) {
		j, err := wire.DecodeJournal(r.Value)
		if err != nil {
			s.t.Fatal(err)
		}
		fmt.Fprintf(&out, "journal %d..%d\n", j.From, j.To)
		for _, section := range j.Sections {
			if slices.Contains([]string{"stitching_v5", "runs_v5", "stitching_store", "runs_store"}, section.Table) { // in no order
				fmt.Fprintf(&out, "  %s %d rows\n", section.Table, section.Rows)
				continue
			}
			fmt.Fprintf(&out, "  %s %d rows %016x\n", section.Table, section.Rows, xxhash.Sum64(section.Native))
		}
	})
	return out.String()
}

func (s *recorded) finding(r *kgo.Record) *schema.Finding {
	s.t.Helper()
	e, err := wire.DecodeEvent(r.Value)
	if err != nil {
		s.t.Fatal(err)
	}
	return e.Finding
}

// allFindings returns all versions of all findings, as they were published.
func (s *recorded) allFindings() (out []*schema.Finding) {
	s.each(wire.EventsTopic, func(r *kgo.Record) { out = append(out, s.finding(r)) })
	return out
}

func writeFinding(out io.Writer, f *schema.Finding) {
	when := func(at int64) time.Duration { return time.Unix(0, at).Sub(night) }
	fmt.Fprintf(out, "finding %s/%d %s %v %v run=%s %s/%v/%s/%s opened=%v at=%v onset=%v call=%s"+
		" score=%.9g rate=%.9g/%s/%v of=%s delay=%d %v touched=%v",
		f.ID, f.Version, f.Family, f.Level, f.State, f.RunKey, f.AgentID, f.AgentTrust, f.CredentialID, f.PrincipalID, when(f.OpenedAt),
		when(f.UpdatedAt), when(f.OnsetAt), f.Call,
		f.Score, f.ExpectedRate, f.ExpectedOf, f.BeyondData, f.Baseline, f.DelayCalls, f.Exposure, f.Touched)
	if f.Exception != "" {
		fmt.Fprintf(out, " exception=%q", f.Exception)
	}
	if f.Reason != "" {
		fmt.Fprintf(out, " reason=%q", f.Reason)
	}
	fmt.Fprintf(out, "\n  %s\n", f.Summary)
	for _, e := range f.Evidence {
		fmt.Fprintf(out, "  %s %v %v %v %v %v %v\n", e.Feature, e.Observed, e.Usual, e.Peers, e.Humans, e.Score, e.Calls)
	}
	if d := f.Decision; d != nil {
		fmt.Fprintf(out, "  decision %s %v %v %v %s rule=%q route=%q ttl=%s\n", d.ID, d.Scope, d.Action, d.Mode, d.Why, d.Rule, d.Route,
			time.Duration(d.TTL))
	}
}

// The output of the stream, with a restart in the middle, is unchanged.
func TestRecordedStreamComesOutTheSame(t *testing.T) {
	s := recording(t)
	s.publish()
	s.half(0)
	s.apply(0)
	path := fmt.Sprintf("testdata/state-v%d.gz", stitch.StateVersion)
	if _, err := os.Stat(path); *update && err != nil { // an existing file is of the version that wrote it
		s.keepState(path)
	}
	compareRecorded(t, "testdata/recorded-0.txt", s.output())
	s.half(1)
	s.apply(1)
	compareRecorded(t, "testdata/recorded-1.txt", s.output())
}

// compareRecorded compares the output of a half with the recorded output.
func compareRecorded(t *testing.T, path, got string) {
	t.Helper()
	if *update && path != upgradedPath {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	g, w := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range max(len(g), len(w)) {
		if i >= len(g) || i >= len(w) || g[i] != w[i] {
			t.Fatalf("line %d of %d is\n%s\nit was, of %d\n%s", i+1, len(g), at(g, i), len(w), at(w, i))
		}
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return "(none)"
}

// keepState writes the state that the engine has stored: each key and value with its length.
func (s *recorded) keepState(path string) {
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	s.each(wire.StateTopic, func(r *kgo.Record) {
		if r.Value == nil || bytes.HasPrefix(r.Key, []byte("claim")) {
			return
		}
		for _, b := range [][]byte{r.Key, r.Value} {
			_ = binary.Write(z, binary.LittleEndian, uint32(len(b)))
			_, _ = z.Write(b)
		}
	})
	if err := z.Close(); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

// storedBefore returns the state that an earlier version stored, by key.
func storedBefore(t *testing.T, path string) (keys, values [][]byte) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	read := func() []byte {
		var n uint32
		if err := binary.Read(z, binary.LittleEndian, &n); err == io.EOF {
			return nil
		} else if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(z, b); err != nil {
			t.Fatal(err)
		}
		return b
	}
	for key := read(); key != nil; key = read() {
		keys, values = append(keys, key), append(values, read())
	}
	return keys, values
}

// The state that earlier versions stored is continued without a loss. The calls that the earlier version may have applied and the
// runs that it opened are rows of its tables: the output of the second half is the same as if it had written both.
func TestStateOfTheVersionBeforeIsGoneOnFrom(t *testing.T) {
	for version, path := range recordedStates {
		t.Run(fmt.Sprint("version ", version), func(t *testing.T) {
			s := recording(t)
			s.publish()
			s.half(0)
			keys, values := storedBefore(t, path)
			of := 0
			for i := range keys {
				if (bytes.HasPrefix(keys[i], []byte("a/")) || bytes.HasPrefix(keys[i], []byte("d/"))) && values[i][1] == version {
					of++
				}
			}
			if of < 10 {
				t.Fatalf("%d entries of the version: the test shows nothing", of)
			}
			for i := range keys {
				if bytes.HasPrefix(keys[i], []byte(notePrefix)) {
					continue // it names the topic that was recorded; flyball.calls of this test is another
				}
				r := &kgo.Record{Topic: wire.StateTopic, Partition: 0, Key: keys[i], Value: values[i]}
				if err := s.client.ProduceSync(context.Background(), r).FirstErr(); err != nil {
					t.Fatal(err)
				}
			}
			s.half(1)
			s.apply(1)
			compareRecorded(t, upgradedPath, s.withoutIndexes(s.output()))
		})
	}
}

// upgradedPath has the output of the second half as the last release with schema version 4 wrote it.
const upgradedPath = "testdata/recorded-1-v4.txt"

// withoutIndexes removes the rows of the tables that schema version 4 did not have.
func (s *recorded) withoutIndexes(output string) string {
	s.t.Helper()
	var out []string
	for line := range strings.Lines(output) {
		if !strings.HasPrefix(line, "  postings ") && !strings.HasPrefix(line, "  call_ids ") {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}
