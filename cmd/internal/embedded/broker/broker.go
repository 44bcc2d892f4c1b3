package broker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Options are the settings of the embedded broker.
type Options struct {
	Listen string // host:port, kafka.listen
	Dir    string
	Sync   bool // fsync before acknowledging
	// EpochFile is the file with the leader epoch of the last start; empty: a file in Dir. In another folder than Dir it also protects
	// against a Dir that is replaced by an older copy.
	EpochFile string
	// Password is the password of User. It is required for Flyball's own topics and groups.
	Password string
	// Shipper is another user that may connect. If it is nil, clients on loopback may connect without authentication, and the broker listens
	// only on loopback.
	Shipper *Login
	// Partitions is the number of partitions of topics that are created by a first write.
	Partitions int
	// Readers maps a topic to the groups that must have committed its records before these may be deleted. Topics without an entry are kept
	// for their retention.
	Readers map[string][]string
	// Compacted are the topics with cleanup.policy=compact. Their size decides when they are compacted.
	Compacted []string
	TrimEvery time.Duration
	// MinFree is how many bytes of the directory's file system are kept free, at most a tenth of it: below it records are refused. 0: none.
	MinFree int64
}

// Broker is a running broker.
type Broker struct {
	opt      Options
	log      *slog.Logger
	lock     *os.File
	cluster  *kfake.Cluster
	m        *metrics
	void     map[reading]int64 // committed offsets that the logs no longer contain
	space    *spaceGuard
	listener *gatedListener

	cleaning sync.Mutex // held while records are deleted or compacted, and while the broker is frozen

	compactedAt    time.Time
	compactedBytes int64 // of the compacted topics, after the last compaction
}

// lockWait is how long Start waits for a former process to unlock the directory.
var lockWait = 10 * time.Second

const (
	segmentBytes = 32 << 20
	// kfake compacts by itself only as a last resort: see compactionDue.
	compactEveryMs = "3600000"
)

// Start opens the directory and serves.
func Start(opt Options, log *slog.Logger, reg prometheus.Registerer) (*Broker, error) {
	if opt.TrimEvery == 0 {
		opt.TrimEvery = 15 * time.Second
	}
	host, port, err := listenAddress(opt.Listen)
	if err != nil {
		return nil, err
	}
	if err := opt.checkAccess(host); err != nil {
		return nil, err
	}
	lock, err := openDir(opt.Dir)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	b := &Broker{opt: opt, log: log, lock: lock, m: newMetrics(reg)}
	b.space = &spaceGuard{dir: opt.Dir, minFree: opt.MinFree, log: log, free: b.m.free, kept: b.m.kept, refused: b.m.noRoom}
	b.cluster, err = openCluster(opt.cluster(port, func(network, address string) (net.Listener, error) {
		l, err := listen(network, host, address, opt.Listen)
		if err != nil {
			return nil, err
		}
		b.listener = newGatedListener(newGuardedListener(l, maxConnections, log, b.m.refused))
		return b.listener, nil
	}))
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("embedded broker in %s: %w", opt.Dir, err)
	}
	b.compactAtStart()
	b.void = b.voidCommits()
	if err := b.prepare(); err != nil {
		b.Close()
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	b.space.watch(b.cluster)
	b.listener.open()
	b.logStarted(time.Since(began))
	return b, nil
}

// prepare creates the access rules and raises the leader epochs, before other clients are accepted.
func (b *Broker) prepare() error {
	client, err := kgo.NewClient(kgo.SeedBrokers("embedded:1"), kgo.Dialer(b.Dial), kgo.SASL(Mechanism(b.opt.Password)),
		kgo.RequestRetries(0))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := restrict(ctx, client, b.opt); err != nil {
		return fmt.Errorf("access rules: %w", err)
	}
	if err := raiseEpochs(ctx, b.cluster, client, b.opt.epochFile()); err != nil {
		return fmt.Errorf("leader epochs: %w", err)
	}
	return nil
}

