// Package canary is a synthetic agent that runs away: it writes log lines as a gateway does, asks the check as a gateway does, and
// measures how long it takes until a trip is in the log of commands, the check denies the run, and a page about it has arrived.
//
// It uses the deployment's own topics, check and code of pages, and a tenant of its own; see schema.CanaryTenant. It does not send pages
// to the configured receivers, and measures no score: its run trips at a fixed number of calls.
package canary

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// Hops, in the order of the path.
const (
	HopAsked   = "asked"   // the check allows the run's first request
	HopLogged  = "logged"  // Kafka has acknowledged the run's log lines
	HopTripped = "tripped" // the trip is in flyball.commands
	HopDenied  = "denied"  // the check denies the run
	HopPaged   = "paged"   // the page has been delivered to the canary's own webhook
)

// Hops are all hops.
var Hops = []string{HopAsked, HopLogged, HopTripped, HopDenied, HopPaged}

// Signer makes the receipts of the canary; *identity.Resolver.
type Signer interface {
	SignCanary(round, method, path string, at time.Time) (string, error)
}

// Options configure a canary.
type Options struct {
	Kafka  kafka.Config
	Topic  string // input to which the lines are written
	Signer Signer
	// CheckURL is the address of the check; CheckToken returns what gateways show to it now, empty: nothing.
	CheckURL   string
	CheckToken func() schema.Secret
	HTTP       *http.Client
	Bound      time.Duration // within which a round must have come back
	Logger     *slog.Logger
}

// Hop is one hop of a round.
type Hop struct {
	Hop string `json:"hop"`
	// Ms is the time since the lines were written (of asked: since it was asked), in milliseconds; nil: it was not reached.
	Ms *float64 `json:"ms"`
	// Why is why it was not reached.
	Why string `json:"why,omitempty"`
}

// Round is the result of a round.
type Round struct {
	Round string `json:"round"` // also the key of the run
	At    string `json:"at"`
	Hops  []Hop  `json:"hops"`
	// Lost is the first hop that was not reached within the bound; empty: the round has come back.
	Lost string `json:"lost,omitempty"`
}

// Err returns an error that names the first missing hop; nil: none is missing.
func (r *Round) Err() error {
	for _, h := range r.Hops {
		if h.Hop == r.Lost {
			return fmt.Errorf("the canary did not come back: %s: %s", h.Hop, h.Why)
		}
	}
	return nil
}

// Canary makes rounds, one at a time. Open starts it, Close ends it.
type Canary struct {
	o     Options
	kafka *kgo.Client // writes lines, reads commands
	pages *pageReader

	mu      sync.Mutex
	waiting map[string]chan time.Time // rounds that wait for their trip
	stop    context.CancelFunc
	reading sync.WaitGroup
}

// clientName is the name of the canary's Kafka clients.
const clientName = "canary"

// Open connects a canary and waits until it can observe a round.
func Open(ctx context.Context, o Options) (*Canary, error) {
	c := &Canary{o: o, waiting: map[string]chan time.Time{}}
	var err error
	c.kafka, err = o.Kafka.NewClient(clientName, kgo.ConsumeTopics(wire.CommandsTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()),
		kgo.FetchMaxWait(100*time.Millisecond), kgo.ProducerLinger(0), kgo.RecordDeliveryTimeout(o.Bound), kgo.RequiredAcks(kgo.AllISRAcks()))
	if err != nil {
		return nil, err
	}
	// The group's reading begins at the end that this finds: a trip that is written later is seen.
	if err := o.Kafka.CheckConnection(ctx); err != nil {
		c.kafka.Close()
		return nil, err
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	c.reading.Go(func() { c.readCommands(life) })
	if c.pages, err = openPages(ctx, life, &o); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// Close ends the canary and removes what it had in Kafka.
func (c *Canary) Close() {
	c.stop()
	if c.pages != nil {
		c.pages.close()
	}
	c.reading.Wait()
	c.kafka.Close()
}

// readCommands passes trips to the rounds that wait for them.
func (c *Canary) readCommands(ctx context.Context) {
	for ctx.Err() == nil {
		c.kafka.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			command, err := wire.DecodeCommand(r.Value)
			if err != nil || command.Tenant != schema.CanaryTenant || command.Kind != schema.CommandTrip || command.Decision == nil {
				return
			}
			c.mu.Lock()
			defer c.mu.Unlock()
			if seen := c.waiting[command.Decision.RunID.String()]; seen != nil {
				select {
				case seen <- time.Now():
				default:
				}
			}
		})
	}
}

// Lines that a round writes: a few more than those at which its run trips.
const lines = 8

// denialEvery is the time between two requests to the check in one round.
const denialEvery = 10 * time.Millisecond

// Round makes one round. It returns when all hops were reached, or after the bound.
func (c *Canary) Round(ctx context.Context) Round {
	var id [8]byte
	_, _ = rand.Read(id[:])
	began := time.Now()
	name := began.UTC().Format("20060102T150405") + "-" + hex.EncodeToString(id[:])
	r := &round{c: c, path: schema.CanaryPath + name, out: Round{Round: name, At: began.UTC().Format(time.RFC3339Nano)}}
	ctx, cancel := context.WithTimeout(ctx, c.o.Bound)
	defer cancel()
	r.run(ctx)
	r.out.complete(c.o.Bound)
	return r.out
}

