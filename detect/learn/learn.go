package learn

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/baselinestore"
	"flyball/detect/model/baseline"
	"flyball/schema/clickhouse"
	"flyball/schema/kafka"
	"flyball/schema/route"
	"flyball/schema/wire"
)

// Options configures a Learner.
type Options struct {
	Tenant     string
	Every      time.Duration // between baselines
	Quarantine time.Duration // minimum time since the last call of a run that is learned from
	Window     time.Duration // maximum age of the runs
	MinRuns    int           // minimum number of clean runs of a baseline
	PerAgent   int           // maximum number of runs of an agent
	PerRun     int           // maximum number of calls of a run, the first ones
	// CallsPerSlice is how many stored calls one statement groups or joins; it bounds the memory of ClickHouse and does not
	// change the baseline. 0: the default.
	CallsPerSlice uint64
	// Statements is how many statements about slices run at the same time; it does not change the baseline. 0: the default.
	Statements int

	Kafka      kafka.Config
	DB         DB
	Rows       RowWriter // writes the rows of the view baselines; nil writes none
	Code       string    // version of the binary
	Now        func() time.Time
	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// DefaultOptions returns the documented defaults.
func DefaultOptions() Options {
	return Options{Every: time.Hour, Quarantine: 24 * time.Hour, Window: 30 * 24 * time.Hour, MinRuns: 50, PerAgent: 200, PerRun: 500}
}

// Learner publishes a new baseline and learned routes at intervals.
type Learner struct {
	o           Options
	publishedAt prometheus.Gauge
	runs        prometheus.Gauge
	unsound     prometheus.Counter
	states      *prometheus.GaugeVec

	noPace prometheus.Counter

	learned  route.Learned   // the version last published
	renaming *route.Renaming // of stored calls, as it was read for the last baseline; nil: they keep their routes

	grown atomic.Pointer[string] // see grownText; nil: no baseline was made yet
}

// producerName is the name of the publishing Kafka client in logs and metrics.
const producerName = "learn-produce"

// New makes a learner and registers its metrics. The learner does nothing before Run or LearnOnce.
func New(o Options) *Learner {
	if o.CallsPerSlice == 0 {
		o.CallsPerSlice = callsPerSlice
	}
	if o.Statements == 0 {
		o.Statements = statementsAtATime
	}
	l := &Learner{o: o,
		publishedAt: prometheus.NewGauge(
			prometheus.GaugeOpts{Name: "flyball_learn_published_seconds", Help: "When the last baseline was published, Unix seconds."},
		),
		runs: prometheus.NewGauge(prometheus.GaugeOpts{Name: "flyball_learn_runs", Help: "Runs that taught the last baseline."}),
		unsound: prometheus.NewCounter(
			prometheus.CounterOpts{
				Name: "flyball_learn_unsound_total",
				Help: "Baselines that were not published because a number in them was not finite or below zero.",
			},
		),
		states: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "flyball_learn_agents", Help: "Agents in the last baseline, by state."},
			[]string{"state"}),
		noPace: prometheus.NewCounter(
			prometheus.CounterOpts{
				Name: "flyball_learn_without_pace_total",
				Help: "Baselines that were published without call rates, because reading the calls of every hour failed.",
			},
		)}
	if o.Registerer != nil {
		o.Registerer.MustRegister(l.publishedAt, l.runs, l.unsound, l.states, l.noPace)
	}
	return l
}

// ErrTooFewRuns means that there are fewer clean runs than Options.MinRuns.
var ErrTooFewRuns = errors.New("too few closed clean runs for a baseline")

// firstRetryPause is the pause after the first attempt that made no baseline. Each further failed attempt doubles the
// pause, up to Options.Every.
const firstRetryPause = 10 * time.Second

