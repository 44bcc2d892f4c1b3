package main

import (
	"context"
	"fmt"
	"iter"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// soakTraffic is what ordinary runs look like: many short runs of few agents at a time.
type soakTraffic struct {
	rate   int           // calls a second
	agents int           // each with many runs at a time
	calls  int           // calls of a run, on average: lengths are geometric
	pause  time.Duration // between two calls of a run, on average: pauses are exponential
}

// runPool holds the runs that make calls. A call is of a run drawn from all of them, and ends it with
// probability 1/calls.
type runPool struct {
	traffic soakTraffic
	r       *rand.Rand
	names   string // prefix of the ids of runs
	runs    []poolRun
	next    int
}

type poolRun struct{ agent, id int }

func newRunPool(t soakTraffic, names string, seed uint64) *runPool {
	p := &runPool{traffic: t, r: rand.New(rand.NewPCG(seed, 21)), names: names}
	p.runs = make([]poolRun, max(int(float64(t.rate)*t.pause.Seconds()), 1))
	for i := range p.runs {
		p.runs[i] = p.begin()
	}
	return p
}

func (p *runPool) begin() poolRun {
	p.next++
	return poolRun{p.r.IntN(p.traffic.agents), p.next}
}

// call returns the run that makes the next call. If the call ends the run, another one begins in its place.
func (p *runPool) call() poolRun {
	i := p.r.IntN(len(p.runs))
	run := p.runs[i]
	if p.r.IntN(p.traffic.calls) == 0 {
		p.runs[i] = p.begin()
	}
	return run
}

// lastCall is call when no run begins any more: a run that ends leaves the pool.
func (p *runPool) lastCall() poolRun {
	i := p.r.IntN(len(p.runs))
	run := p.runs[i]
	if p.r.IntN(p.traffic.calls) == 0 {
		last := len(p.runs) - 1
		p.runs[i] = p.runs[last]
		p.runs = p.runs[:last]
	}
	return run
}

// line returns the log line of a call of a run at a time.
func (p *runPool) line(run poolRun, at time.Time) []byte {
	return []byte(envoyRecord(p.r, at, fmt.Sprintf(`"x_forwarded_for":"10.0.%d.%d","x_consumer":"team/agent-%d","x_agent_run_id":"%s-%d"`,
		run.agent/256, run.agent%256, run.agent, p.names, run.id)))
}

// record returns the log line of the next call, at a time.
func (p *runPool) record(at time.Time) []byte { return p.line(p.call(), at) }

// pastCall is a call of the past.
type pastCall struct {
	at  time.Duration // since the first call
	run poolRun
}

// past returns calls of a past in which runs begin for so long, and then all of them end: while fewer are left, fewer
// calls are made, so that the pauses stay the same. A past that is cut off at a time shows runs shorter than they are,
// the more so the closer it is to the length of a run (36 s by default), and the runs of the same traffic
// alarm as too long by the baseline that is learned from it.
func (p *runPool) past(begin time.Duration) []pastCall {
	var calls []pastCall
	rate := float64(p.traffic.rate)
	for k := range int(begin.Seconds() * rate) {
		calls = append(calls, pastCall{time.Duration(float64(k) / rate * 1e9), p.call()})
	}
	at, all := begin, float64(len(p.runs))
	for len(p.runs) > 0 {
		pause := all / float64(len(p.runs)) / rate
		calls = append(calls, pastCall{at, p.lastCall()})
		at += time.Duration(pause * 1e9)
	}
	return calls
}

// maxWaiting is how many records wait in the generator while the broker is away; then the generator stops
// and catches up later.
const maxWaiting = 300_000

// soakProducer returns a client that writes to a topic of the broker on a port.
func soakProducer(port int, topic string) (*kgo.Client, error) {
	return kgo.NewClient(kgo.SeedBrokers(fmt.Sprintf("127.0.0.1:%d", port)), kgo.AllowAutoTopicCreation(), kgo.DefaultProduceTopic(topic),
		kgo.MaxBufferedRecords(maxWaiting), kgo.ProducerBatchCompression(kgo.NoCompression()), kgo.ProducerLinger(5*time.Millisecond))
}

// soakLoad makes calls at a rate until its context ends. Call k is made at began + k/rate, and logged with
// this time: if it could not be written then, it is written as soon as it can be.
type soakLoad struct {
	sent, acknowledged, failed atomic.Int64
}

// start begins the load. end stops it, waits until its records are acknowledged and closes the client. Those that are not acknowledged
// after the time have failed: the broker may be gone.
func (l *soakLoad) start(client *kgo.Client, pool *runPool, within time.Duration) (end func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() { l.run(ctx, client, pool) })
	return sync.OnceFunc(func() {
		cancel()
		defer time.AfterFunc(within, client.Close).Stop() // ends the waits below
		running.Wait()
		_ = client.Flush(context.Background())
		client.Close()
	})
}

func (l *soakLoad) run(ctx context.Context, client *kgo.Client, pool *runPool) {
	began := time.Now()
	rate := float64(pool.traffic.rate)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for k := 0; ctx.Err() == nil; {
		for due := int(time.Since(began).Seconds() * rate); k < due && ctx.Err() == nil; k++ {
			at := began.Add(time.Duration(float64(k) / rate * 1e9)).UTC()
			// Records that were made are written, also after the load has ended.
			client.Produce(context.WithoutCancel(ctx), &kgo.Record{Value: pool.record(at)}, func(_ *kgo.Record, err error) {
				if err != nil {
					l.failed.Add(1)
					return
				}
				l.acknowledged.Add(1)
			})
			l.sent.Add(1)
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// writePast writes the calls of runPool.past, the last of them at a time. It returns how many calls and runs it wrote,
// when all are acknowledged.
func writePast(port int, topic string, t soakTraffic, past time.Duration, until time.Time) (calls, runs int, err error) {
	pool := newRunPool(t, topic, 20)
	all := pool.past(past)
	began := until.Add(-all[len(all)-1].at)
	err = writeAll(port, topic, func(yield func(*kgo.Record) bool) {
		for _, c := range all {
			if !yield(&kgo.Record{Value: pool.line(c.run, began.Add(c.at).UTC())}) {
				return
			}
		}
	})
	return len(all), pool.next, err
}

// writeAll writes records to a topic and waits until all of them are acknowledged. It returns the error of one that was not.
func writeAll(port int, topic string, records iter.Seq[*kgo.Record]) error {
	client, err := soakProducer(port, topic)
	if err != nil {
		return err
	}
	defer client.Close()
	var failed atomic.Pointer[error]
	for r := range records {
		client.Produce(context.Background(), r, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	if err := client.Flush(context.Background()); err != nil {
		return err
	}
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}
