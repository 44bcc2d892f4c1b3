package app

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/doctor"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// kafkaFacts looks at the broker, its topics and what this login may do.
func kafkaFacts(ctx context.Context, c config.Config) (k doctor.Kafka) {
	k.Address, k.Clock.Of = seedBrokers(c)[0], "Kafka"
	clients, err := ConnectKafka(ctx, c)
	if err != nil {
		k.Error = err.Error()
		return k
	}
	client, err := clients.NewClient("doctor", kgo.RequestRetries(1))
	if err != nil {
		k.Error = err.Error()
		return k
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	if err := topicFacts(ctx, client, c, &k); err != nil {
		k.Error = clients.ExplainError(err).Error()
		return k
	}
	embedded := len(c.Kafka.Brokers) == 0
	drift, err := kafka.EnsureTopics(ctx, admin, kafka.TopicOptions{Partitions: int32(c.Kafka.Partitions), BrokerTrims: embedded,
		DryRun: true})
	for _, s := range drift {
		for i := range k.Topics {
			if err == nil && k.Topics[i].Name == s.Spec.Name {
				k.Topics[i].Drift = s.Drift
			}
		}
	}
	k.Authorizer, k.ACLError = authorizer(ctx, admin)
	k.Clock.Known, k.Clock.Ahead = brokerClock(ctx, admin)
	return k
}

// topicFacts reads the topics that the configuration needs, with what this login may do.
func topicFacts(ctx context.Context, client *kgo.Client, c config.Config, k *doctor.Kafka) error {
	type need struct {
		topic doctor.Topic
		write bool
	}
	var needs []need
	for _, s := range wire.Specs {
		want := int(s.Partitions)
		if want == 0 {
			want = c.Kafka.Partitions
		}
		needs = append(needs, need{doctor.Topic{Name: s.Name, Want: want}, true})
	}
	for _, in := range c.Kafka.Inputs {
		needs = append(needs, need{doctor.Topic{Name: in.Topic, Input: true}, false})
	}
	req := kmsg.NewPtrMetadataRequest()
	req.AllowAutoTopicCreation, req.IncludeTopicAuthorizedOperations = false, true
	for i := range needs {
		t := kmsg.NewMetadataRequestTopic()
		t.Topic = &needs[i].topic.Name
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	found := map[string]*kmsg.MetadataResponseTopic{}
	for i := range resp.Topics {
		if t := &resp.Topics[i]; t.Topic != nil {
			found[*t.Topic] = t
		}
	}
	for _, n := range needs {
		t := found[n.topic.Name]
		err := error(kerr.UnknownTopicOrPartition)
		if t != nil {
			err = kerr.ErrorForCode(t.ErrorCode)
		}
		switch {
		case errors.Is(err, kerr.TopicAuthorizationFailed):
			k.Denied = append(k.Denied, "describe "+n.topic.Name)
			continue
		case err != nil:
			n.topic.Missing = true
		default:
			n.topic.Have = len(t.Partitions)
			k.Denied = append(k.Denied, deniedOn(n.topic.Name, t.AuthorizedOperations, n.write)...)
		}
		k.Topics = append(k.Topics, n.topic)
	}
	return nil
}

// Bits of operations in Kafka's answers.
const (
	mayRead  = 1 << 3
	mayWrite = 1 << 4
)

// noOperations is the value of a broker that does not say what a login may do.
const noOperations = -1 << 31

// deniedOn returns the operations on a topic that a login needs and may not do.
func deniedOn(topic string, may int32, write bool) (denied []string) {
	if may == noOperations || may == 0 {
		return nil
	}
	if may&mayRead == 0 {
		denied = append(denied, "read "+topic)
	}
	if write && may&mayWrite == 0 {
		denied = append(denied, "write "+topic)
	}
	return denied
}

// authorizer reports whether the broker decides who may do what.
func authorizer(ctx context.Context, admin *kadm.Client) (has bool, problem string) {
	_, err := admin.DescribeACLs(ctx,
		kadm.NewACLs().AnyResource().Allow().AllowHosts().Deny().DenyHosts().Operations().ResourcePatternType(kadm.ACLPatternAny))
	switch {
	case err == nil, errors.Is(err, kerr.ClusterAuthorizationFailed):
		return true, ""
	case errors.Is(err, kerr.SecurityDisabled):
		return false, ""
	}
	return false, "" // a broker that does not answer this has none
}

// brokerClock compares the broker's time of the newest command with this machine's: points write one each second. known is false if none
// was written lately.
func brokerClock(ctx context.Context, admin *kadm.Client) (known bool, skew time.Duration) {
	const lately = 5 * time.Minute
	before := time.Now()
	listed, err := admin.ListMaxTimestampOffsets(ctx, wire.CommandsTopic)
	if err != nil {
		return false, 0
	}
	o, ok := listed.Lookup(wire.CommandsTopic, 0)
	if !ok || o.Err != nil || o.Timestamp <= 0 {
		return false, 0
	}
	skew = ahead(time.UnixMilli(o.Timestamp), before.Add(-3*time.Second), time.Now())
	return skew > -lately, skew
}
