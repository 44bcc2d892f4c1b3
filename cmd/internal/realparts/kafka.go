package realparts

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/tiers"
)

// KafkaVersion is the Apache Kafka that tests run against.
const KafkaVersion = "4.4.0"

const kafkaPOM = `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>flyball.test</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>` + KafkaVersion + `</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.5</version><scope>runtime</scope></dependency>
  </dependencies>
</project>
`

// FetchKafka downloads Kafka's jars with Maven, once, and returns their directory.
func FetchKafka() (libs string, err error) {
	if err := need("java", "mvn"); err != nil {
		return "", err
	}
	dir := filepath.Join(Cache(), "kafka-"+KafkaVersion)
	libs = filepath.Join(dir, "libs")
	done := filepath.Join(dir, "done")
	if _, err := os.Stat(done); err == nil {
		return libs, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	if err := os.WriteFile(filepath.Join(dir, "pom.xml"), []byte(kafkaPOM), 0o600); err != nil {
		return "", err
	}
	cmd := exec.Command("mvn", "-B", "-q", "-ntp", "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies",
		"-DincludeScope=runtime", "-DoutputDirectory=libs")
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("fetch Kafka %s: %w: %s", KafkaVersion, err, out)
	}
	return libs, os.WriteFile(done, nil, 0o600)
}

// Kafka is a node of Apache Kafka that is broker and controller: the only one, or one of a KafkaCluster.
type Kafka struct {
	t    testing.TB
	libs string
	dir  string
	id   int // of the node, from 1
	port int
	ctl  int
	proc *process

	secured *SecuredListeners // nil: the broker has a plaintext listener alone
	cluster *KafkaCluster     // nil: the node is alone
}

// StartKafka starts a broker and stops it with the test.
func StartKafka(t testing.TB) *Kafka { return startKafka(t, nil) }

func startKafka(t testing.TB, secured *SecuredListeners) *Kafka {
	t.Helper()
	libs, err := FetchKafka()
	if err != nil {
		missing(t, "kafka", err)
	}
	tiers.Ran("kafka")
	k := &Kafka{t: t, libs: libs, dir: t.TempDir(), id: 1, port: FreePort(t), ctl: FreePort(t), secured: secured}
	if err := k.format(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.proc.stop(syscall.SIGTERM) })
	k.Start()
	return k
}

// format writes the configuration and prepares the node's storage.
func (k *Kafka) format() error {
	for name, text := range map[string]string{"kafka.properties": k.properties(), "log4j2.properties": quietLog} {
		if err := os.WriteFile(filepath.Join(k.dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	format := exec.Command("java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", k.libs+"/*", "kafka.tools.StorageTool", "format",
		"--cluster-id", "Zmx5YmFsbC10ZXN0LTAwMQ", "-c", filepath.Join(k.dir, "kafka.properties"))
	if out, err := format.CombinedOutput(); err != nil {
		return fmt.Errorf("format Kafka's storage: %w: %s", err, out)
	}
	return nil
}

const quietLog = "status=error\nrootLogger.level=warn\nrootLogger.appenderRef.c.ref=c\n" +
	"appender.c.type=Console\nappender.c.name=c\nappender.c.layout.type=PatternLayout\nappender.c.layout.pattern=[%d] %p %m (%c)%n\n"

func (k *Kafka) properties() string {
	voters, copies, inSync := fmt.Sprintf("1@127.0.0.1:%d", k.ctl), 1, 1
	if k.cluster != nil {
		voters, copies, inSync = k.cluster.voters(), len(k.cluster.Nodes), len(k.cluster.Nodes)-1
	}
	return fmt.Sprintf(`process.roles=broker,controller
node.id=%[5]d
controller.quorum.voters=%[6]s
listeners=PLAINTEXT://127.0.0.1:%[1]d,CONTROLLER://127.0.0.1:%[2]d%[4]s
controller.listener.names=CONTROLLER
log.dirs=%[3]s
auto.create.topics.enable=true
num.partitions=4
default.replication.factor=%[7]d
min.insync.replicas=%[8]d
offsets.topic.replication.factor=%[7]d
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=%[7]d
transaction.state.log.min.isr=%[8]d
share.coordinator.state.topic.replication.factor=%[7]d
share.coordinator.state.topic.min.isr=%[8]d
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
broker.session.timeout.ms=2000
broker.heartbeat.interval.ms=500
log.cleaner.dedupe.buffer.size=4194304
log.cleaner.backoff.ms=500
controller.quorum.election.timeout.ms=200
controller.quorum.fetch.timeout.ms=2000
`, k.port, k.ctl, filepath.Join(k.dir, "data"), k.secured.properties(), k.id, voters, copies, inSync)
}

// Addr returns the address for clients. It is the same after a restart.
func (k *Kafka) Addr() string { return fmt.Sprintf("127.0.0.1:%d", k.port) }

// Start starts the broker and waits until it has registered with the controller.
func (k *Kafka) Start() {
	k.t.Helper()
	k.launch("-Xms256m", "-Xmx512m")
	k.wait()
}

// launch starts the broker with options of the Java machine.
func (k *Kafka) launch(java ...string) {
	k.t.Helper()
	k.proc = launch(k.t, filepath.Join(k.dir, "kafka.log"), "java", append(java, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
		"-Dlog4j2.configurationFile="+filepath.Join(k.dir, "log4j2.properties"), "-cp", k.libs+"/*", "kafka.Kafka",
		filepath.Join(k.dir, "kafka.properties"))...)
}

// wait waits until the broker has registered with the controller.
func (k *Kafka) wait() {
	k.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Addr()), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		k.t.Fatal(err)
	}
	defer client.Close()
	for end := time.Now().Add(60 * time.Second); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		m, err := kadm.NewClient(client).BrokerMetadata(ctx)
		cancel()
		if err == nil && slices.ContainsFunc(m.Brokers, func(b kadm.BrokerDetail) bool { return b.NodeID == int32(k.id) }) {
			return
		}
		select {
		case err := <-k.proc.done:
			k.t.Fatalf("Kafka ended: %v\n%s", err, k.proc.tail())
		default:
		}
	}
	k.t.Fatalf("Kafka not ready in 60 s\n%s", k.proc.tail())
}

// Kill9 kills the broker with SIGKILL and waits for its end.
func (k *Kafka) Kill9() {
	_ = k.proc.cmd.Process.Kill()
	<-k.proc.done
	k.proc.done <- nil
}

// CreateTopic creates a topic unless it exists.
func (k *Kafka) CreateTopic(name string, partitions int32) {
	k.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Addr()))
	if err != nil {
		k.t.Fatal(err)
	}
	defer client.Close()
	if _, err := kadm.NewClient(client).CreateTopic(context.Background(), partitions, -1, nil, name); err != nil &&
		!strings.Contains(err.Error(), "already exists") {
		k.t.Fatal(err)
	}
}
