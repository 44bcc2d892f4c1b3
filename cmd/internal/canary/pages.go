package canary

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	webhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/twmb/franz-go/pkg/kadm"

	"flyball/alerts/incident"
	"flyball/alerts/notify"
	"flyball/alerts/pager"
	"flyball/schema"
)

// pageReader is a pager for findings of the canary alone, with a signed webhook of the canary's own as its receiver.
type pageReader struct {
	o      *Options
	group  string
	server *http.Server
	verify *webhooks.Webhook
	stop   context.CancelFunc
	ended  chan struct{} // closed when the pager has ended

	mu      sync.Mutex
	waiting map[string]chan time.Time // by the key of the run
	failure error                     // of the pager
}

// readyTimeout bounds the time until a pager has read the events that there are.
const readyTimeout = 30 * time.Second

// openPages starts the pager, which lives until life ends, and waits until it has caught up with the events.
func openPages(ctx, life context.Context, o *Options) (*pageReader, error) {
	var random [40]byte
	_, _ = rand.Read(random[:])
	secret := "whsec_" + base64.StdEncoding.EncodeToString(random[:32])
	verify, err := webhooks.NewWebhook(secret)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("the canary's webhook: %w", err)
	}
	name := clientName + "." + hex.EncodeToString(random[32:]) // no configured receiver can have a dot in its name
	p := &pageReader{o: o, group: pager.Group(name), verify: verify, ended: make(chan struct{}), waiting: map[string]chan time.Time{}}
	p.server = &http.Server{Handler: http.HandlerFunc(p.take), ReadTimeout: 10 * time.Second}
	go func() { _ = p.server.Serve(l) }()
	hook, err := notify.NewWebhook(name, "http://"+l.Addr().String(), secret, time.Now)
	if err != nil {
		_ = p.server.Close()
		return nil, err
	}
	metrics := prometheus.NewRegistry()
	pages := pager.New(pager.Options{Name: name, Receiver: hook, Kafka: o.Kafka, Now: time.Now, Logger: o.Logger,
		Metrics: pager.NewMetrics(metrics), NewFold: func() *incident.Fold { return newFold(name) }})
	life, p.stop = context.WithCancel(life)
	go func() {
		defer close(p.ended)
		if err := pages.Run(life); err != nil {
			p.mu.Lock()
			p.failure = err
			p.mu.Unlock()
		}
	}()
	if err := p.ready(ctx, pages, metrics); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

// newFold returns the Fold of a receiver of what the canary causes, and of nothing else.
func newFold(receiver string) *incident.Fold {
	f := incident.NewFold()
	f.Receiver, f.Bounds = receiver, incident.Bounds{Agents: 1 << 20}
	f.Route = func(v *schema.Finding, _ int64) incident.Routes {
		if v.Tenant != schema.CanaryTenant {
			return incident.Routes{}
		}
		return incident.Routes{Receivers: []string{receiver}}
	}
	return f
}

// ready waits until the pager has joined its group and has read the events that there are.
func (p *pageReader) ready(ctx context.Context, pages *pager.Pager, metrics prometheus.Gatherer) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	quiet := 0
	for quiet < 5 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("the canary's pager has not caught up with the events: %w", ctx.Err())
		case <-p.ended:
			return fmt.Errorf("the canary's pager has ended: %w", p.failure)
		case <-time.After(100 * time.Millisecond):
		}
		if quiet++; pages.Ready() != nil || unhandled(metrics) > 0 {
			quiet = 0
		}
	}
	return nil
}

// unhandled returns the number of events that the pager knows of and has not handled.
func unhandled(metrics prometheus.Gatherer) (n float64) {
	families, _ := metrics.Gather()
	for _, f := range families {
		if f.GetName() == "flyball_alert_unhandled_records" {
			for _, m := range f.Metric {
				n += m.GetGauge().GetValue()
			}
		}
	}
	return n
}

// take is the webhook.
func (p *pageReader) take(w http.ResponseWriter, r *http.Request) {
	at := time.Now()
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	var m notify.Message
	if err != nil || p.verify.Verify(body, r.Header) != nil || json.Unmarshal(body, &m) != nil || m.Data == nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if seen := p.waiting[m.Data.RunKey]; seen != nil && m.Data.Kind == incident.Opened {
		select {
		case seen <- at:
		default:
		}
	}
}

func (p *pageReader) await(round string) <-chan time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	seen := make(chan time.Time, 1)
	p.waiting[round] = seen
	return seen
}

func (p *pageReader) forget(round string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, round)
}

// removeTimeout bounds the removal of the pager's group.
const removeTimeout = 5 * time.Second

// close ends the pager and removes its group from Kafka.
func (p *pageReader) close() {
	p.stop()
	<-p.ended
	_ = p.server.Close()
	ctx, cancel := context.WithTimeout(context.Background(), removeTimeout)
	defer cancel()
	client, err := p.o.Kafka.NewClient(clientName)
	if err != nil {
		return
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).DeleteGroups(ctx, p.group); err != nil {
		p.o.Logger.Warn("the canary's consumer group was not removed", "group", p.group, "error", err)
	}
}
