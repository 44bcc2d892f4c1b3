// Package demo is `flyball demo`: everything in one process, recorded agent traffic through a real proxy, an agent that
// runs away, the trip, the page, and the answer to "what did it touch?".
//
// One play succeeds only if the runaway was denied, nobody else was, and every call that was sent is stored exactly once, in
// the run it belongs to. Many plays succeed if each runaway was denied and the share of other runs that were denied agrees
// with the setting. The package makes no traffic of its own but the runaway's calls.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/alerts/incident"
	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/schema"
	"flyball/schema/clickhouse"
)

// Options of the demo.
type Options struct {
	Out   io.Writer
	Log   *slog.Logger
	Keep  bool   // leave everything running until ctx ends
	Seed  uint64 // chooses the runs, who runs away, how and when
	Quick bool   // short pauses, for tests
	Now   func() time.Time

	oneOfMany bool // what a play showed is judged later, with the other plays
}

const inputTopic = "gateway-logs"

// falseTripsPer1000 is the setting of the play: of 200 live runs, one in 50 plays may still trip another.
const falseTripsPer1000 = .1

// Run plays one seed. It returns an error if a condition of the package comment does not hold.
func Run(ctx context.Context, o Options) error {
	_, err := o.run(ctx)
	return err
}

// run starts the parts, plays, and stops them.
func (o Options) run(ctx context.Context) (out outcome, err error) {
	dir, err := os.MkdirTemp("", "flyball-demo-")
	if err != nil {
		return out, err
	}
	defer os.RemoveAll(dir)
	pager, err := newPager()
	if err != nil {
		return out, err
	}
	defer pager.Close()
	c, file, err := configure(dir, pager)
	if err != nil {
		return out, err
	}
	o.printf("Flyball starts: a Kafka broker, a ClickHouse engine and six roles, in one process.")
	began := o.Now()
	running, cancel := context.WithCancel(ctx)
	defer cancel()
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- app.Run(running, c, []string{"up"}, o.Log, func() { close(ready) }) }()
	stop := func() error {
		cancel()
		return <-ended
	}
	select {
	case <-ready:
	case err := <-ended:
		return out, err
	case <-ctx.Done():
		return out, errors.Join(ctx.Err(), stop())
	}
	o.printf("ready in %.1f s", o.Now().Sub(began).Seconds())
	if out, err = o.acts(ctx, c, pager, began); err != nil {
		return out, errors.Join(err, stop())
	}
	if o.oneOfMany {
		return out, stop()
	}
	if err := out.problem(); err != nil {
		return out, errors.Join(err, stop())
	}
	o.nextSteps(c, file)
	if o.Keep {
		select {
		case <-ctx.Done():
		case err := <-ended:
			return out, err
		}
	}
	return out, stop()
}

// nextSteps prints what a reader may try after the demo.
func (o Options) nextSteps(c config.Config, file string) {
	o.printf("\nWhat to try next")
	o.printf("  bin/flyball demo --seed 2          another agent, another kind of runaway;  --keep leaves it running for the commands below")
	o.printf("  bin/flyball up                     the same with your own gateway's log; it observes until you arm an agent (flyball arm)")
	o.printf("  bin/flyball decode FILE            how a log of yours would be read")
	if o.Keep {
		o.printf("\nIt keeps running until you press Ctrl-C. Query it, with --config %s", file)
		o.printf("  bin/flyball findings | breakers list | breakers history | runs --min-level trip | run ID | touched ID | find TERM | status")
		o.printf("  curl http://%s --data 'SELECT agent_id, count() FROM flyball.calls WHERE counted GROUP BY agent_id ORDER BY 2 DESC'",
			c.ClickHouse.Listen)
	}
}

func (o Options) printf(format string, args ...any) { fmt.Fprintf(o.Out, format+"\n", args...) }

// acts are the parts of the demo in order: history, baseline, live traffic, report.
func (o Options) acts(ctx context.Context, c config.Config, pager *pager, began time.Time) (out outcome, err error) {
	kafka, err := app.KafkaConfig(c)
	if err != nil {
		return out, err
	}
	client, err := kafka.NewClient("demo", kgo.DefaultProduceTopic(inputTopic), kgo.ProducerLinger(time.Millisecond))
	if err != nil {
		return out, err
	}
	defer client.Close()
	db, err := app.OpenDatabase(c)
	if err != nil {
		return out, err
	}
	defer db.Close()
	history, live, w, leftOut, err := o.cast()
	if err != nil {
		return out, err
	}
	sent, err := o.history(ctx, client, db, history)
	if err != nil {
		return out, err
	}
	body, err := app.NewLearner(c, kafka, db, o.Log).LearnOnce(ctx)
	if err != nil {
		return out, err
	}
	o.printf("baseline %s: %d clean runs, %d calls, %d agents\n", body.Version, body.Runs, body.Calls, len(body.AgentNames()))

	gw := newGateway("http://"+c.Check.Listen+"/check/nginx", client, o.Now)
	defer gw.Close()
	s := o.newStage(gw)
	d, page, err := o.live(ctx, db, s, live, &w, pager, began)
	if err != nil {
		return out, err
	}
	if err := client.Flush(ctx); err != nil {
		return out, err
	}
	if failed := gw.failed.Load(); failed != nil {
		return out, fmt.Errorf("the access log: %w", *failed)
	}
	if err := o.verify(ctx, db, sent, gw.logged); err != nil {
		return out, err
	}
	if !o.oneOfMany {
		if err := o.touched(ctx, db, liveID(&w.run)); err != nil {
			return out, err
		}
	}
	out = outcome{seed: o.Seed, kind: w.kind, agent: w.agent, denied: d, page: page.ID, runs: live,
		leftOut: leftOut, unchecked: gw.unchecked.Load()}
	out.wrongDenials, err = wrongDenials(ctx, db, s.refusals())
	o.printf("\n%s", out.line())
	return out, err
}

