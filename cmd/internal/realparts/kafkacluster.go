package realparts

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"flyball/cmd/internal/tiers"
)

// KafkaCluster is an Apache Kafka of several nodes. Every topic has a copy on each; a write is acknowledged when all
// copies but one have it.
type KafkaCluster struct {
	Nodes []*Kafka
}

// StartKafkaCluster starts a cluster and stops it with the test.
func StartKafkaCluster(t testing.TB, nodes int) *KafkaCluster {
	t.Helper()
	libs, err := FetchKafka()
	if err != nil {
		missing(t, "kafka", err)
	}
	tiers.Ran("kafka")
	c := &KafkaCluster{}
	for i := range nodes {
		c.Nodes = append(c.Nodes, &Kafka{t: t, libs: libs, dir: t.TempDir(), id: i + 1, port: FreePort(t), ctl: FreePort(t), cluster: c})
	}
	var g errgroup.Group
	for _, k := range c.Nodes {
		g.Go(k.format)
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	for _, k := range c.Nodes {
		t.Cleanup(func() { k.proc.stop(syscall.SIGTERM) })
		k.launch(smallHeap...)
	}
	for _, k := range c.Nodes {
		k.wait()
	}
	return c
}

// smallHeap are the options of the Java machine of a node: three fit into a gigabyte.
var smallHeap = []string{"-Xms128m", "-Xmx256m"}

func (c *KafkaCluster) voters() string {
	var out []string
	for _, k := range c.Nodes {
		out = append(out, fmt.Sprintf("%d@127.0.0.1:%d", k.id, k.ctl))
	}
	return strings.Join(out, ",")
}

// Addrs returns the addresses of all nodes for clients, separated by commas.
func (c *KafkaCluster) Addrs() string {
	var out []string
	for _, k := range c.Nodes {
		out = append(out, k.Addr())
	}
	return strings.Join(out, ",")
}

// Kill9Leader kills the leader of a partition with SIGKILL, and returns it.
func (c *KafkaCluster) Kill9Leader(topic string, partition int32) *Kafka {
	t := c.Nodes[0].t
	t.Helper()
	for _, k := range c.Nodes {
		if k.id == int(c.partition(topic, partition).Leader) {
			k.Kill9()
			return k
		}
	}
	t.Fatalf("%s/%d has no leader", topic, partition)
	return nil
}

// Restart starts a node that was killed, and waits until it has a copy of all that the partition has.
func (c *KafkaCluster) Restart(k *Kafka, topic string, partition int32) {
	k.t.Helper()
	k.launch(smallHeap...)
	k.wait()
	for end := time.Now().Add(60 * time.Second); len(c.partition(topic, partition).ISR) < len(c.Nodes); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			k.t.Fatalf("node %d did not catch up in 60 s\n%s", k.id, k.proc.tail())
		}
	}
}

func (c *KafkaCluster) partition(topic string, partition int32) kadm.PartitionDetail {
	t := c.Nodes[0].t
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(c.Addrs(), ",")...), kgo.MetadataMinAge(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	topics, err := kadm.NewClient(client).ListTopics(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	return topics[topic].Partitions[partition]
}

// TopicBytes returns the size of each topic on one node, which has a copy of all partitions.
func (c *KafkaCluster) TopicBytes() map[string]int64 {
	t := c.Nodes[0].t
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(c.Addrs(), ",")...))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	dirs, err := kadm.NewClient(client).DescribeAllLogDirs(context.Background(), nil)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]int64{}
	dirs[int32(c.Nodes[0].id)].EachPartition(func(p kadm.DescribedLogDirPartition) { out[p.Topic] += p.Size })
	return out
}

// Processes returns the process ids of the running nodes.
func (c *KafkaCluster) Processes() []int {
	var out []int
	for _, k := range c.Nodes {
		out = append(out, k.proc.cmd.Process.Pid)
	}
	return out
}
