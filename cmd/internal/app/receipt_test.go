package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/enforce/api"
	"flyball/detect/enforce/check"
	"flyball/detect/enforce/point"
	"flyball/detect/stitch"
	"flyball/ingest/decode"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/route"
	"flyball/schema/wire"
)

// bothSides is one enforcement point, and the processing of its gateway's log up to the runs.
type bothSides struct {
	point    *enforcement
	resolver *identity.Resolver
	table    *route.Table
	pipeline *decode.Pipeline
	calls    *kgo.Client
}

func sides(t *testing.T) *bothSides {
	t.Helper()
	k := kafkatest.Start(t, kfake.SeedTopics(1, wire.CommandsTopic, wire.BreakersTopic, wire.PointsTopic,
		wire.CallsTopic, wire.EventsTopic))
	key := identity.Key(strings.Repeat("k", 32))
	b := &bothSides{}
	var err error
	if b.resolver, err = identity.NewResolver(identity.Options{Tenant: "t", Key: key}); err != nil {
		t.Fatal(err)
	}
	if b.table, err = route.NewTable(route.Options{Version: "test", DigestKey: key}); err != nil {
		t.Fatal(err)
	}
	// Ingest of another process, which shares only the key.
	elsewhere, err := identity.NewResolver(identity.Options{Tenant: "t", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	if b.pipeline, err = decode.New(decode.Options{Tenant: "t", Default: decode.Input{Format: "auto"}}, elsewhere, b.table); err != nil {
		t.Fatal(err)
	}
	b.point, err = newEnforcement(
		point.Options{Kafka: kafka.Config{Options: []kgo.Opt{kgo.SeedBrokers(k.ListenAddrs()...)}}, Name: "p", Tenant: "t", Partitions: 1,
			Now: time.Now, Logger: slog.New(slog.DiscardHandler)},
		check.Options{Resolver: b.resolver, Routes: b.table}, api.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.point.run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	for end := time.Now().Add(20 * time.Second); b.point.point.Ready() != nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the point is not ready")
		}
	}
	if b.calls, err = kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...), kgo.ConsumeTopics(wire.CallsTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.calls.Close)
	return b
}

// ask calls the check as a gateway does, and returns the headers of the response.
func (b *bothSides) ask(t *testing.T, gateway, method, path, peer string, headers map[string]string) map[string]string {
	t.Helper()
	target, names := "/check/"+gateway, [2]string{"X-Original-Method", "X-Original-Uri"}
	if gateway == "caddy" || gateway == "traefik" {
		names = [2]string{"X-Forwarded-Method", "X-Forwarded-Uri"}
	}
	r := httptest.NewRequest("GET", target, nil)
	if gateway == "envoy" {
		r = httptest.NewRequest(method, target+path, nil)
	} else {
		r.Header.Set(names[0], method)
		r.Header.Set(names[1], path)
	}
	r.Host = "shop:10000"
	for _, name := range []string{"X-Original-Host", "X-Forwarded-Host"} {
		r.Header.Set(name, r.Host)
	}
	r.Header.Set("X-Forwarded-For", peer)
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	b.point.checker.Handler().ServeHTTP(w, r)
	out := map[string]string{}
	for k := range w.Header() {
		out[k] = w.Header().Get(k)
	}
	if w.Code != 200 || out["X-Flyball-Receipt"] == "" {
		t.Fatalf("%s: %d %v", gateway, w.Code, out)
	}
	return out
}

