package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/embedded/broker"
	engine "flyball/cmd/internal/embedded/clickhouse"
	"flyball/detect/enforce/point"
	detect "flyball/detect/engine"
	"flyball/detect/learn"
	"flyball/detect/stitch"
	"flyball/ingest/decode"
	"flyball/ingest/source"
	"flyball/ingest/store"
	"flyball/schema"
)

// Roles that run in `flyball up`.
var Roles = []string{"store", "detect", "control", "learn", "alert", "ingest"}

// Run starts the roles, waits until ctx ends or a part dies, and stops what it
// started. The role "up" is all of them, with embedded parts where none are
// configured. started, when set, is told when everything is ready.
func Run(ctx context.Context, c config.Config, roles []string, log *slog.Logger, started func()) (err error) {
	up := slices.Contains(roles, "up")
	if up {
		roles = Roles
	}
	g := newGroup(log)
	defer g.stop()
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	limitMemory(up && len(c.ClickHouse.Addr) == 0, log, reg)

	// What is seen from outside first: a process that is starting says so.
	l, err := listen("metrics.listen", c.Metrics.Listen)
	if err != nil {
		return err
	}
	g.start(part{name: "metrics", run: serve(l, health(g, reg))})
	starting := atomic.Bool{}
	starting.Store(true)
	g.start(part{name: "start", run: func(ctx context.Context) error { <-ctx.Done(); return nil }, ready: func() error {
		if starting.Load() {
			return errors.New("parts are being started")
		}
		return nil
	}})
	var own broker.Options
	if up && len(c.Kafka.Brokers) == 0 {
		if own, err = brokerOptions(c); err != nil { // before the first client: it makes the password
			return err
		}
	}
	kafka, err := KafkaOpts(c)
	if err != nil {
		return err
	}
	clients := kafkaClients(kafka, log, reg)
	key, err := ReadSecretKey(c, up)
	if err != nil && (slices.Contains(roles, "ingest") || slices.Contains(roles, "control")) {
		return err
	}
	if up && len(c.Kafka.Brokers) == 0 {
		b, err := broker.Start(own, log.With("component", "broker"), reg)
		if err != nil {
			return err
		}
		g.start(part{name: "broker", run: func(ctx context.Context) error { defer b.Close(); return b.Run(ctx) }})
	}
	replication := int16(-1)
	if err := ensureTopics(ctx, c, kafka, replication, len(c.Kafka.Brokers) == 0, log); err != nil {
		return err
	}
	if up && len(c.ClickHouse.Addr) == 0 {
		o, err := engineOptions(c)
		if err != nil {
			return err
		}
		if !log.Enabled(ctx, slog.LevelInfo) {
			o.Args = append(o.Args, "--log-level", "error")
		}
		sup := engine.NewSupervisor(o, log, reg)
		alive := func() error {
			if !sup.Ready() {
				return errors.New("the engine is not answering")
			}
			return nil
		}
		g.start(part{name: "engine", run: sup.Run, ready: alive, stopTimeout: 20 * time.Second})
		if err := g.waitReady(ctx, alive, 60*time.Second); err != nil {
			return fmt.Errorf("engine: %w", err)
		}
	}
	db, err := OpenDatabase(c)
	if err != nil {
		return err
	}
	defer db.Close()

	stage := failPoint(log)
	who := newRegistry(c)
	if slices.Contains(roles, "store") {
		o := store.DefaultOptions()
		o.Stage = func(s string) {
			if s == "stored" {
				stage("store.inserted|committed")
			}
		}
		aside, err := kgo.NewClient(kafka...)
		if err != nil {
			return err
		}
		defer aside.Close()
		o.Aside = store.KafkaAside{Out: aside}
		st, err := store.New(o, kafka, db, log, reg)
		if err != nil {
			return err
		}
		g.start(part{name: "store", ready: st.Ready, stopTimeout: 20 * time.Second, run: func(ctx context.Context) error {
			if err := migrated(ctx, db, c, log); err != nil {
				return err
			}
			return st.Run(ctx)
		}})
	}
	if slices.Contains(roles, "detect") {
		d := detect.DefaultConfig()
		d.Kafka, d.Now, d.Stage = kafka, time.Now, stage
		d.CheckpointEvery = time.Duration(c.Detect.CheckpointEvery)
		d.Limits = limits(c)
		d.Rules, d.FalseTrips, d.FalseSuspicions = PolicyRules(c), c.Detect.FalseTripsPer1000/1000, c.Detect.FalseSuspicionsPer1000/1000
		for _, w := range c.Warnings(time.Now()) {
			log.Warn(w, "component", "detect")
		}
		d.About = who.about
		beats := point.NewHeartbeats()
		g.start(part{name: "heartbeats of points", run: func(ctx context.Context) error { return beats.Run(ctx, clients) }})
		d.ProvenCommands = func() bool { return beats.AllRead(schema.CommandProven, time.Now()) }
		d.Unscoped = c.Detect.LearnedScope == "off"
		d.Logger, d.Registerer = log.With("component", "detect"), reg
		host, _ := os.Hostname()
		e, err := detect.New(d, fmt.Sprintf("%s/%d", host, os.Getpid()))
		if err != nil {
			return err
		}
		g.start(part{name: "detect", run: e.Run, ready: e.Ready, stopTimeout: 30 * time.Second})
	}
	if slices.Contains(roles, "control") {
		if err := enforce(c, g, clients, key, db, who, stage, log, reg); err != nil {
			return err
		}
	}
	if slices.Contains(roles, "alert") {
		if err := tell(c, g, clients, key, stage, log, reg); err != nil {
			return err
		}
	}
	if slices.Contains(roles, "learn") {
		o := learning(c, kafka, db)
		o.Logger, o.Registerer = log.With("component", "learn"), reg
		g.start(part{name: "learn", run: learn.New(o).Run})
	}
	if slices.Contains(roles, "ingest") {
		id, table, err := NewClassifiers(c, key)
		if err != nil {
			return err
		}
		p, err := NewPipeline(c, id, table)
		if err != nil {
			return err
		}
		who.resolvers = append(who.resolvers, id)
		countReceipts(id, reg)
		g.start(part{name: "routes of ingest", run: learnedRoutes(c, kafka, key, table, log)})
		s := source.DefaultConfig()
		s.Kafka, s.Now, s.Stage, s.Partitions = kafka, time.Now, stage, int32(c.Kafka.Partitions)
		for _, in := range c.Kafka.Inputs {
			s.Topics = append(s.Topics, in.Topic)
		}
		s.Logger, s.Registerer = log.With("component", "ingest"), reg
		src, err := source.New(s, p)
		if err != nil {
			return err
		}
		g.start(part{name: "ingest", run: src.Run, ready: src.Ready, stopTimeout: 25 * time.Second})
	}
	g.start(part{name: "registry", run: who.reload(c, log)})
	starting.Store(false)
	if started != nil {
		go func() {
			if g.waitReady(ctx, g.ready, time.Minute) == nil {
				started()
			}
		}()
	}
	return g.wait(ctx)
}

