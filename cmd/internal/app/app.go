package app

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"flyball/cmd/internal/backup"
	"flyball/cmd/internal/config"
	"flyball/cmd/internal/diskguard"
	"flyball/detect/baselinestore"
	"flyball/schema/clickhouse"
	"flyball/schema/identity"
	"flyball/schema/kafka"
)

// roles are the roles of the product in the order in which they start: a role starts after the
// roles that read its output.
var roles = []struct {
	name  string
	start func(*process) error
}{
	{"store", (*process).startStore},
	{"detect", (*process).startDetect},
	{"control", (*process).startControl},
	{"alert", (*process).startAlert},
	{"learn", (*process).startLearn},
	{"ingest", (*process).startIngest},
}

// process holds what the roles of one process share.
type process struct {
	config  config.Config
	up      bool // all roles run; parts without a configured address are embedded
	wanted  []string
	log     *slog.Logger
	metrics *prometheus.Registry
	parts   *group
	began   time.Time
	started atomic.Bool // every part was started; they may not be ready yet

	freeze func(ctx context.Context, do func() error) error // of the embedded broker; nil: there is none

	connected atomic.Bool // the fields below are set

	key      identity.Key // present HMAC key of the deployment
	keys     Keys
	kafka    kafka.Config
	database *clickhouse.Conn
	registry *registry
	disks    *diskguard.Guard
	files    *secretFiles
	versions *baselinestore.Watcher
	learned  learned
	lag      *lagReader
	// handled is engine.Engine.Handled; nil: the process has no role detect. Roles that are started later use it.
	handled func() map[int32]int64
	alarms  *receiverAlarms
	file    fileState

	rereading *rereading
	pipeline  *currentPipeline   // of ingest
	stage     func(stage string) // called between two durable writes; see failPoint
	closers   []func()           // called after every part has stopped, the last one first
}

// Run starts roles and waits until ctx ends or a part ends before that; then it stops the
// parts that it started. The role "up" means all roles, with an embedded broker and ClickHouse
// engine if none are configured. It starts nothing if Validate refuses the configuration. onReady
// is called once when every part is ready; it may be nil.
func Run(ctx context.Context, c config.Config, roleNames []string, log *slog.Logger, onReady func()) error {
	if err := Validate(c, roleNames...); err != nil {
		return err
	}
	if err := backup.CheckRestored(c.Data); err != nil {
		return err
	}
	p := newProcess(c, roleNames, log)
	defer p.stop()
	if err := p.start(ctx); err != nil {
		return err
	}
	p.started.Store(true)
	if onReady != nil {
		go func() {
			if p.parts.waitLong(ctx, p.parts.ready, time.Minute) == nil {
				onReady()
			}
		}()
	}
	return p.parts.wait(ctx)
}

// newProcess returns a process in which nothing runs yet.
func newProcess(c config.Config, roleNames []string, log *slog.Logger) *process {
	p := &process{config: c, up: slices.Contains(roleNames, "up"), wanted: roleNames, log: log,
		metrics: prometheus.NewRegistry(), parts: newGroup(log), stage: failPoint(log), began: time.Now().UTC(),
		alarms: newReceiverAlarms(c.Tenant, time.Now, log.With("component", "alert"))}
	p.files = &secretFiles{log: log.With("component", "files")}
	p.rereading = newRereading(c, roleNames, &p.file, log.With("component", "files"))
	return p
}

// start starts the parts of the process.
func (p *process) start(ctx context.Context) error {
	c, log := p.config, p.log
	p.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	for _, w := range append(c.Warnings(p.began), CertificateWarnings(c, p.began)...) {
		log.Warn("configuration", "warning", w)
	}
	limitMemory(p.up && len(c.ClickHouse.Addr) == 0, log, p.metrics)
	p.metrics.MustRegister(newHeapMetrics())
	go paceCollector(ctx)
	if err := p.startHealth(); err != nil {
		return err
	}
	if err := p.connect(ctx); err != nil {
		return err
	}
	if err := p.watchVersions(ctx); err != nil {
		return err
	}
	for _, r := range roles {
		if p.has(r.name) {
			if err := r.start(p); err != nil {
				return err
			}
		}
	}
	p.rereading.watch(p.files, p.metrics)
	p.parts.start(part{name: "secret files", run: p.files.run, warning: p.files.warning})
	return nil
}

