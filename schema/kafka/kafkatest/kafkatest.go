// Package kafkatest starts a Kafka in memory for tests, and makes it refuse requests.
//
// It makes no clients: schema/kafka does, and its own tests use this package.
package kafkatest

import (
	"slices"
	"sync/atomic"
	"testing"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Start starts a Kafka of one broker, which ends with the test.
func Start(t testing.TB, options ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// RefuseFetches answers every fetch of a topic ("": of any) with an error for each partition. count returns how many were refused.
func RefuseFetches(c *kfake.Cluster, topic string, code *kerr.Error) (count func() int) {
	return refuseFetches(c, topic, code, -1)
}

// RefuseFirstFetches refuses only the first n fetches of any topic.
func RefuseFirstFetches(c *kfake.Cluster, n int, code *kerr.Error) (count func() int) {
	return refuseFetches(c, "", code, n)
}

// refuseFetches refuses n fetches; n < 0: all.
func refuseFetches(c *kfake.Cluster, topic string, code *kerr.Error, n int) (count func() int) {
	id := topicID(c, topic)
	var refused atomic.Int64
	c.ControlKey(int16(kmsg.Fetch), func(q kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := q.(*kmsg.FetchRequest)
		resp := req.ResponseKind().(*kmsg.FetchResponse)
		for _, t := range req.Topics {
			if topic != "" && t.TopicID != id {
				return nil, nil, false
			}
			rt := kmsg.NewFetchResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				rp := kmsg.NewFetchResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, code.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		if refused.Add(1) == int64(n) {
			c.DropControl()
		}
		return resp, nil, true
	})
	return func() int { return int(refused.Load()) }
}

// RefuseProduce answers every write to a topic ("": to any) with an error for each partition.
func RefuseProduce(c *kfake.Cluster, topic string, code *kerr.Error) {
	id := topicID(c, topic)
	c.ControlKey(int16(kmsg.Produce), func(q kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := q.(*kmsg.ProduceRequest)
		resp := req.ResponseKind().(*kmsg.ProduceResponse)
		for _, t := range req.Topics {
			if topic != "" && t.Topic != topic && t.TopicID != id {
				return nil, nil, false
			}
			rt := kmsg.NewProduceResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				rp := kmsg.NewProduceResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, code.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	})
}

// RefuseCommits answers the commits of a group ("": of any) with an error for some partitions; without partitions, for all. The other
// offsets of such a commit are not stored either, but it looks to the client as if they were.
func RefuseCommits(c *kfake.Cluster, group string, code *kerr.Error, parts ...int32) {
	c.ControlKey(int16(kmsg.OffsetCommit), func(q kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		req := q.(*kmsg.OffsetCommitRequest)
		if group != "" && req.Group != group {
			return nil, nil, false
		}
		resp := req.ResponseKind().(*kmsg.OffsetCommitResponse)
		for _, t := range req.Topics {
			rt := kmsg.NewOffsetCommitResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				rp := kmsg.NewOffsetCommitResponseTopicPartition()
				if rp.Partition = p.Partition; len(parts) == 0 || slices.Contains(parts, p.Partition) {
					rp.ErrorCode = code.Code
				}
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	})
}

// topicID returns the id of a topic; zero: of none.
func topicID(c *kfake.Cluster, topic string) [16]byte {
	if topic == "" {
		return [16]byte{}
	}
	return c.TopicInfo(topic).TopicID
}