// cast chooses by the seed which recorded runs are history, which are played live, and which of those runs away. It counts
// the recorded runs that are left out, by reason.
func (o Options) cast() (history, live []run, w runaway, leftOut map[string]int, err error) {
	r := rand.New(rand.NewPCG(o.Seed, 0x466c7962616c6c))
	all, err := load()
	if err != nil {
		return nil, nil, w, nil, err
	}
	history, live, leftOut = split(all, r)
	w, live, err = choose(live, r)
	return history, live, w, leftOut, err
}

func (o Options) newStage(gw *gateway) *stage {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 10 * time.Second}
	s := &stage{gw: gw, client: client, pace: 250 * time.Millisecond, now: o.Now, players: 24}
	if o.Quick {
		s.pace = 40 * time.Millisecond
	}
	return s
}

// history sends the past and waits until it is stored.
func (o Options) history(ctx context.Context, client *kgo.Client, db *clickhouse.Conn, runs []run) (map[string]uint64, error) {
	lines, keys, err := past(runs, o.Now())
	if err != nil {
		return nil, err
	}
	began := o.Now()
	records := make([]*kgo.Record, len(lines))
	for i := range lines {
		records[i] = &kgo.Record{Key: []byte(keys[i]), Value: lines[i]}
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return nil, fmt.Errorf("send the history: %w", err)
	}
	want := map[string]uint64{}
	for i := range runs {
		want[runs[i].id] = uint64(len(runs[i].calls))
	}
	if err := stored(ctx, o.Now, db, want); err != nil {
		return nil, err
	}
	o.printf("a fortnight of history: %d calls of %d real agent runs (tau-bench, tau2-bench, AgentDojo; MIT), read from a gateway's log, "+
		"stitched and stored in %.1f s", len(lines), len(runs), o.Now().Sub(began).Seconds())
	return want, nil
}

// live plays the agents' runs and waits for the denial and the page that follow from the runaway.
func (o Options) live(ctx context.Context, db *clickhouse.Conn, s *stage, runs []run, w *runaway, pager *pager,
	began time.Time) (d denied, page incident.Page, err error) {
	calls := 0
	for i := range runs {
		calls += len(runs[i].calls)
	}
	o.printf("Live: %d agent runs, %d calls, through a proxy at %s that checks each call with Flyball and logs it.",
		len(runs), calls, s.gw.URL)
	others := make(chan error, 1)
	go func() { others <- s.play(ctx, runs) }()
	watching, stop := context.WithCancel(ctx)
	defer stop()
	watched := make(chan struct{})
	go func() { defer close(watched); o.watch(watching, db, s) }()
	if err := pause(ctx, time.Duration(calls)*s.pace/time.Duration(4*s.players)); err != nil {
		return d, page, err
	}
	o.printf("  → %s begins, run %s; from its call %d on it runs away (%s): %s", w.agent, liveID(&w.run), w.onset+1, w.kind, w.does())
	if d, err = s.runAway(ctx, w); err != nil {
		return d, page, err
	}
	if d.after == 0 { // there is no page to wait for
		return d, page, <-others
	}
	o.printf("  → HTTP 403 for its client, call %d since it ran away, %.2f s after, %.0f s after the start:\n    %s",
		d.after, d.took.Seconds(), d.at.Sub(began).Seconds(), d.body)
	if page, err = o.waitForPage(ctx, pager, liveID(&w.run)); err != nil {
		return d, page, err
	}
	if err = <-others; err != nil {
		return d, page, err
	}
	stop()
	<-watched
	return d, page, nil
}

// waitForPage waits for the page about the opening of the run's breaker.
func (o Options) waitForPage(ctx context.Context, pager *pager, run string) (incident.Page, error) {
	late := time.After(20 * time.Second)
	for {
		select {
		case p := <-pager.pages:
			if p.RunKey == run && p.Because == "breaker_opened" {
				show(o.Out, &p)
				return p, nil
			}
			if p.RunKey != run {
				o.printf("  → another page, %s: %s (run %s, %s)", p.Level, p.Summary, p.RunKey, p.Because)
			}
		case <-late:
			return incident.Page{}, errors.New("no page in 20 s after the denial")
		case <-ctx.Done():
			return incident.Page{}, ctx.Err()
		}
	}
}

// configure writes a configuration file: on free ports, armed, with a pager.
func configure(dir string, pager *pager) (config.Config, string, error) {
	c := config.Default()
	c.Data = filepath.Join(dir, "data")
	c.Detect.Mode, c.Learn.Quarantine, c.Control.Point = config.ModeArmed, 0, "demo"
	c.Detect.FalseTripsPer1000 = falseTripsPer1000
	secret := filepath.Join(dir, "pager.secret")
	if err := os.WriteFile(secret, []byte(pager.secret), 0o600); err != nil {
		return c, "", err
	}
	webhook := config.Webhook{URL: schema.Secret(pager.URL), SecretFile: secret}
	c.Alerts.Receivers = []config.Receiver{{Name: "pager", Webhook: &webhook}}
	for _, at := range []*string{&c.Kafka.Listen, &c.ClickHouse.Listen, &c.Control.Listen, &c.Check.Listen, &c.Check.GRPC,
		&c.Metrics.Listen} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return c, "", err
		}
		*at = l.Addr().String()
		defer l.Close() // all at once, so that no port is given twice
	}
	shown := c
	shown.Alerts.Receivers = nil // its URL prints as a secret
	text, err := config.Dump(shown)
	if err != nil {
		return c, "", err
	}
	file := filepath.Join(dir, "flyball.yaml")
	return c, file, os.WriteFile(file, text, 0o600)
}
