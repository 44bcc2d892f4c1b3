package engine

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// refuse answers requests of a kind with an error for each partition of a topic.
func (l *log) refuse(key kmsg.Key, answer func(kmsg.Request) kmsg.Response) (count func() int) {
	var mu sync.Mutex
	n := 0
	l.cluster.ControlKey(key.Int16(), func(req kmsg.Request) (kmsg.Response, error, bool) {
		l.cluster.KeepControl()
		resp := answer(req)
		if resp == nil {
			return nil, nil, false
		}
		mu.Lock()
		n++
		mu.Unlock()
		return resp, nil, true
	})
	return func() int { mu.Lock(); defer mu.Unlock(); return n }
}

// Missing rights end detect with an error that names the topic; it neither loops nor stays silent.
func TestRefusedFetchEndsDetectByName(t *testing.T) {
	l := newLog(t)
	id := l.topicID(wire.CallsTopic)
	count := l.refuse(kmsg.Fetch, func(req kmsg.Request) kmsg.Response {
		r := req.(*kmsg.FetchRequest)
		resp := r.ResponseKind().(*kmsg.FetchResponse)
		for _, t := range r.Topics {
			if t.TopicID != id {
				return nil // the state is read
			}
			rt := kmsg.NewFetchResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				rp := kmsg.NewFetchResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, kerr.TopicAuthorizationFailed.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp
	})
	_, stop := l.start()
	select {
	case <-l.over:
	case <-time.After(20 * time.Second):
		t.Fatalf("%d fetches were refused, and detect goes on", count())
	}
	if err := stop(); !errors.Is(err, kerr.TopicAuthorizationFailed) || !strings.Contains(err.Error(), "detect: read "+wire.CallsTopic) {
		t.Fatalf("got %v", err)
	}
}

// Offsets that the group may not commit are counted: the displayed lag depends on them.
func TestRefusedCommitIsCounted(t *testing.T) {
	l := newLog(t)
	l.refuse(kmsg.OffsetCommit, func(req kmsg.Request) kmsg.Response {
		r := req.(*kmsg.OffsetCommitRequest)
		resp := r.ResponseKind().(*kmsg.OffsetCommitResponse)
		for _, t := range r.Topics {
			rt := kmsg.NewOffsetCommitResponseTopic()
			rt.Topic, rt.TopicID = t.Topic, t.TopicID
			for _, p := range t.Partitions {
				rp := kmsg.NewOffsetCommitResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, kerr.GroupAuthorizationFailed.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp
	})
	r := prometheus.NewRegistry()
	e, stop := l.start(func(c *Config) { c.Kafka.Metrics = kafka.NewMetrics(r) })
	l.block(0, 5)
	l.settle(e)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := ""
	for _, f := range families {
		if f.GetName() == "flyball_kafka_errors_total" {
			for _, m := range f.Metric {
				counted += m.String() + "\n"
			}
		}
	}
	for _, want := range []string{`"` + consumerName + `"`, `"` + kafka.OpCommit + `"`, `"not_authorized"`} {
		if !strings.Contains(counted, want) {
			t.Errorf("refused commits are not counted: no %s in\n%s", want, counted)
		}
	}
}
