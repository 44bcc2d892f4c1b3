package siem

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/kafka"
	"flyball/schema/ocsf"
)

// Topic writes JSON events to a Kafka topic, keyed by the finding, so that its versions stay in order; calls by their agent, or credential.
type Topic struct {
	Topic string
	Out   kafka.Producer
}

// Name implements Output.
func (t Topic) Name() string { return "topic" }

// Write waits until every event is acknowledged.
func (t Topic) Write(ctx context.Context, events []ocsf.Event) error {
	var records []*kgo.Record
	for _, e := range events {
		text, err := e.JSON()
		if err != nil {
			return err
		}
		records = append(records, &kgo.Record{Topic: t.Topic, Key: keyOf(e), Value: text, Headers: []kgo.RecordHeader{
			{Key: HeaderID, Value: []byte(e.ID())}, {Key: "content-type", Value: []byte("application/json")},
			{Key: "ocsf-version", Value: []byte(ocsf.Version)}}})
	}
	if err := t.Out.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return fmt.Errorf("write to topic %s: %w", t.Topic, err)
	}
	return nil
}

// keyOf returns the key of an event's record; nil: any partition will do.
func keyOf(e ocsf.Event) []byte {
	for _, path := range [][2]string{{"finding_info", "uid"}, {"ai_agent", "uid"}, {"actor", "app_uid"}} {
		part, _ := e[path[0]].(map[string]any)
		if key, _ := part[path[1]].(string); key != "" {
			return []byte(key)
		}
	}
	return nil
}

// Syslog writes CEF messages over TCP, each with its length before it (RFC 6587, 5425 with TLS).
type Syslog struct {
	Address string
	// Dial connects, with TLS for example; nil: plain text.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	Host string // name of this machine

	mu   sync.Mutex
	conn net.Conn
}

// syslogTimeout bounds a connection and the write of a batch.
const syslogTimeout = 10 * time.Second

// Name implements Output.
func (s *Syslog) Name() string { return "syslog" }

// Write sends events over the present connection, or a new one. After an error the connection is closed, and all of them are sent
// again.
func (s *Syslog) Write(ctx context.Context, events []ocsf.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.connect(ctx); err != nil {
		return fmt.Errorf("syslog %s: %w", s.Address, err)
	}
	var b strings.Builder
	for _, e := range events {
		m := e.Syslog(s.Host)
		fmt.Fprintf(&b, "%d %s", len(m), m)
	}
	err := s.conn.SetWriteDeadline(time.Now().Add(syslogTimeout))
	if err == nil {
		_, err = s.conn.Write([]byte(b.String()))
	}
	if err != nil {
		_ = s.conn.Close()
		s.conn = nil
		return fmt.Errorf("syslog %s: %w", s.Address, err)
	}
	return nil
}

// connect opens a connection if there is none that the receiver has not closed.
func (s *Syslog) connect(ctx context.Context) error {
	if s.conn != nil && !closedByPeer(s.conn) {
		return nil
	}
	if s.conn != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
	ctx, cancel := context.WithTimeout(ctx, syslogTimeout)
	defer cancel()
	var err error
	dial := s.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	if s.conn, err = dial(ctx, "tcp", s.Address); err != nil {
		s.conn = nil
	}
	return err
}

// closedByPeer reports whether the other side has closed a connection: a receiver of syslog sends nothing, so a read ends by its
// deadline while the connection is open.
func closedByPeer(c net.Conn) bool {
	if err := c.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		return true
	}
	var one [1]byte
	_, err := c.Read(one[:])
	var timeout net.Error
	return err != nil && !(errors.As(err, &timeout) && timeout.Timeout())
}

// Close closes the connection.
func (s *Syslog) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conn != nil {
		_ = s.conn.Close()
		s.conn = nil
	}
}
