package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"flyball/schema/clickhouse"
)

// An engine that was stopped with SIGSTOP accepted connections, readiness stayed 200, and nothing was logged.
func TestHungClickHouseIsReady(t *testing.T) {
	var log bytes.Buffer
	now := time.Unix(1000, 0)
	p := newDatabaseProbe(nil, func() time.Time { return now }, slog.New(slog.NewTextHandler(&log, nil)), prometheus.NewRegistry())
	hung := &clickhouse.Error{Addr: "ch:8123", Reason: clickhouse.NoAnswer, Cause: context.DeadlineExceeded}
	away := &clickhouse.Error{Addr: "ch:8123", Reason: clickhouse.NoServer, Cause: errors.New("refused")}
	busy := &clickhouse.Error{Addr: "ch:8123", Code: 202, Cause: errors.New("too many queries")}
	for i, step := range []struct {
		err   error
		fails bool
		logs  int
	}{
		{nil, false, 0}, {hung, false, 0}, {nil, false, 0}, // a loaded server misses one
		{hung, false, 0}, {hung, true, 1}, {hung, true, 1}, {nil, false, 2},
		{away, true, 3}, {hung, true, 3}, {busy, false, 4}, {busy, false, 4},
	} {
		p.observe(step.err)
		now = now.Add(time.Second)
		if fails := p.failure() != nil; fails != step.fails || strings.Count(log.String(), "\n") != step.logs {
			t.Errorf("step %d: %v, fails %v, log %s", i, step.err, fails, log.String())
		}
		if up := testutil.ToFloat64(p.up); (up == 0) != step.fails && i > 0 {
			t.Errorf("step %d: up %v", i, up)
		}
	}
	for _, want := range []string{"level=ERROR", "ClickHouse cannot be reached at ch:8123", "ClickHouse answers again", "outage=2s"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("%q is not logged:\n%s", want, log.String())
		}
	}
}

// Without ClickHouse the store is not ready, and a point goes on and says so.
func TestPointGoesOnWithoutClickHouseAndSaysSo(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	k := newBroker(t)
	c := deploymentOn(t, k)
	c.ClickHouse.Addr = []string{l.Addr().String()}
	startRole(t, c, "control")
	awaitStatus(t, c, "the warning", func(s *ProcessStatus) bool {
		return slices.ContainsFunc(s.Parts, func(p PartState) bool {
			return p.Part == "clickhouse" && p.Ready && strings.Contains(p.Warning, "nothing answers in time")
		})
	})
	if code, _ := readiness(t, c); code != http.StatusOK {
		t.Errorf("HTTP %d", code)
	}
}
