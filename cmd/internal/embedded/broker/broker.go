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
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
)

// Options of the embedded broker.
type Options struct {
	Listen string // host:port, kafka.listen
	Dir    string
	Sync   bool // fsync before acknowledging
	// Password of User: Flyball's own topics and groups are for who has it.
	Password string
	// Shipper, when set, is who else may connect; without it anybody may on loopback, and nothing else is listened on.
	Shipper *Login
	// Partitions of topics that a producer makes by writing to them.
	Partitions int
	// Readers are the groups that must have read a topic before its records
	// may go; topics that are not named are kept for their retention.
	Readers      map[string][]string
	JanitorEvery time.Duration
}

// Broker is the running broker.
type Broker struct {
	opt     Options
	log     *slog.Logger
	lock    *os.File
	cluster *kfake.Cluster
	m       *metrics
}

// lockWait is how long a predecessor that is stopping may take.
var lockWait = 10 * time.Second

const (
	segmentBytes = 32 << 20
	// A compaction holds up producers, about 2 s for 400 MiB: once a minute it
	// finds little and is over in a fraction of that.
	compactEveryMs = "60000"
)

// Start opens the directory and serves. Compaction runs
// before the first part connects, so that a restart reads little.
func Start(opt Options, log *slog.Logger, reg prometheus.Registerer) (*Broker, error) {
	if opt.JanitorEvery == 0 {
		opt.JanitorEvery = 15 * time.Second
	}
	host, portText, err := net.SplitHostPort(opt.Listen)
	if err != nil {
		return nil, fmt.Errorf("kafka.listen: %q is not host:port: %w", opt.Listen, err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, fmt.Errorf("kafka.listen: port of %q: %w", opt.Listen, err)
	}
	if err := opt.checkAccess(host); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(opt.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	// kfake's files are readable for everybody: the folder is not.
	if err := os.Chmod(opt.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	lock, err := lockDir(opt.Dir)
	if err != nil {
		return nil, err
	}
	if err := forget(opt.Dir); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	var door *door
	b := &Broker{opt: opt, log: log, lock: lock, m: newMetrics(reg)}
	opts := []kfake.Opt{
		kfake.NumBrokers(1), kfake.Ports(port), kfake.DataDir(opt.Dir), kfake.AllowAutoTopicCreation(), kfake.DefaultNumPartitions(opt.Partitions),
		kfake.BrokerConfigs(map[string]string{
			"log.segment.bytes": strconv.Itoa(segmentBytes), "message.max.bytes": strconv.Itoa(16 << 20), "log.cleaner.backoff.ms": compactEveryMs, "log.retention.ms": "-1",
			"offsets.retention.minutes": strconv.Itoa(60 * 24 * 365),
		}),
		kfake.ListenFn(func(network, address string) (net.Listener, error) {
			_, p, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			l, err := net.Listen(network, net.JoinHostPort(host, p))
			if err != nil {
				return nil, fmt.Errorf("kafka.listen %s: %w; stop what listens there or choose another address", opt.Listen, err)
			}
			door = newDoor(l)
			return door, nil
		}),
	}
	opts = append(opts, opt.access()...)
	if opt.Sync {
		opts = append(opts, kfake.SyncWrites())
	}
	began := time.Now()
	b.cluster, err = kfake.NewCluster(opts...)
	if err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("embedded broker in %s: %w", opt.Dir, err)
	}
	b.cluster.Compact()
	if err := restrict(door, opt); err != nil {
		b.Close()
		return nil, fmt.Errorf("embedded broker: access rules: %w", err)
	}
	door.open()
	took := time.Since(began)
	b.m.opened.Set(took.Seconds())
	if opt.Sync {
		log.Info("embedded broker serves", "listen", opt.Listen, "dir", opt.Dir, "opened_in", took.Round(time.Millisecond))
	} else {
		log.Warn("embedded broker serves: it is for one machine and survives kill -9, not power loss (kafka.sync is off)", "listen", opt.Listen, "dir", opt.Dir, "opened_in", took.Round(time.Millisecond))
	}
	return b, nil
}

// lockName is of the file that a serving process holds locked.
const lockName = "flyball.lock"

func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("embedded broker: %w", err)
	}
	// A process that was killed lets go at once; one that is stopping soon.
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

// Addr is where clients connect.
func (b *Broker) Addr() string { return b.cluster.ListenAddrs()[0] }

// Run looks after the broker until ctx ends.
func (b *Broker) Run(ctx context.Context) error {
	tick := time.NewTicker(b.opt.JanitorEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			b.clean()
		}
	}
}

// Close stops serving; what was acknowledged is on disk.
func (b *Broker) Close() {
	b.cluster.Close()
	_ = b.lock.Close()
}
