package main

import (
	"context"
	"fmt"
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

// record returns the log line of the next call, at a time.
func (p *runPool) record(at time.Time) []byte {
	i := p.r.IntN(len(p.runs))
	run := p.runs[i]
	if p.r.IntN(p.traffic.calls) == 0 {
		p.runs[i] = p.begin()
	}
	return []byte(envoyRecord(p.r, at, fmt.Sprintf(`"x_forwarded_for":"10.0.%d.%d","x_consumer":"team/agent-%d","x_agent_run_id":"%s-%d"`,
		run.agent/256, run.agent%256, run.agent, p.names, run.id)))
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

// writePast writes the calls of a time that ends at until, at the rate of the traffic: how many runs an agent has
// at a time is learned, too. It returns how many calls it wrote, when all are acknowledged.
func writePast(port int, topic string, t soakTraffic, past time.Duration, until time.Time) (int, error) {
	client, err := soakProducer(port, topic)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	n := int(past.Seconds() * float64(t.rate))
	pool := newRunPool(t, topic, 20)
	var failed atomic.Pointer[error]
	for k := range n {
		at := until.Add(-time.Duration(float64(n-k) / float64(t.rate) * 1e9)).UTC()
		client.Produce(context.Background(), &kgo.Record{Value: pool.record(at)}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed.Store(&err)
			}
		})
	}
	if err := client.Flush(context.Background()); err != nil {
		return n, err
	}
	if err := failed.Load(); err != nil {
		return n, *err
	}
	return n, nil
}
