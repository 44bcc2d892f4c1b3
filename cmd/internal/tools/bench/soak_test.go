package main

import (
	"net"
	"testing"
	"time"
)

func soakRows(n int, change func(i int, r *row)) []row {
	rows := make([]row, n)
	for i := range rows {
		rows[i] = row{seconds: float64(10 * (i + 1)), in: 3000, stored: 3000, cpu: 50, engine: 10, live: 900, rss: 1500, openRuns: 147_000,
			lag: map[string]float64{"flyball-ingest": 0, "flyball-detect": 0, "flyball-store": 1}}
		change(i, &rows[i])
	}
	return rows
}

func judged(list []verdict, want judgement) []string {
	var out []string
	for _, v := range list {
		if v.judgement == want {
			out = append(out, v.figure)
		}
	}
	return out
}

// What grows until the first gap has passed, and what a restart costs, is not a growth.
func TestSoakIsJudgedByWhatHadToGrow(t *testing.T) {
	o := soakOptions{every: 10 * time.Second, gap: time.Minute, lateness: 5 * time.Minute,
		traffic: soakTraffic{rate: 3000, agents: 112, calls: 8, pause: 4500 * time.Millisecond}}
	if got := o.settles(); got != (468+900)*time.Second {
		t.Fatalf("settles after %s", got)
	}
	filling := func(i int, r *row) {
		if r.seconds < 468 {
			r.openRuns *= r.seconds / 468
		}
		if r.seconds < 1368 {
			r.live *= r.seconds / 1368
		}
		if i == 170 {
			r.cut, r.cpu, r.engine = true, 0, 0
		}
		if i == 171 || i == 172 {
			r.behind, r.cpu = 60_000, 300
		}
	}
	if list := verdicts(soakRows(210, filling), &o); len(judged(list, flat)) != len(list) {
		t.Errorf("%v", list)
	}
	for name, behind := range map[string]func(r *row) float64{
		"falls behind all the time":    func(r *row) float64 { return r.seconds * 300 },
		"falls behind from the end on": func(r *row) float64 { return max(r.seconds-1800, 0) * 3000 },
	} {
		list := verdicts(soakRows(210, func(i int, r *row) {
			filling(i, r)
			r.behind += int(behind(r))
		}), &o)
		if got := len(judged(list, flat)); got != len(list)-1 || list[4].judgement == flat {
			t.Errorf("%s: %v", name, list)
		}
	}
	unknown := verdicts(soakRows(210, func(i int, r *row) {
		filling(i, r)
		r.lag = nil
	}), &o)
	if got := len(judged(unknown, undecided)); got != len(stages) {
		t.Errorf("lag that is not known is judged: %v", unknown)
	}
	if list := verdicts(soakRows(137, filling), &o); len(judged(list, undecided)) != len(list) {
		t.Errorf("rows before the first gap are judged: %v", list)
	}
}

func TestRowCountsWhatAnotherProcessDid(t *testing.T) {
	began := time.Unix(1000, 0)
	a := counters{at: began, in: 1000, stored: 900, cpu: time.Second, engine: time.Second, collector: 1, used: 2, entries: 10, entryBytes: 1e6}
	b := counters{at: began.Add(10 * time.Second), in: 31_000, stored: 30_500, cpu: 2500 * time.Millisecond, engine: 1300 * time.Millisecond,
		collector: 1.3, used: 3.5, entries: 60, entryBytes: 3e6}
	r := rowBetween(began, &a, &b, false)
	if r.in != 3000 || r.stored != 2960 || r.behind != 500 || r.cpu != 50 || r.engine != 10 || r.cores != 0.18 ||
		r.entries != 5 || r.entryKB != 200 {
		t.Errorf("%+v", r)
	}
	if r.collector < 0.199 || r.collector > 0.201 {
		t.Errorf("collector %v of the CPU", r.collector)
	}
	if cut := rowBetween(began, &a, &b, true); cut.cpu != 0 || cut.entries != 0 || cut.stored != 2960 {
		t.Errorf("%+v", cut)
	}
}

// 8 calls a run at 3,000 a second are 375 new runs a second, of all agents.
func TestRunsOfTheSoakAreNotOrdinary(t *testing.T) {
	p := newRunPool(soakTraffic{rate: 3000, agents: 112, calls: 8, pause: 4500 * time.Millisecond}, "run", 1)
	begun := p.next
	if begun != 13_500 {
		t.Errorf("%d runs at a time", begun)
	}
	at := time.Unix(1795176000, 0).UTC()
	for range 80_000 {
		p.record(at)
	}
	if n := p.next - begun; n < 9700 || n > 10_300 {
		t.Errorf("%d runs of 80,000 calls", n)
	}
	agents := map[int]bool{}
	for _, r := range p.runs {
		agents[r.agent] = true
	}
	if len(agents) != 112 {
		t.Errorf("%d agents", len(agents))
	}
}

// After a restart that failed, the load was never ended, and the measurement did not return its error.
func TestLoadDoesNotEndWithoutItsBroker(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	client, err := soakProducer(port, "gw")
	if err != nil {
		t.Fatal(err)
	}
	load := &soakLoad{}
	end := load.start(client, newRunPool(soakTraffic{rate: 1000, agents: 2, calls: 8, pause: time.Second}, "run", 1), 10*time.Millisecond)
	for load.sent.Load() == 0 {
		time.Sleep(time.Millisecond)
	}
	end()
	if sent, failed := load.sent.Load(), load.failed.Load(); failed != sent {
		t.Errorf("%d of %d records have failed", failed, sent)
	}
}
