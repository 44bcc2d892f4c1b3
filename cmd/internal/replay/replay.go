// Package replay sends recorded traffic to a topic: raw log lines as they are,
// or a data set rendered as a gateway would have logged it.
//
// It sends no labels, keeps the order of time, and ends only when every record is
// acknowledged.
package replay

import (
	"bufio"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/dataset"
	"flyball/schema/kafka"
)

// Options of a replay.
type Options struct {
	Kafka      kafka.Config
	Where      string // how the broker is configured, for errors
	Topic      string
	As         string  // format to render a data set in
	Speed      float64 // times as fast as it happened; 0 is as fast as it goes
	Now        bool    // shift times so that the last call is now
	Partitions int32   // of the topic, when it has to be made
	Progress   func(sent int, rate float64)
	// Hold is called before the first record and now and then after it; it returns when sending may go on, or an error. nil: not called.
	Hold func(ctx context.Context, sent int) error
}

// Result of a replay.
type Result struct {
	Records int
	Took    time.Duration
}

// message is one record to send.
type message struct {
	key   []byte
	value []byte
	at    int64 // Unix ns, 0 unknown
}

// Run sends what the paths hold, in time order for a data set.
func Run(ctx context.Context, o Options, paths []string, clock func() time.Time) (Result, error) {
	var messages []message
	var raw []string
	for _, p := range paths {
		info, err := os.Stat(p)
		if err != nil {
			return Result{}, err
		}
		if info.IsDir() {
			m, err := recorded(p, o.As, o.Now, clock())
			if err != nil {
				return Result{}, err
			}
			messages = append(messages, m...)
			continue
		}
		raw = append(raw, p)
	}
	client, err := o.Kafka.NewClient("replay", kgo.DefaultProduceTopic(o.Topic), kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.ProducerLinger(5*time.Millisecond), kgo.MaxBufferedRecords(50_000), kgo.RecordPartitioner(kgo.StickyKeyPartitioner(nil)))
	if err != nil {
		return Result{}, err
	}
	defer client.Close()
	if err := reach(ctx, client, o); err != nil {
		return Result{}, err
	}
	s := &sender{ctx: ctx, o: o, client: client, clock: clock, began: clock()}
	for _, m := range messages {
		if err := s.send(m); err != nil {
			return s.result(), err
		}
	}
	for _, p := range raw {
		if err := lines(p, s.send); err != nil {
			return s.result(), err
		}
	}
	return s.finish()
}

// recorded are the calls of a data set as records, in the order of their times; shift
// moves the times so that the last call is now.
func recorded(dir, format string, shift bool, now time.Time) ([]message, error) {
	calls, err := dataset.InTimeOrder(dir)
	if err != nil {
		return nil, err
	}
	var move int64
	if shift && len(calls) > 0 {
		move = now.UnixMilli() - calls[len(calls)-1].TS
	}
	out := make([]message, 0, len(calls))
	for i := range calls {
		c := &calls[i]
		c.TS += move
		value, err := c.Render(format)
		if err != nil {
			return nil, err
		}
		out = append(out, message{key: []byte(c.Owner), value: value, at: c.TS * 1e6})
	}
	return out, nil
}

// reach fails within 15 s if there is no broker, with an error that names what to check.
func reach(ctx context.Context, client *kgo.Client, o Options) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if err := o.Kafka.CheckConnection(ctx); err != nil {
		return fmt.Errorf("%s: %w", o.Where, err)
	}
	adm := kadm.NewClient(client)
	topics, err := adm.ListTopics(ctx, o.Topic)
	if err != nil {
		return fmt.Errorf("%s: look up the topic %s: %w", o.Where, o.Topic, err)
	}
	if topics.Has(o.Topic) && topics[o.Topic].Err == nil {
		return nil
	}
	if _, err := adm.CreateTopic(ctx, o.Partitions, -1, nil, o.Topic); err != nil {
		return fmt.Errorf("create topic %s: %w", o.Topic, err)
	}
	return nil
}

type sender struct {
	ctx     context.Context
	o       Options
	client  *kgo.Client
	clock   func() time.Time
	began   time.Time
	firstAt int64
	sent    int
	failure chan error
}

// holdEvery is after how many records Hold is called again.
const holdEvery = 1000

func (s *sender) send(m message) error {
	if s.o.Hold != nil && s.sent%holdEvery == 0 {
		if err := s.o.Hold(s.ctx, s.sent); err != nil {
			return err
		}
	}
	if s.failure == nil {
		s.failure = make(chan error, 1)
	}
	if s.o.Speed > 0 && m.at > 0 {
		if s.firstAt == 0 {
			s.firstAt = m.at
		}
		due := s.began.Add(time.Duration(float64(m.at-s.firstAt) / s.o.Speed))
		if wait := due.Sub(s.clock()); wait > 0 {
			select {
			case <-s.ctx.Done():
				return s.ctx.Err()
			case <-time.After(wait):
			}
		}
	}
	s.client.Produce(s.ctx, &kgo.Record{Key: m.key, Value: m.value}, func(_ *kgo.Record, err error) {
		if err != nil {
			select {
			case s.failure <- err:
			default:
			}
		}
	})
	s.sent++
	if s.sent%5000 == 0 && s.o.Progress != nil {
		s.o.Progress(s.sent, float64(s.sent)/max(s.clock().Sub(s.began).Seconds(), 1e-9))
	}
	select {
	case err := <-s.failure:
		return fmt.Errorf("send record %d: %w", s.sent, err)
	default:
		return s.ctx.Err()
	}
}

func (s *sender) result() Result { return Result{s.sent, s.clock().Sub(s.began)} }

func (s *sender) finish() (Result, error) {
	if err := s.client.Flush(s.ctx); err != nil {
		return s.result(), fmt.Errorf("wait for acknowledgements: %w", err)
	}
	if s.failure != nil {
		select {
		case err := <-s.failure:
			return s.result(), fmt.Errorf("not every record was acknowledged: %w", err)
		default:
		}
	}
	return s.result(), nil
}

// lines sends a file's lines as they are.
func lines(path string, send func(message) error) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	var in io.Reader = f
	if filepath.Ext(path) == ".gz" {
		z, err := gzip.NewReader(f)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		in = z
	}
	r := bufio.NewReaderSize(in, 1<<20)
	for {
		line, err := r.ReadString('\n')
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			if err := send(message{value: []byte(line)}); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
}