// engineOptions are those of the embedded engine.
func engineOptions(c config.Config) (engine.Options, error) {
	o := engine.DefaultOptions()
	o.Path, o.Listen = filepath.Join(c.Data, "engine"), c.ClickHouse.Listen
	o.Args = []string{"engine", "--path", o.Path, "--listen", o.Listen}
	o.User = c.ClickHouse.User
	if c.ClickHouse.PasswordFile == "" {
		return o, nil
	}
	var err error
	o.Password, err = secretFile("clickhouse.password_file", c.ClickHouse.PasswordFile)
	return o, err
}

// NewPipeline decodes the configured inputs.
func NewPipeline(c config.Config, id decode.Identifier, rt decode.Classifier) (*decode.Pipeline, error) {
	inputs := map[string]decode.Input{}
	for _, in := range c.Kafka.Inputs {
		inputs[in.Topic] = decode.Input{Format: in.Format, Signal: in.Signal, Timezone: in.Timezone, TrustedHops: in.TrustedHops}
	}
	own, err := c.CompileMappings()
	if err != nil {
		return nil, err
	}
	return decode.New(decode.Options{Mappings: own, Inputs: inputs, Default: decode.Input{Format: "auto"}, Tenant: c.Tenant}, id, rt)
}

// limits shares the process's bounds among the partitions.
func limits(c config.Config) stitch.Limits {
	l := stitch.DefaultLimits()
	l.OpenRunsPerActor = c.Detect.MaxOpenRunsPerActor
	l.OpenRuns = max(c.Detect.MaxOpenRuns/c.Kafka.Partitions, 1)
	l.Actors = max(c.Detect.MaxActors/c.Kafka.Partitions, 1)
	l.SessionGap, l.ConversationGap = time.Duration(c.Detect.SessionGap), time.Duration(c.Detect.ConversationGap)
	l.RunGap, l.Lateness = time.Duration(c.Detect.RunGap), time.Duration(c.Detect.Lateness)
	return l
}
