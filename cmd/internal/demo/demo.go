// Package demo is the first minute: everything in one process, real agent
// traffic through it, and the answer to "what did it touch?".
//
// It refuses to flatter: it succeeds only if every call that was sent is stored
// exactly once, in the run it belongs to.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/answer"
	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/cmd/internal/replay"
	"flyball/cmd/internal/traffic"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// Options of the demo.
type Options struct {
	Out  io.Writer
	Log  *slog.Logger
	Keep bool // leave everything running until ctx ends
	Now  func() time.Time
}

const inputTopic = "gateway-logs"

// Run plays the demo.
func Run(ctx context.Context, o Options) error {
	dir, err := os.MkdirTemp("", "flyball-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c, file, err := configure(dir)
	if err != nil {
		return err
	}
	say := func(format string, args ...any) { fmt.Fprintf(o.Out, format+"\n", args...) }
	say("Flyball starts: an embedded Kafka broker, an embedded ClickHouse engine and three roles, in one process.")

	running, cancel := context.WithCancel(ctx)
	defer cancel()
	began := o.Now()
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- app.Run(running, c, []string{"up"}, o.Log, func() { close(ready) }) }()
	stopped := func() error {
		cancel()
		return <-ended
	}
	select {
	case <-ready:
	case err := <-ended:
		return err
	case <-ctx.Done():
		return errors.Join(ctx.Err(), stopped())
	}
	say("ready in %.1f s\n", o.Now().Sub(began).Seconds())

	sent, err := load()
	if err != nil {
		return errors.Join(err, stopped())
	}
	say("%d calls of %d real agent runs (tau-bench, tau2-bench, AgentDojo; MIT) arrive as Envoy access logs, on topic %s.", len(sent), count(sent), inputTopic)
	db, err := app.Database(c)
	if err != nil {
		return errors.Join(err, stopped())
	}
	defer db.Close()
	err = play(ctx, c, o, db, sent)
	if err == nil {
		err = verify(ctx, o, db, sent)
	}
	if err == nil {
		err = report(ctx, o, db)
	}
	if err != nil {
		return errors.Join(err, stopped())
	}
	say("\nWhere to look next")
	say("  make                          builds bin/flyball; bin/flyball up runs it, with data in ./flyball-data")
	say("  bin/flyball replay FILE       sends your own gateway's log; flyball decode FILE shows how it is read")
	say("  bin/flyball runs | run ID | touched ID -o html > touched.html | find TERM | status")
	if o.Keep {
		say("\nIt keeps running until you press Ctrl-C. Ask it with: bin/flyball runs --config %s", file)
		say("SQL: curl http://%s --data 'SELECT agent_id, count() FROM flyball.calls GROUP BY agent_id ORDER BY 2 DESC'", c.ClickHouse.Listen)
		select {
		case <-ctx.Done():
		case err := <-ended:
			return err
		}
	}
	return stopped()
}

// configure writes a configuration on free ports.
func configure(dir string) (config.Config, string, error) {
	c := config.Default()
	c.Data = filepath.Join(dir, "data")
	for _, at := range []*string{&c.Kafka.Listen, &c.ClickHouse.Listen, &c.Control.Listen, &c.Check.Listen, &c.Check.GRPC, &c.Metrics.Listen} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return c, "", err
		}
		*at = l.Addr().String()
		defer l.Close() // all at once, so that no port is given twice
	}
	text, err := config.Dump(c)
	if err != nil {
		return c, "", err
	}
	file := filepath.Join(dir, "flyball.yaml")
	return c, file, os.WriteFile(file, text, 0o600)
}

func load() ([]replay.Line, error) {
	var out []replay.Line
	for _, set := range traffic.Sets {
		lines, err := replay.FromFS(traffic.Files, set, "envoy_json")
		if err != nil {
			return nil, fmt.Errorf("bundled traffic %s: %w", set, err)
		}
		out = append(out, lines...)
	}
	return out, nil
}

func count(lines []replay.Line) int {
	runs := map[string]bool{}
	for _, l := range lines {
		runs[l.Run] = true
	}
	return len(runs)
}