// logged returns the row that a gateway writes for a request. No gateway logs Authorization or
// a key.
func logged(gateway, method, path, peer string, headers, answer map[string]string, at time.Time) []byte {
	var row map[string]any
	switch gateway {
	case "caddy":
		row = map[string]any{"logger": "http.log.access.log0", "ts": float64(at.UnixNano()) / 1e9, "duration": 0.001, "status": 200, "size": 10,
			"request": map[string]any{"remote_ip": peer, "client_ip": peer, "method": method, "host": "shop", "uri": path,
				"headers": map[string][]string{"User-Agent": {headers["User-Agent"]}}},
			"flyball_receipt": answer["X-Flyball-Receipt"], "flyball_decision": answer["X-Flyball-Decision"]}
	case "traefik":
		row = map[string]any{"StartUTC": at.UTC().Format(time.RFC3339Nano), "RequestMethod": method, "RequestPath": path,
			"RequestHost": "shop", "DownstreamStatus": 200, "Duration": 1000000, "ClientAddr": peer + ":4711",
			"request_User-Agent": headers["User-Agent"], "request_X-Flyball-Receipt": answer["X-Flyball-Receipt"]}
	case "envoy":
		row = map[string]any{"start_time": at.UTC().Format("2006-01-02T15:04:05.000Z"), "method": method, "path": path, "authority": "shop",
			"response_code": 200, "duration": 3, "response_flags": "-",
			"x_forwarded_for": peer, "downstream_remote_address": peer + ":4711", "user_agent": headers["User-Agent"],
			"x_agent_id": headers["X-Agent-Id"], "x_agent_run_id": headers["X-Agent-Run-Id"],
			"flyball_receipt": answer["X-Flyball-Receipt"], "flyball_decision": answer["X-Flyball-Decision"]}
	default:
		row = map[string]any{"msec": fmt.Sprintf("%.3f", float64(at.UnixNano())/1e9), "request_method": method, "request_uri": path,
			"status": "200", "host": "shop", "remote_addr": peer, "http_user_agent": headers["User-Agent"],
			"http_x_agent_id": headers["X-Agent-Id"], "http_x_agent_run_id": headers["X-Agent-Run-Id"], "request_time": "0.003",
			"flyball_run": answer["X-Flyball-Run"], "flyball_receipt": answer["X-Flyball-Receipt"], "flyball_decision": answer["X-Flyball-Decision"]}
	}
	line, _ := json.Marshal(row)
	return line
}

// observed returns the first n calls that the point recorded.
func (b *bothSides) observed(t *testing.T, n int) []schema.Call {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	var out []schema.Call
	for len(out) < n {
		fetches := b.calls.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("%d of %d observations", len(out), n)
		}
		for _, r := range fetches.Records() {
			var d wire.CallsDecoder // a new decoder for each block, because the calls are kept
			calls, err := d.Decode(r.Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, calls...)
		}
	}
	return out
}

// No gateway logs the credential that the check saw, and some do not log the run header: an
// ordinary caller was two agents in two runs, and the breaker on one of them never applied.
func TestCallerIsInOneRunWhateverItsGatewayLogs(t *testing.T) {
	b := sides(t)
	jwt := "eyJhbGciOiJub25lIn0.eyJpc3MiOiJpIiwic3ViIjoidXNlci05IiwiYXpwIjoiYXBwLTkifQ.c2ln"
	callers := map[string]map[string]string{
		"bearer":            {"Authorization": "Bearer secret-of-a-bearer"},
		"API key":           {"X-Api-Key": "secret-of-a-key"},
		"both":              {"Authorization": "Bearer secret-of-both", "X-Api-Key": "secret-of-both-too"},
		"consumer":          {"X-Consumer": "billing"},
		"neither":           {},
		"token":             {"Authorization": "Bearer " + jwt},
		"named, bearer":     {"X-Agent-Id": "bot", "Authorization": "Bearer secret-of-bot"},
		"named run, bearer": {"X-Agent-Id": "bot2", "X-Agent-Run-Id": "run-7", "Authorization": "Bearer secret-of-bot2"},
		"named run alone":   {"X-Agent-Id": "bot3", "X-Agent-Run-Id": "run-8"},
		"a very long run": {"X-Agent-Id": strings.Repeat("b", 250), "X-Agent-Run-Id": strings.Repeat("r", 250),
			"Authorization": "Bearer secret-of-long"},
		"sub-agent": {"X-Agent-Id": "child", "X-Parent-Agent-Id": "parent", "X-Agent-Run-Id": "run-9",
			"Authorization": "Bearer secret-of-child"},
		"traced": {"Traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
			"Authorization": "Bearer secret-of-traced"},
		"in a conversation":      {"Mcp-Session-Id": "conversation-1", "Authorization": "Bearer secret-of-talk"},
		"basic":                  {"Authorization": "Basic dXNlcjpwYXNz"},
		"a tab before the token": {"Authorization": "bearer\tsecret-of-a-tab"},
	}
	const each = 3
	type row struct {
		name, run string
		line      []byte
	}
	var rows []row
	n := 0
	for _, gateway := range []string{"nginx", "envoy", "caddy", "traefik"} {
		for caller, headers := range callers {
			n++
			peer := fmt.Sprintf("10.1.%d.%d", n/200, n%200+1) // address of this caller only
			with := map[string]string{"User-Agent": "curl/8"}
			for k, v := range headers {
				with[k] = strings.Replace(v, "secret", "secret-"+gateway, 1) // the credential is also used by this caller only
			}
			for i := range each {
				path := fmt.Sprintf("/v1/orders/%d%%20x?page=%d", i, i)
				with["X-Request-Id"] = fmt.Sprint(len(rows))
				answer := b.ask(t, gateway, "DELETE", path, peer, with)
				rows = append(rows, row{gateway + ", " + caller, answer["X-Flyball-Run"], logged(gateway, "DELETE", path, peer, with, answer,
					time.Now())})
			}
		}
	}
	p := stitch.NewPartition(0, stitch.DefaultLimits())
	offset := int64(0)
	runs := map[string]map[schema.RunID]string{} // by caller
	apply := func(name, by string, c *schema.Call) {
		offset++
		r := p.Apply(c, offset)
		if runs[name] == nil {
			runs[name] = map[schema.RunID]string{}
		}
		runs[name][r.RunID] += " " + by + ":" + c.AgentID + "/" + c.RoutingKey + "/" + c.RunRule.String()
	}
	for _, c := range b.observed(t, len(rows)) {
		i, err := strconv.Atoi(c.RequestID) // the calls arrive in any order
		if err != nil {
			t.Fatal(err)
		}
		if c.Standing() == schema.StandingEstablished != (strings.Contains(rows[i].name, "consumer")) {
			t.Errorf("%s is %s", rows[i].name, c.Standing())
		}
		apply(rows[i].name, "check", &c)
	}
	for i, row := range rows {
		calls, dead := b.pipeline.Decode(&decode.Record{Topic: "in", Timestamp: time.Now().UnixNano(), Offset: int64(i), Value: row.line}, nil)
		if len(calls) != 1 || len(dead) != 0 {
			t.Fatalf("%s: %d calls %v\n%s", row.name, len(calls), dead, row.line)
		}
		if why := calls[0].Attr(identity.AttrReceipt); why != "" {
			t.Errorf("%s: receipt %s\n%s", row.name, why, row.line)
		}
		if calls[0].Standing() == schema.StandingEstablished != (strings.Contains(row.name, "consumer")) {
			t.Errorf("%s is %s in the log", row.name, calls[0].Standing())
		}
		apply(row.name, "log", &calls[0])
		if got := calls[0].RunID.String(); row.run != "" && got != row.run {
			t.Errorf("%s: run %s, and the check answered %s", row.name, got, row.run)
		}
	}
	for name, in := range runs {
		if len(in) != 1 {
			t.Errorf("%s: %d runs %v", name, len(in), in)
		}
	}
	if len(runs) != 4*len(callers) {
		t.Errorf("%d callers", len(runs))
	}
	// Each line answers its row of the check: no call counts twice.
	p.AdvanceLogClock(time.Now().Add(time.Hour).UnixNano())
	if err := p.EachAskedOnly(offset, func(_ *stitch.Run, c *schema.Call) {
		t.Errorf("request %s (%s): the row of the check counts beside the line", c.RequestID, c.Path)
	}); err != nil {
		t.Error(err)
	}
}

