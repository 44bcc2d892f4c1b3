package broker

import (
	"fmt"
	"log/slog"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A full disk. kfake answers UNKNOWN_SERVER_ERROR to a write that failed, which ends Flyball's own parts. So the broker refuses records
// before the disk is full, with KAFKA_STORAGE_ERROR, after which producers wait and try again. What matters least is refused first: the
// last room is for the topics of enforcement.

// shortage is how little room is left.
type shortage int

const (
	enough   shortage = iota
	low               // below MinFree: no input, no calls
	critical          // below a quarter of it: only topics of enforcement
	full              // below 1/32 of it: nothing
)

// maxShare is the largest share of a small file system that MinFree means.
const maxShare = 0.1

// enforcementTopics are written until the disk is full: what they hold is small, and stops agents.
var enforcementTopics = map[string]bool{"flyball.commands": true, "flyball.breakers": true, "flyball.points": true}

// outputTopics hold what becomes of records that were accepted before.
var outputTopics = map[string]bool{"flyball.journal": true, "flyball.events": true, "flyball.state": true, "flyball.baselines": true}

// takes reports whether records of a topic are accepted.
func (s shortage) takes(topic string) bool {
	switch {
	case s == full:
		return false
	case enforcementTopics[topic]:
		return true
	case outputTopics[topic]:
		return s < critical
	}
	return s == enough
}

// freeSpace returns the free and the total bytes of a directory's file system. Tests replace it.
var freeSpace = func(dir string) (free, total int64, err error) {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return 0, 0, err
	}
	return int64(s.Bavail) * s.Bsize, int64(s.Blocks) * s.Bsize, nil
}

// spaceGuard watches the free space of the broker's directory.
type spaceGuard struct {
	dir     string
	minFree int64
	log     *slog.Logger
	free    prometheus.Gauge
	kept    prometheus.Gauge
	refused prometheus.Counter

	mu     sync.Mutex
	now    shortage
	bytes  int64 // free
	wanted int64 // MinFree, or the share of a small file system
}

// spaceEvery is how often the free space is read.
const spaceEvery = 250 * time.Millisecond

// watch reads the free space. When it becomes short, records are refused until there is enough. (While there is enough, kfake has no
// control function: it keeps the last request of each connection for one.)
func (g *spaceGuard) watch(c *kfake.Cluster) {
	g.mu.Lock()
	before := g.now
	g.read()
	now := g.now
	g.mu.Unlock()
	if before == enough && now > enough {
		c.ControlKey(int16(kmsg.Produce), g.control(c))
	}
}

func (g *spaceGuard) shortage() shortage {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.now
}

func (g *spaceGuard) read() {
	bytes, total, err := freeSpace(g.dir)
	if err != nil {
		g.log.Error("the free space of the disk cannot be read", "folder", g.dir, "error", err)
		return
	}
	g.bytes, g.wanted = bytes, min(g.minFree, int64(maxShare*float64(total)))
	g.free.Set(float64(bytes))
	g.kept.Set(float64(g.wanted))
	before := g.now
	g.now = shortageOf(bytes, g.wanted, before)
	switch {
	case g.now > before:
		g.log.Error("disk full: the embedded broker refuses records", "folder", g.dir, "free_bytes", bytes, "kept_free_bytes", g.wanted,
			"refused", g.now.String(), "do", "free space, or lower kafka.min_free_mib; writing resumes automatically")
	case g.now < before && g.now == enough:
		g.log.Info("there is room on the disk again: the embedded broker accepts all records", "folder", g.dir, "free_bytes", bytes)
	}
}

func (s shortage) String() string {
	return [...]string{"nothing", "new input", "all but commands", "everything"}[s]
}

// shortageOf returns the shortage for free bytes of those that are wanted. A shortage ends when there is a sixteenth more than at its
// beginning, so that it does not come and go with each record.
func shortageOf(free, wanted int64, before shortage) shortage {
	limits := [...]int64{low: wanted, critical: wanted / 4, full: wanted / 32}
	for s := full; s > enough; s-- {
		limit := limits[s]
		if before >= s {
			limit += limit / 16
		}
		if free < limit {
			return s
		}
	}
	return enough
}

// Err returns why records are refused; nil: they are not.
func (g *spaceGuard) Err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	s := g.now
	if s == enough {
		return nil
	}
	return fmt.Errorf("disk full: %s, %d MiB free of which %d are kept free: the broker refuses %s; free space or lower kafka.min_free_mib, "+
		"writing resumes automatically", g.dir, g.bytes>>20, g.wanted>>20, s)
}

// control answers requests that write records while there is no room for them.
func (g *spaceGuard) control(c *kfake.Cluster) func(kmsg.Request) (kmsg.Response, error, bool) {
	return func(kreq kmsg.Request) (kmsg.Response, error, bool) {
		s := g.shortage()
		if s == enough {
			c.DropControl()
			return nil, nil, false
		}
		c.KeepControl()
		req := kreq.(*kmsg.ProduceRequest)
		var taken, refused []kmsg.ProduceRequestTopic
		for _, t := range req.Topics {
			if s.takes(topicName(c, &t)) {
				taken = append(taken, t)
			} else {
				refused = append(refused, t)
			}
		}
		if len(refused) == 0 {
			return nil, nil, false
		}
		g.refused.Inc()
		if len(taken) > 0 {
			// A client of Flyball's that writes commands among others: it sends again what was not answered.
			req.Topics = taken
			return nil, nil, false
		}
		if req.Acks == 0 {
			return nil, nil, true // the client reads no answers
		}
		return refuseProduce(req, fmt.Sprint("disk full: the broker refuses ", s)), nil, true
	}
}

// topicName returns the topic's name: clients of newer protocols send only its id.
func topicName(c *kfake.Cluster, t *kmsg.ProduceRequestTopic) string {
	if t.Topic != "" {
		return t.Topic
	}
	if info := c.TopicIDInfo(t.TopicID); info != nil {
		return info.Topic
	}
	return ""
}

func refuseProduce(req *kmsg.ProduceRequest, why string) kmsg.Response {
	resp := req.ResponseKind().(*kmsg.ProduceResponse)
	for _, t := range req.Topics {
		out := kmsg.NewProduceResponseTopic()
		out.Topic, out.TopicID = t.Topic, t.TopicID
		for _, p := range t.Partitions {
			refused := kmsg.NewProduceResponseTopicPartition()
			refused.Partition, refused.ErrorCode, refused.ErrorMessage = p.Partition, kerr.KafkaStorageError.Code, kmsg.StringPtr(why)
			refused.BaseOffset, refused.LogStartOffset = -1, -1
			out.Partitions = append(out.Partitions, refused)
		}
		resp.Topics = append(resp.Topics, out)
	}
	return resp
}