// has reports whether the process runs one of these roles.
func (p *process) has(names ...string) bool {
	return p.up || slices.ContainsFunc(names, func(n string) bool { return slices.Contains(p.wanted, n) })
}

// stop stops every part, and then closes the connections that they used.
func (p *process) stop() {
	p.parts.stop()
	for _, closeIt := range slices.Backward(p.closers) {
		closeIt()
	}
}

// startHealth serves /healthz, /readyz, /metrics and /status before the other parts start, so that the
// state of a starting process is visible.
func (p *process) startHealth() error {
	l, err := listen("metrics.listen", p.config.Metrics.Listen)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", health(p.parts, p.metrics))
	mux.HandleFunc("/status", serveStatus(p.status))
	if p.config.Metrics.Profiles {
		mux.Handle(profilesPath, profiles())
	}
	p.parts.start(part{name: "metrics", run: serve(l, mux)})
	p.parts.start(part{name: "start", run: waitForEnd, ready: func() error {
		if !p.started.Load() {
			return errors.New("parts are being started")
		}
		return nil
	}})
	return nil
}

// connect starts the embedded broker and engine if they are required, creates the topics, and
// sets the connections of the roles to Kafka and ClickHouse.
func (p *process) connect(ctx context.Context) error {
	if p.up {
		if err := protectData(p.config, p.log); err != nil {
			return err
		}
	}
	if err := p.connectKafka(ctx); err != nil {
		return err
	}
	if err := p.connectDatabase(ctx); err != nil {
		return err
	}
	if p.up {
		p.parts.start(part{name: "backup", run: p.backupServer().Run})
	}
	p.startDiskGuard()
	p.registry = newRegistry(p.config)
	p.rereading.add("agents", func(next config.Config) (change, error) {
		return change{apply: func() { p.registry.put(next.Agents) }}, nil
	})
	p.startLag()
	p.startDatabaseProbe()
	p.connected.Store(true)
	return nil
}

// connectKafka reads the key of the deployment, starts the broker if it is embedded, and creates the topics.
func (p *process) connectKafka(ctx context.Context) (err error) {
	c := p.config
	embeddedBroker := p.up && len(c.Kafka.Brokers) == 0
	if embeddedBroker {
		if _, err := makeBrokerPassword(c); err != nil { // the clients' options read it
			return err
		}
	}
	if p.kafka, err = kafkaConfig(c, p.files); err != nil {
		return err
	}
	p.kafka.Log = kafka.NewLog(p.log.With("component", "kafka"), time.Now)
	p.kafka.Metrics = kafka.NewMetrics(p.metrics)
	p.kafka.Metrics.ExpectLosses(topicsOf(readers(c))...)
	if p.keys, err = ReadKeys(c, p.up); err != nil && p.has("ingest", "control") {
		return err
	}
	p.key = p.keys.Current
	p.files.watchKey(c, p.keys)
	if embeddedBroker {
		if err := p.startBroker(); err != nil {
			return err
		}
	}
	return p.ensureTopics(ctx)
}

// connectDatabase starts the engine if it is embedded, and opens the connection to ClickHouse.
func (p *process) connectDatabase(ctx context.Context) (err error) {
	c := p.config
	if p.up && len(c.ClickHouse.Addr) == 0 {
		if err := p.startEngine(ctx); err != nil {
			return err
		}
	}
	if p.database, err = openDatabase(c, p.files); err != nil {
		return err
	}
	p.closers = append(p.closers, func() { _ = p.database.Close() })
	return nil
}

func waitForEnd(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// startLag starts the part that reads the lag of all readers from Kafka, and reports whether Kafka
// answers. A process that answers gateways stays ready without Kafka: it answers from memory.
func (p *process) startLag() {
	p.lag = newLagReader(p.config, p.kafka, time.Now)
	p.metrics.MustRegister(p.lag)
	p.rereading.add("alerts.receivers", func(next config.Config) (change, error) {
		return change{apply: func() { p.lag.setReaders(readers(next)) }}, nil
	})
	connection := part{name: "kafka", run: p.lag.run, ready: p.lag.failure}
	if p.has("control") {
		connection.ready, connection.warning = nil, p.lag.failure
	}
	p.parts.start(connection)
}