// A log that a client wrote, or that contains the receipt of another request, does not join a
// run of another caller.
func TestReceiptOfAnotherRequestDoesNotJoinItsRun(t *testing.T) {
	b := sides(t)
	victim := map[string]string{"X-Agent-Id": "victim", "X-Agent-Run-Id": "run-v", "Authorization": "Bearer secret-of-the-victim"}
	answer := b.ask(t, "nginx", "GET", "/v1/orders/7", "10.0.0.1", victim)
	for name, x := range map[string]struct {
		method, path string
		at           time.Time
		want         string
	}{
		"the request itself": {"GET", "/v1/orders/7?x=1", time.Now(), ""},
		"another method":     {"DELETE", "/v1/orders/7", time.Now(), "wrong_mac"},
		"another path":       {"GET", "/v1/accounts/7", time.Now(), "wrong_mac"},
		"an hour later":      {"GET", "/v1/orders/7", time.Now().Add(time.Hour), "expired"},
	} {
		line := logged("nginx", x.method, x.path, "10.0.0.2", map[string]string{"X-Agent-Id": "mallory", "X-Agent-Run-Id": "run-m"}, answer, x.at)
		line = []byte(strings.Replace(string(line), answer["X-Flyball-Run"], "", 1))
		calls, _ := b.pipeline.Decode(&decode.Record{Topic: "in", Timestamp: x.at.UnixNano(), Value: line}, nil)
		if len(calls) != 1 {
			t.Fatalf("%s: %d calls", name, len(calls))
		}
		c := &calls[0]
		if why := c.Attr(identity.AttrReceipt); why != x.want {
			t.Errorf("%s: %q", name, why)
		}
		if joined := c.RunKey == "run-v" || c.AgentID == "victim"; joined != (x.want == "") {
			t.Errorf("%s: run %q of %q", name, c.RunKey, c.AgentID)
		}
	}
}
