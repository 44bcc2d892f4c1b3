package redteam

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/cmd/internal/realparts"
	"flyball/detect/enforce/api"
	"flyball/ingest/decode"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/wire"
)

// testPoint is an enforcement point as in `flyball control`, in this process, with a Kafka in
// memory. It reads the requests that the point recorded.
type testPoint struct {
	t        testing.TB
	kafka    *kfake.Cluster
	config   config.Config
	log      string // its log file
	out      *kgo.Client
	resolver *identity.Resolver
	pipeline *decode.Pipeline

	mu   sync.Mutex
	seen map[string][]schema.Call // observations of the check, by user agent
}

// Routes of attacks, with declared effects.
var (
	deletes      = config.Parse[schema.Effect]("delete")
	pays         = config.Parse[schema.Effect]("pay")
	irreversible = config.Parse[schema.Reversibility]("irreversible")
)

var routes = []config.Route{
	{Method: "DELETE", Template: "/v1/accounts/{account_id}", Effect: deletes, Reversibility: irreversible,
		Resources: []string{"account_id:account"}},
	{Method: "POST", Template: "/v1/accounts/{account_id}/close", Effect: deletes, Reversibility: irreversible,
		Resources: []string{"account_id:account"}},
	{Method: "DELETE", Template: "/v1/projects/{project}", Effect: deletes, Reversibility: irreversible,
		Resources: []string{"project:project"}},
	{Method: "POST", Template: "/v1/payouts", Effect: pays, Reversibility: irreversible, Amount: "header:X-Amount",
		Currency: "header:X-Currency"},
	{Method: "POST", Template: "/v1/transfers", Effect: pays, Reversibility: irreversible, Amount: "query:amount", Currency: "query:currency"},
	{Method: "POST", Template: "/v1/refunds", Effect: pays, Reversibility: irreversible, Amount: "arg:amount", Currency: "arg:currency"},
}

func newPoint(t testing.TB) *testPoint {
	t.Helper()
	k, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	listen := func() string { return fmt.Sprintf("127.0.0.1:%d", realparts.FreePort(t)) }
	c := config.Default()
	c.Data, c.SecretKeyFile = dir, filepath.Join(dir, "key")
	c.Kafka.Brokers, c.Kafka.Partitions = k.ListenAddrs(), 2
	c.ClickHouse.Addr = []string{"127.0.0.1:1"} // the tests do not read a database
	c.Control.Listen, c.Check.Listen, c.Check.GRPC, c.Metrics.Listen = listen(), listen(), listen(), listen()
	c.Control.TripBudget = config.TripBudget{PerHour: 1_000_000, AgentsPercent: 100}
	c.Detect.Mode = "armed"
	c.Routes = routes
	if err := os.WriteFile(c.SecretKeyFile, []byte(strings.Repeat("5a", 32)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := &testPoint{t: t, kafka: k, config: c, log: filepath.Join(dir, "log"), seen: map[string][]schema.Call{}}
	file, err := os.Create(p.log)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done, started := make(chan error, 1), make(chan struct{})
	go func() {
		done <- app.Run(ctx, c, []string{"control"}, slog.New(slog.NewTextHandler(file, nil)), func() { close(started) })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the point ended with %v", err)
		}
		file.Close()
		k.Close()
	})
	select {
	case <-started:
	case err := <-done:
		done <- nil
		t.Fatalf("the point did not start: %v", err)
	case <-time.After(30 * time.Second):
		t.Fatal("the point is not ready after 30 s")
	}
	key, err := app.ReadSecretKey(c, false)
	if err != nil {
		t.Fatal(err)
	}
	id, table, err := app.NewClassifiers(c, key)
	if err != nil {
		t.Fatal(err)
	}
	if p.pipeline, err = app.NewPipeline(c, id, table); err != nil {
		t.Fatal(err)
	}
	p.resolver = id
	if p.out, err = kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.out.Close)
	p.follow()
	return p
}

// follow reads the records of the requests that the point checked.
func (p *testPoint) follow() {
	in, err := kgo.NewClient(kgo.SeedBrokers(p.kafka.ListenAddrs()...), kgo.ConsumeTopics(wire.CallsTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(20*time.Millisecond))
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var ended sync.WaitGroup
	ended.Go(func() {
		var d wire.CallsDecoder
		for ctx.Err() == nil {
			in.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
				calls, err := d.Decode(r.Value)
				if err != nil {
					return // record of marks
				}
				p.mu.Lock()
				for _, c := range calls {
					if c.ObserverKind == schema.ObserverGate {
						p.seen[c.UserAgent] = append(p.seen[c.UserAgent], c)
					}
				}
				p.mu.Unlock()
			})
		}
	})
	p.t.Cleanup(func() { cancel(); ended.Wait(); in.Close() })
}

// observed waits for the recorded calls of a user agent; nil: none.
func (p *testPoint) observed(userAgent string, within time.Duration) []schema.Call {
	for end := time.Now().Add(within); ; time.Sleep(2 * time.Millisecond) {
		p.mu.Lock()
		calls := p.seen[userAgent]
		p.mu.Unlock()
		if len(calls) > 0 || time.Now().After(end) {
			return calls
		}
	}
}

// operate sends a request of an operator; the test fails if the API rejects it.
func (p *testPoint) operate(method, path string, body any) {
	p.t.Helper()
	if status, text := p.api(method, path, body); status != http.StatusOK {
		p.t.Fatalf("%s %s: %d %s", method, path, status, text)
	}
}

// refuse refuses a gate; a gate that is already decided does not change.
func (p *testPoint) refuse(gate string) {
	p.api("POST", "/v1/grants/"+url.PathEscape(gate)+"/refuse", api.RefuseRequest{Reason: "test"})
}

func (p *testPoint) api(method, path string, body any) (status int, answer string) {
	p.t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		p.t.Fatal(err)
	}
	req, err := http.NewRequest(method, "http://"+p.config.Control.Listen+path, bytes.NewReader(b))
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(r.Body)
	return r.StatusCode, string(text)
}

// rows returns the calls of an access log, by user agent.
func (p *testPoint) rows(log string) map[string][]schema.Call {
	text, err := os.ReadFile(log)
	if err != nil {
		return nil
	}
	out := map[string][]schema.Call{}
	for i, line := range bytes.Split(text, []byte("\n")) {
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		calls, _ := p.pipeline.Decode(&decode.Record{Topic: "gateway-logs", Offset: int64(i), Timestamp: time.Now().UnixNano(), Value: line}, nil)
		for _, c := range calls {
			out[c.UserAgent] = append(out[c.UserAgent], c)
		}
	}
	return out
}

// runOf returns the run of a call, if the call names one.
func runOf(c *schema.Call) string {
	if c.RunKey == "" {
		return ""
	}
	return schema.RunIdentity{Tenant: c.Tenant, RoutingActor: c.RoutingKey, Credential: c.CredentialID, Rule: schema.RunExplicit,
		Key: c.RunKey}.ID().String()
}
