package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// ClickHouse is not reachable: runaways are stopped and pages are sent, and the data is stored
// when it is reachable again.
func TestClickHouseAwayTripsAndPagesGoOn(t *testing.T) {
	server := install(t, "", "").start() // its engine is the outside ClickHouse
	p := ring(t)
	f := install(t, "", fmt.Sprintf("127.0.0.1:%d", server.ports["clickhouse"]))
	f.ports["clickhouse"] = server.ports["clickhouse"]
	f = withLoopIn(t, f, p.config(t))
	server.stop()
	n := f.runAway("fleet/a3", "bad", 30*time.Second)
	t.Logf("denied after %d calls with ClickHouse away", n)
	f.until("somebody is told", 20*time.Second, "true", func() (string, error) {
		return fmt.Sprint(slices.Contains(p.told("bad"), "updated breaker_opened")), nil
	})
	time.Sleep(away())
	f.runAway("fleet/a4", "bad-too", 30*time.Second)
	server.start()
	f.until("both are stored", 60*time.Second, "2", func() (string, error) {
		return f.sql("SELECT uniqExact(run_id) FROM flyball.breakers WHERE state = 'open' AND mode = 'armed'")
	})
}

// The broker is not reachable: points continue with their last state and report that it is
// stale.
func TestBrokerAwayPointsKeepTheLastStateAndSayStale(t *testing.T) {
	k := realKafka(t)
	f := withLoopOn(t, k.Addr(), "")
	f.runAway("fleet/a3", "bad", 30*time.Second)
	if _, h, _ := f.check("fleet/a1", "good", "GET", "/v1/orders/1"); h.Get("X-Flyball-Stale") != "" {
		t.Fatal("stale with a broker that answers")
	}
	k.Kill9()
	f.until("the point says that it is stale", 60*time.Second, "200 1", func() (string, error) {
		code, h, _ := f.check("fleet/a1", "good", "GET", "/v1/orders/1")
		return fmt.Sprint(code, " ", h.Get("X-Flyball-Stale")), nil
	})
	if code, _, _ := f.check("fleet/a3", "bad", "GET", "/v1/orders/7"); code != http.StatusForbidden {
		t.Errorf("the open breaker answers %d without a broker", code)
	}
	r := f.alertRules()
	r.fires("flyball-stale-point", "{point=test}", 30*time.Second)
	k.Start()
	f.until("the point catches up", 60*time.Second, "200 ", func() (string, error) {
		code, h, _ := f.check("fleet/a1", "good", "GET", "/v1/orders/1")
		return fmt.Sprint(code, " ", h.Get("X-Flyball-Stale")), nil
	})
	r.fires("flyball-stale-point", "none", 60*time.Second)
	began := time.Now()
	n := f.runAway("fleet/a4", "bad-too", 60*time.Second)
	t.Logf("denied after %d calls and %s with the broker back", n, time.Since(began))
}

// Two enforcement points fold the same log: both deny, a trip is counted once,
// and a reset at one is a reset at both.
func TestTwoControlProcessesAgree(t *testing.T) {
	f := withLoop(t)
	other := install(t, f.brokers(), "", "secret_key_file: "+f.dir+"/data/secret.key")
	other.beside(f)
	configure(t, other, fmt.Sprintf("control: {listen: \"127.0.0.1:%d\", point: other}", other.ports["control"]))
	other.role = "control"
	other.launch()
	other.ready(60 * time.Second)
	f.runAway("fleet/a3", "bad", 30*time.Second)
	both := func(want string) {
		t.Helper()
		f.until("both points answer "+want, 20*time.Second, want+" "+want, func() (string, error) {
			a, _, _ := f.check("fleet/a3", "bad", "GET", "/v1/orders/7")
			b, _, _ := other.check("fleet/a3", "bad", "GET", "/v1/orders/7")
			return fmt.Sprint(a, " ", b), nil
		})
	}
	both("403")
	var open []struct {
		Scope      struct{ Kind, Value string }
		Generation uint64
	}
	f.json(&open, "breakers", "list")
	if len(open) != 1 {
		t.Fatalf("breakers: %+v", open)
	}
	f.run([]int{0}, "breakers", "reset", open[0].Scope.Kind, open[0].Scope.Value, "--if-match", fmt.Sprint(open[0].Generation), "--reason",
		"looked")
	both("200")
	f.until("each change is stored once", 20*time.Second, "2 2", func() (string, error) {
		s, err := f.sql("SELECT count(), uniqExact(generation) FROM flyball.breakers")
		return strings.ReplaceAll(s, "\t", " "), err
	})
	other.stop()
}
