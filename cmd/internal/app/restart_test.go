package app

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/wire"
)

// checked asks the check about a call, and returns the status of the answer; 0: nobody listens.
func checked(t *testing.T, address string) int {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/check/nginx", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Original-Method", "POST")
	r.Header.Set("X-Original-Uri", "/v1/refunds")
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 5 * time.Second}
	w, err := client.Do(r)
	if err != nil {
		return 0
	}
	w.Body.Close()
	return w.StatusCode
}

// waitUntil waits until ok returns true.
func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// With millions of open runs detect reads its state for a minute. Meanwhile the check answers by the breakers of before, and readiness
// says how far detect is.
func TestCheckDoesNotAnswerWhileDetectRestores(t *testing.T) {
	c := deployment(t)
	start := func(stage func(string)) (p *process, stop func()) {
		p = newProcess(c, []string{"control", "detect"}, quiet())
		if stage != nil {
			p.stage = stage
		}
		ctx, cancel := context.WithCancel(t.Context())
		if err := p.start(ctx); err != nil {
			p.stop()
			t.Fatal(err)
		}
		p.started.Store(true)
		return p, sync.OnceFunc(func() { cancel(); p.stop() })
	}
	first, stop := start(nil)
	defer stop()
	waitUntil(t, "ready", func() bool { return first.parts.ready() == nil })
	if got := checked(t, c.Check.Listen); got != http.StatusOK {
		t.Fatalf("without a breaker the answer is %d", got)
	}
	value, err := wire.EncodeCommand(&schema.Command{ID: "kill", Kind: schema.CommandForceOpen, Tenant: c.Tenant, By: "ana", Role: "admin",
		Scope: schema.Scope{Kind: schema.ScopeTenant, Value: c.Tenant}, Reason: "a test", TTL: int64(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	out, err := first.kafka.NewClient("test")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := out.ProduceSync(t.Context(), &kgo.Record{Topic: wire.CommandsTopic, Value: value}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, "denied", func() bool { return checked(t, c.Check.Listen) == http.StatusForbidden })
	stop()

	restoring, finish := make(chan struct{}), make(chan struct{})
	began, ended := sync.OnceFunc(func() { close(restoring) }), sync.OnceFunc(func() { close(finish) })
	defer ended()
	again, stop := start(func(stage string) {
		if stage == "detect.claim|record" {
			began()
			<-finish
		}
	})
	defer func() { ended(); stop() }()
	<-restoring
	waitUntil(t, "denied while detect restores", func() bool { return checked(t, c.Check.Listen) == http.StatusForbidden })
	states := again.parts.states()
	at := slices.IndexFunc(states, func(s PartState) bool { return s.Part == "detect" })
	if s := states[at]; s.Ready || !strings.Contains(s.Reason, "restoring 2 partitions") {
		t.Errorf("detect: %+v", s)
	}
	if at = slices.IndexFunc(states, func(s PartState) bool { return s.Part == "control" }); !states[at].Ready {
		t.Errorf("control: %+v", states[at])
	}
	ended()
	waitUntil(t, "ready again", func() bool { return again.parts.ready() == nil })
}