// complete adds the hops that were not reached.
func (r *Round) complete(bound time.Duration) {
	var all []Hop
	for _, name := range Hops {
		hop := Hop{Hop: name, Why: "not within " + bound.String()}
		for _, h := range r.Hops {
			if h.Hop == name {
				hop = h
			}
		}
		if hop.Ms == nil && r.Lost == "" {
			r.Lost = name
		}
		all = append(all, hop)
	}
	r.Hops = all
}

// round is a round that is being made.
type round struct {
	c       *Canary
	path    string
	receipt string

	mu  sync.Mutex
	out Round
}

// reached records that a hop was reached.
func (r *round) reached(hop string, after time.Duration) {
	ms := float64(after.Microseconds()) / 1000
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out.Hops = append(r.out.Hops, Hop{Hop: hop, Ms: &ms})
}

func (r *round) failed(hop string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.out.Hops = append(r.out.Hops, Hop{Hop: hop, Why: err.Error()})
}

func (r *round) run(ctx context.Context) {
	var err error
	if r.receipt, err = r.c.o.Signer.SignCanary(r.out.Round, http.MethodGet, r.path, time.Now()); err != nil {
		r.failed(HopAsked, err)
		return
	}
	asked := time.Now()
	status, run, err := r.ask(ctx)
	switch {
	case err != nil:
		r.failed(HopAsked, err)
	case run == "":
		// The lines would be taken for those of an ordinary caller, be stored, and page people.
		r.failed(HopAsked, fmt.Errorf("HTTP %d without a run: the check did not accept the canary's receipt, so nothing was written; "+
			"after flyball key rotate, the processes must be restarted", status))
		for _, hop := range Hops[1:] {
			r.failed(hop, errors.New("not tried"))
		}
		return
	case status != http.StatusOK:
		r.failed(HopAsked, fmt.Errorf("HTTP %d, run %q: an allowed run was expected", status, run))
	default:
		r.reached(HopAsked, time.Since(asked))
	}
	tripped := make(chan time.Time, 1)
	r.c.await(run, tripped)
	defer r.c.forget(run)
	paged := r.c.pages.await(r.out.Round)
	defer r.c.pages.forget(r.out.Round)

	began := time.Now()
	if err := r.write(ctx, began); err != nil {
		r.failed(HopLogged, err)
		return
	}
	r.reached(HopLogged, time.Since(began))
	var hops sync.WaitGroup
	hops.Go(func() { r.wait(ctx, HopTripped, began, tripped) })
	hops.Go(func() { r.wait(ctx, HopPaged, began, paged) })
	hops.Go(func() { r.untilDenied(ctx, began) })
	hops.Wait()
}

func (r *round) wait(ctx context.Context, hop string, began time.Time, seen <-chan time.Time) {
	select {
	case at := <-seen:
		r.reached(hop, at.Sub(began))
	case <-ctx.Done():
	}
}

// untilDenied asks the check until it denies the run.
func (r *round) untilDenied(ctx context.Context, began time.Time) {
	for ctx.Err() == nil {
		status, _, err := r.ask(ctx)
		if err == nil && status == http.StatusForbidden {
			r.reached(HopDenied, time.Since(began))
			return
		}
		select {
		case <-ctx.Done():
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				r.failed(HopDenied, err)
			}
		case <-time.After(denialEvery):
		}
	}
}

// ask asks the check about a call of the round, as Envoy does. It returns the status and the run in the answer.
func (r *round) ask(ctx context.Context) (status int, run string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.c.o.CheckURL+"/check/envoy"+r.path, nil)
	if err != nil {
		return 0, "", err
	}
	req.Header.Set(schema.CanaryHeader, r.receipt)
	if token := r.c.o.CheckToken(); token != "" {
		req.Header.Set("X-Flyball-Token", string(token))
	}
	resp, err := r.c.o.HTTP.Do(req)
	if err != nil {
		return 0, "", schema.WithoutURL(err)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode, resp.Header.Get("X-Flyball-Run"), nil
}

// write writes the lines of the round and waits until Kafka has acknowledged them.
func (r *round) write(ctx context.Context, at time.Time) error {
	var records []*kgo.Record
	for i := range lines {
		line, err := json.Marshal(map[string]any{"start_time": at.UTC().Add(time.Duration(i-lines) * time.Millisecond).Format(time.RFC3339Nano),
			"method": http.MethodGet, "path": r.path, "protocol": "HTTP/1.1", "response_code": 200, "bytes_sent": 2, "duration": 1,
			"user_agent": "flyball-canary", "flyball_receipt": r.receipt})
		if err != nil {
			return err
		}
		records = append(records, &kgo.Record{Topic: r.c.o.Topic, Key: []byte(r.out.Round), Value: line})
	}
	return r.c.o.Kafka.ExplainError(r.c.kafka.ProduceSync(ctx, records...).FirstErr())
}

func (c *Canary) await(run string, tripped chan time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting[run] = tripped
}

func (c *Canary) forget(run string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.waiting, run)
}