// Run learns when the last published baseline is older than Options.Every, and then at that interval, until ctx ends. It
// logs errors and tries again sooner; the last baseline stays active. Before each attempt it looks again how old the last
// baseline is: another process may have published one in the meantime. It always returns nil.
func (l *Learner) Run(ctx context.Context) error {
	pause := firstRetryPause
	for {
		wait := l.untilDue(ctx)
		if wait > 0 {
			l.o.Logger.Debug("the last baseline is not old enough for a new one", "again_in", wait)
			pause = firstRetryPause
		} else if err := l.attempt(ctx); err == nil {
			wait, pause = l.o.Every, firstRetryPause
		} else if ctx.Err() == nil {
			wait = min(pause, l.o.Every)
			pause = wait * 2
			l.o.Logger.Log(ctx, failureLevel(err), "no new baseline: the last one, if there is one, stays active", "error", err, "again_in", wait)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
	}
}

// attempt publishes the learned routes and a baseline. It returns the error of the baseline; that of the routes is logged.
func (l *Learner) attempt(ctx context.Context) error {
	if was, now, err := l.publishRoutes(ctx); err != nil && ctx.Err() == nil {
		l.o.Logger.Log(ctx, failureLevel(err), "learning routes failed, the last table stays active", "error", err)
	} else if was != now {
		l.o.Logger.Info("routes published", "version", now, "collapsed", len(l.learned.Collapsed))
	}
	body, err := l.LearnOnce(ctx)
	if err != nil {
		return err
	}
	l.o.Logger.Info("baseline published", "version", body.Version, "runs", body.Runs, "calls", body.Calls)
	return nil
}

// failureLevel returns the level at which a failed attempt is logged. At a first start the store has not
// made the tables yet; that is no news.
func failureLevel(err error) slog.Level {
	if clickhouse.IsNotMigrated(err) {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// untilDue returns how long it is until the last published baseline is as old as Options.Every, at most Options.Every. It
// returns 0 when there is no baseline or its time is unknown.
func (l *Learner) untilDue(ctx context.Context) time.Duration {
	ctx, cancel := context.WithTimeout(ctx, routesTimeout)
	defer cancel()
	versions, err := baselinestore.Versions(ctx, l.o.Kafka, l.o.Tenant)
	if err != nil || len(versions) == 0 {
		return 0
	}
	at, ok := baselinestore.VersionTime(versions[len(versions)-1])
	if !ok {
		return 0
	}
	return dueIn(l.o.Now().Sub(at), l.o.Every)
}

// dueIn returns how long to wait for the next baseline at an age of the last one, at most every. The time of a baseline that was made
// by another clock may lie in the future. If it lies more than every ahead, it is not believed: nothing would be learned until then.
func dueIn(age, every time.Duration) time.Duration {
	if age < -every {
		return 0
	}
	return min(max(every-age, 0), every)
}

// routesTimeout limits how long a slow ClickHouse delays the baseline, which is learned after the routes.
const routesTimeout = 2 * time.Minute

// publishRoutes limits the number of routes and publishes the result. It returns the
// version before and the version now.
func (l *Learner) publishRoutes(ctx context.Context) (was, now string, err error) {
	ctx, cancel := context.WithTimeout(ctx, routesTimeout)
	defer cancel()
	if l.learned.Version == "" {
		// An earlier process may have published routes.
		if l.learned, err = baselinestore.LatestRoutes(ctx, l.o.Kafka, l.o.Tenant); err != nil &&
			!errors.Is(err, baselinestore.ErrNotPublished) {
			return "", "", err
		}
	}
	was = l.learned.Version
	after, err := l.collapseRoutes(ctx)
	return was, after.Version, err
}

// LearnOnce learns, publishes and activates one baseline, and returns it. It returns
// ErrTooFewRuns when there are too few clean runs.
func (l *Learner) LearnOnce(ctx context.Context) (*baseline.Baseline, error) {
	now := l.o.Now()
	body, err := l.learn(ctx, now)
	if err != nil {
		return nil, err
	}
	if err := body.Check(); err != nil {
		l.unsound.Inc()
		return nil, fmt.Errorf("not published: %w", err)
	}
	if err := l.publish(ctx, body); err != nil {
		return nil, err
	}
	l.publishedAt.Set(float64(now.UnixNano()) / 1e9)
	l.runs.Set(float64(body.Runs))
	l.afterPublish(ctx, body, now)
	return body, nil
}

// publish stores the baseline and then activates it in every partition of flyball.calls.
func (l *Learner) publish(ctx context.Context, body *baseline.Baseline) error {
	client, err := l.o.Kafka.NewClient(producerName, baselinestore.WriterOptions()...)
	if err != nil {
		return err
	}
	defer client.Close()
	value, err := wire.EncodeDocument(wire.BaselineVersion, body)
	if err != nil {
		return fmt.Errorf("baseline %s: %w", body.Version, err)
	}
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: wire.BaselinesTopic, Key: []byte(body.Version),
		Value: value}).FirstErr(); err != nil {
		return fmt.Errorf("publish baseline %s (%d bytes): %w", body.Version, len(value), err)
	}
	details, err := kadm.NewClient(client).ListTopics(ctx, wire.CallsTopic)
	if err == nil {
		err = details.Error()
	}
	if err != nil {
		return fmt.Errorf("look up %s: %w", wire.CallsTopic, err)
	}
	mark := wire.EncodeMarks(nil, &wire.Marks{Activate: []wire.Activation{{What: "baseline", Version: body.Version}}})
	var records []*kgo.Record
	for part := range details[wire.CallsTopic].Partitions {
		records = append(records, &kgo.Record{Topic: wire.CallsTopic, Partition: part, Value: mark})
	}
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("activate baseline %s: %w; publish again", body.Version, err)
	}
	return nil
}