// listenAddress splits kafka.listen into host and port.
func listenAddress(listen string) (host string, port int, err error) {
	host, portText, err := net.SplitHostPort(listen)
	if err != nil {
		return "", 0, fmt.Errorf("kafka.listen: %q is not host:port: %w", listen, err)
	}
	if port, err = strconv.Atoi(portText); err != nil {
		return "", 0, fmt.Errorf("kafka.listen: port of %q: %w", listen, err)
	}
	return host, port, nil
}

// openDir makes the directory private, locks it, and removes stored users and access rules.
func openDir(dir string) (lock *os.File, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	// kfake's files are readable for all users, so the directory must not be.
	if err := os.Chmod(dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	if lock, err = lockDir(dir); err != nil {
		return nil, err
	}
	if err := forget(dir); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	return lock, nil
}

// listen opens the port that kfake chose on the configured host. configured is used in errors.
func listen(network, host, address, configured string) (net.Listener, error) {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen(network, net.JoinHostPort(host, port))
	if err != nil {
		return nil, fmt.Errorf("kafka.listen %s: %w; stop what listens there or choose another address", configured, err)
	}
	return l, nil
}

// cluster returns the options of kfake.
func (o *Options) cluster(port int, listen func(network, address string) (net.Listener, error)) []kfake.Opt {
	opts := []kfake.Opt{
		kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(o.Dir),
		kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(o.Partitions),
		kfake.BrokerConfigs(map[string]string{
			"log.segment.bytes":         strconv.Itoa(segmentBytes),
			"message.max.bytes":         strconv.Itoa(16 << 20),
			"log.cleaner.backoff.ms":    compactEveryMs,
			"log.retention.ms":          "-1",
			"offsets.retention.minutes": strconv.Itoa(60 * 24 * 365),
		}),
		kfake.ListenFn(listen),
	}
	opts = append(opts, o.access()...)
	if o.Sync {
		opts = append(opts, kfake.SyncWrites())
	}
	return opts
}

// logStarted logs and records how long it took to open the directory.
func (b *Broker) logStarted(took time.Duration) {
	b.m.opened.Set(took.Seconds())
	args := []any{"listen", b.opt.Listen, "dir", b.opt.Dir, "opened_in", took.Round(time.Millisecond)}
	if b.opt.Sync {
		b.log.Info("embedded broker serves", args...)
		return
	}
	b.log.Warn("embedded broker serves: it is for one machine and survives kill -9, not power loss (kafka.sync is off)", args...)
}

// lockName is the name of the file that a serving process keeps locked.
const lockName = "flyball.lock"

func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	// The lock of a killed process is free at once; a process that is stopping needs some time.
	for end := time.Now().Add(lockWait); ; time.Sleep(100 * time.Millisecond) {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(end) {
			_ = f.Close()
			return nil, fmt.Errorf("embedded broker: another process uses %s (%w); stop it, or choose another folder by --data", dir, err)
		}
	}
}

// Addr returns the address for clients.
func (b *Broker) Addr() string { return b.cluster.ListenAddrs()[0] }

// Run deletes consumed records and watches the free space until ctx ends.
func (b *Broker) Run(ctx context.Context) error {
	clean, look := time.NewTicker(b.opt.TrimEvery), time.NewTicker(spaceEvery)
	defer clean.Stop()
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-clean.C:
			b.cleaning.Lock()
			b.clean()
			b.compactIfDue(time.Now())
			b.cleaning.Unlock()
		case <-look.C:
			b.space.watch(b.cluster)
		}
	}
}

// Shortage returns why the broker refuses records: its disk is full. nil: it takes all.
func (b *Broker) Shortage() error { return b.space.Err() }

// Close stops serving. Acknowledged records are on disk.
func (b *Broker) Close() {
	b.cluster.Close()
	_ = b.lock.Close()
}
