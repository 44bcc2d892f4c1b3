package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/alerts/incident"
)

// paged returns when the page about the breaker of a run came, and when the breaker was opened; ok: it came.
func (p *phone) paged(run string) (came, opened time.Time, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, page := range p.pages {
		if page.RunKey == run && page.Because == string(incident.BreakerOpened) {
			return p.came[i], page.At, true
		}
	}
	return
}

// tripToPage makes n runaways one after another. It returns for each the time from its trip in the log of commands to the page about it at
// the receiver, and from the acknowledgement of its last call to that page, sorted.
func (f *flyball) tripToPage(p *phone, prefix string, n int) (trip, call []time.Duration) {
	f.t.Helper()
	var before []string // the trip budget is a share of the active agents
	for i := range n {
		before = append(before, record(time.Now(), fmt.Sprintf("fleet/%s%d", prefix, i), fmt.Sprintf("before-%s-%d", prefix, i),
			"/v1/orders/1", "GET", 200, 400))
	}
	f.send(before...)
	f.until("the agents are known", 20*time.Second, fmt.Sprint(n), func() (string, error) {
		return f.sql("SELECT count() FROM flyball.runs WHERE run_key LIKE 'before-" + prefix + "-%'")
	})
	for i := range n {
		run := fmt.Sprintf("%s-%d", prefix, i)
		var lines []string
		for call := range 5 { // as many as trip
			at := time.Now().Add(time.Duration(call-5) * time.Millisecond)
			lines = append(lines, record(at, fmt.Sprintf("fleet/%s%d", prefix, i), run, "/v1/orders/7", "GET", 200, 512))
		}
		f.send(lines...)
		sent := time.Now()
		for {
			if came, opened, ok := p.paged(run); ok {
				trip, call = append(trip, came.Sub(opened)), append(call, came.Sub(sent))
				break
			}
			if time.Since(sent) > 10*time.Second {
				f.t.Errorf("no page about %s in 10 s", run)
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
	slices.Sort(trip)
	slices.Sort(call)
	return trip, call
}

// Time from a trip to its page at a webhook on the same machine, one runaway at a time: idle, and beside 3,000 other calls a second. Then
// 250 runaways in a second or two, whose pages wait for each other: three a runaway, delivered in their order.
func TestMeasureTripToPage(t *testing.T) {
	measuring(t)
	p := ring(t)
	f := withLoopAnd(t, strings.Replace(p.config(t), "alerts: {", "alerts: {grouping: {agents: 100000}, ", 1))
	measure := func(prefix, title string) {
		trip, call := f.tripToPage(p, prefix, 200)
		histogram("trip to page, "+title, trip)
		histogram("last call to page, "+title, call)
	}
	measure("idle", "idle")
	l := f.load(3000, func(n int) (string, string) {
		agent := fmt.Sprintf("fleet/b%d", n%20)
		return agent, record(time.Now(), agent, fmt.Sprintf("load-%d", n/120*20+n%20), fmt.Sprintf("/v1/orders/%d", n), "GET", 200, 300+n%400)
	})
	time.Sleep(2 * time.Second)
	measure("busy", "3,000 calls/s")
	l.end()

	const burst = 250
	f.trips("burst", burst)
	var waits []time.Duration
	f.until("each trip of the burst has its page", time.Minute, fmt.Sprint(burst), func() (string, error) {
		waits = waits[:0]
		for i := range burst {
			if came, opened, ok := p.paged(fmt.Sprintf("burst-%d", i)); ok {
				waits = append(waits, came.Sub(opened))
			}
		}
		return fmt.Sprint(len(waits)), nil
	})
	slices.Sort(waits)
	histogram("trip to page, 250 trips at once", waits)
}
