package check

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/enforce/api"
	"flyball/detect/enforce/enforcetest"
	"flyball/schema"
	"flyball/schema/wire"
)

func TestCallAfterItsTaskIsAFinding(t *testing.T) {
	k := enforcetest.Broker(t)
	r := run(t, k, "a", nil)
	r.Must(t, "POST", "/v1/runs", api.DeclareTaskRequest{RunKey: "r1", Agent: "billing", Seconds: 1, Force: true})
	enforcetest.Within(t, "the task is over", func() bool {
		return r.ask("billing", "r1", "GET", "/v1/orders/1",
			"").why == "policy.task:after_task"
	})
	for range 20 {
		r.ask("billing", "r1", "GET", "/v1/orders/1", "")
	}
	c, err := kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...), kgo.ConsumeTopics(wire.EventsTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var told []*schema.Finding
	enforcetest.Within(t, "the finding", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		for _, rec := range c.PollFetches(ctx).Records() {
			if e, err := wire.DecodeEvent(rec.Value); err == nil && e.Finding != nil {
				told = append(told, e.Finding)
			}
		}
		return len(told) >= 4
	})
	last := told[len(told)-1]
	if last.Family != schema.FamilyAfterTask || last.RunKey != "r1" || last.Exposure.Calls < 8 || len(told) > 6 {
		t.Errorf("%d versions, the last %+v", len(told), last)
	}
	if closed := r.late.close(r.Heartbeat().At + int64(lateUseQuiet)); len(closed) != 1 || closed[0].State != schema.FindingClosed {
		t.Errorf("%+v", closed)
	}
}

func TestNobodyInParticularIsHeldToo(t *testing.T) {
	r := run(t, enforcetest.Broker(t), "a", nil)
	r.PutManifest(t, "version: 1\nagent: \"*\"\nscope: {routes: [GET /**]}\n")
	w := enforcetest.Serve(r.Handler(), "GET", "/check", "", "X-Original-Method", "DELETE", "X-Original-URI", "/v1/orders/1")
	if w.Code != 403 || w.Header().Get("X-Flyball-Run") != "" {
		t.Errorf("without any identity: %d %v", w.Code, w.Header())
	}
	if w := enforcetest.Serve(r.Handler(), "GET", "/check", ""); w.Code != 200 {
		t.Errorf("without anything: %d", w.Code)
	}
}

func TestHugeAndBrokenHeadersAreAnswered(t *testing.T) {
	r := run(t, enforcetest.Broker(t), "a", nil)
	r.PutManifest(t, enforcetest.Billing)
	huge := strings.Repeat("x", 1<<20)
	for name, headers := range map[string][]string{
		"run id":     {"X-Agent-Run-Id", huge},
		"agent":      {"X-Agent-Id", huge},
		"consumer":   {"X-Consumer", huge},
		"path":       {"X-Original-URI", "/" + huge},
		"method":     {"X-Original-Method", huge},
		"user agent": {"User-Agent", huge},
		"token":      {"Authorization", "Bearer " + huge},
		"type":       {"X-Task-Type", huge},
		"not UTF-8":  {"X-Agent-Run-Id", "\xff\xfe\x00\x01"},
		"trace":      {"Traceparent", huge},
		"cert":       {"X-Forwarded-Client-Cert", strings.Repeat(`URI=spiffe://a;`, 70_000)},
		"length":     {"Content-Length", "-5"},
		"line":       {"X-Agent-Run-Id", "a\r\nX-Flyball-Why: granted"},
	} {
		start := time.Now()
		all := append([]string{"X-Original-Method", "DELETE", "X-Original-URI", "/v1/orders/1", "X-Consumer", "billing"}, headers...)
		w := enforcetest.Serve(r.Handler(), "GET", "/check", "", all...)
		if w.Code != http.StatusForbidden && name != "method" && name != "consumer" {
			t.Errorf("%s: %d", name, w.Code)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s took %s", name, took)
		}
		for k, v := range w.Header() {
			if len(v[0]) > 2000 || strings.ContainsAny(v[0], "\r\n") {
				t.Errorf("%s: the answer's %s has %d bytes", name, k, len(v[0]))
			}
		}
	}
}

// Faults around a call never allow an irreversible call.
func TestNothingThatGoesWrongLetsAnIrreversibleCallThrough(t *testing.T) {
	k := enforcetest.Broker(t)
	r := run(t, k, "a", nil)
	r.PutManifest(t, enforcetest.Billing)
	hold := func(what string, v verdict) {
		t.Helper()
		if v.status == 200 {
			t.Errorf("%s: %+v", what, v)
		}
	}
	gate := r.ask("billing", "r1", "DELETE", "/v1/orders/7", "").gate
	r.Must(t, "POST", "/v1/grants/"+gate+"/grant", api.GrantRequest{Reason: "x"})
	if v := r.ask("billing", "r1", "DELETE", "/v1/orders/7", ""); v.status != 200 {
		t.Fatalf("%+v", v)
	}
	hold("a grant that was used", r.ask("billing", "r1", "DELETE", "/v1/orders/7", ""))
	hold("another run", r.ask("billing", "r2", "DELETE", "/v1/orders/7", ""))

	for i := range 100 { // more questions than a point writes in a second
		hold("a flood of questions", r.ask("billing", fmt.Sprint("flood", i), "DELETE", "/v1/orders/7", ""))
	}
	k.Close() // the claim of a grant is not answered
	hold("the log is away", r.ask("billing", "r3", "DELETE", "/v1/orders/7", ""))
}