// play sends the calls over a few seconds and shows what becomes of them.
func play(ctx context.Context, c config.Config, o Options, db *clickhouse.Conn, sent []replay.Line) error {
	opts, err := app.KafkaOpts(c)
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(append(opts, kgo.DefaultProduceTopic(inputTopic), kgo.ProducerLinger(time.Millisecond))...)
	if err != nil {
		return err
	}
	defer client.Close()
	failed := make(chan error, 1)
	began, shown := o.Now(), o.Now()
	const slice = 400
	for i, l := range sent {
		client.Produce(ctx, &kgo.Record{Key: []byte(l.Agent), Value: l.Value}, func(_ *kgo.Record, err error) {
			if err != nil {
				select {
				case failed <- err:
				default:
				}
			}
		})
		if i%slice != slice-1 {
			continue
		}
		select {
		case err := <-failed:
			return fmt.Errorf("send: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond): // so that there is something to see
		}
		if now := o.Now(); now.Sub(shown) >= 500*time.Millisecond {
			shown = now
			progress(ctx, o, db, i+1, began)
		}
	}
	if err := client.Flush(ctx); err != nil {
		return err
	}
	progress(ctx, o, db, len(sent), began)
	return nil
}

func progress(ctx context.Context, o Options, db *clickhouse.Conn, sent int, began time.Time) {
	var calls, runs, resources uint64
	if err := db.QueryRow(ctx, "SELECT (SELECT count() FROM calls), (SELECT count() FROM runs), (SELECT uniq(resource) FROM touches)").Scan(&calls, &runs, &resources); err != nil {
		return
	}
	fmt.Fprintf(o.Out, "  %5.1f s  sent %6d (%5.0f/s)   stored %6d calls in %5d runs, %6d resources touched\n",
		o.Now().Sub(began).Seconds(), sent, float64(sent)/max(o.Now().Sub(began).Seconds(), 0.001), calls, runs, resources)
}

// verify compares what is stored with what was sent, call by call and run by run.
func verify(ctx context.Context, o Options, db *clickhouse.Conn, sent []replay.Line) error {
	want := map[string]uint64{}
	for _, l := range sent {
		want[l.Run]++
	}
	end := o.Now().Add(60 * time.Second)
	for {
		problem, err := check(ctx, db, want, uint64(len(sent)))
		if err != nil {
			return err
		}
		if problem == "" {
			fmt.Fprintf(o.Out, "\nEvery call that was sent is stored exactly once, in the run it belongs to: %d calls, %d runs.\n", len(sent), len(want))
			return nil
		}
		if o.Now().After(end) {
			return fmt.Errorf("after 60 s: %s", problem)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func check(ctx context.Context, db *clickhouse.Conn, want map[string]uint64, n uint64) (problem string, err error) {
	var calls, positions uint64
	if err := db.QueryRow(ctx, "SELECT count(), uniqExact(source_topic, source_partition, source_offset, item) FROM calls").Scan(&calls, &positions); err != nil {
		return "", fmt.Errorf("count calls: %w", err)
	}
	if calls != n || positions != n {
		return fmt.Sprintf("%d calls stored at %d positions, %d sent", calls, positions, n), nil
	}
	runs, err := query.Runs(ctx, db, query.RunFilter{Limit: 1 << 20})
	if err != nil {
		return "", err
	}
	if len(runs) != len(want) {
		return fmt.Sprintf("%d runs stored, %d sent", len(runs), len(want)), nil
	}
	for _, r := range runs {
		if want[r.RunKey] != r.Calls {
			return fmt.Sprintf("run %s has %d calls stored, %d sent", r.RunKey, r.Calls, want[r.RunKey]), nil
		}
	}
	return "", nil
}

// report answers for a run that could do harm: among those with irreversible
// calls, the one that touched most.
func report(ctx context.Context, o Options, db *clickhouse.Conn) error {
	runs, err := query.Runs(ctx, db, query.RunFilter{Limit: 1 << 20})
	if err != nil {
		return err
	}
	worst := runs[0]
	for _, r := range runs {
		if r.Irreversible > 0 && (worst.Irreversible == 0 || r.DistinctResources > worst.DistinctResources) {
			worst = r
		}
	}
	began := o.Now()
	t, err := query.TouchedBy(ctx, db, query.Subject{Kind: "run", Value: worst.RunKey}, &worst, query.Window{})
	if err != nil {
		return err
	}
	fmt.Fprintf(o.Out, "\nOf the runs with irreversible calls, %s of agent %s touched most.\n$ flyball touched %s        (answered in %d ms)\n\n",
		worst.RunKey, worst.AgentID, worst.RunKey, o.Now().Sub(began).Milliseconds())
	var b strings.Builder
	if err := answer.Touched(&b, t); err != nil {
		return err
	}
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	for i, l := range lines {
		if i == 24 {
			fmt.Fprintf(o.Out, "  … %d more\n", len(lines)-i)
			break
		}
		fmt.Fprintln(o.Out, "  "+l)
	}
	return nil
}
