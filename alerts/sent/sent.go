// Package sent remembers where the messages of incidents are, for receivers that must name a message to change it. The topic
// flyball.messages keeps it over restarts, and for the other processes of the role.
//
// What is older than the topic's retention is forgotten, and so is what a newer version of Flyball wrote: the next update of the incident
// is then a new message.
package sent

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/alerts/notify"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// version is that of a record's document.
const version = 1

// record is the value of a record. Its key is the receiver and the incident.
type record struct {
	V        int    `json:"v"`
	Receiver string `json:"receiver"`
	Incident string `json:"incident"`
	Channel  string `json:"channel"`
	TS       string `json:"ts"`
	Page     string `json:"page_id"`
}

type key struct{ receiver, incident string }

type place struct {
	sent    notify.Sent
	written time.Time
}

// Log is a notify.Memory in flyball.messages. It is safe for concurrent use.
type Log struct {
	kafka kafka.Config
	now   func() time.Time

	mu     sync.Mutex
	places map[key]place
	next   map[int32]int64 // offsets to read from; nil: from the start
	writer *kgo.Client
}

// NewLog returns a Log. It connects at the first use.
func NewLog(k kafka.Config, now func() time.Time) *Log {
	return &Log{kafka: k, now: now, places: map[key]place{}}
}

// clientName is the name of the Kafka clients in logs, errors and metrics.
const clientName = "alert-messages"

// Get reads the topic to its end, because another process may have delivered the page before, and returns what it holds.
func (l *Log) Get(ctx context.Context, receiver, incident string) (notify.Sent, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ends, err := kafka.ReadToEnd(ctx, l.kafka, clientName, wire.MessagesTopic, l.next, func(r *kgo.Record) error {
		var v record
		if json.Unmarshal(r.Value, &v) == nil && v.V == version {
			l.places[key{v.Receiver, v.Incident}] = place{notify.Sent{Channel: v.Channel, TS: v.TS, Page: v.Page}, r.Timestamp}
		}
		return nil
	})
	if err != nil {
		return notify.Sent{}, err
	}
	l.next = ends
	l.forget()
	return l.places[key{receiver, incident}].sent, nil
}

// forget drops what is older than the topic keeps.
func (l *Log) forget() {
	oldest := l.now().Add(-wire.MessagesRetention)
	for k, p := range l.places {
		if p.written.Before(oldest) {
			delete(l.places, k)
		}
	}
}

// Put writes a record and waits until the broker has it.
func (l *Log) Put(ctx context.Context, receiver, incident string, s notify.Sent) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	value, err := json.Marshal(record{V: version, Receiver: receiver, Incident: incident, Channel: s.Channel, TS: s.TS, Page: s.Page})
	if err != nil {
		return err
	}
	if l.writer == nil {
		if l.writer, err = l.kafka.NewClient(clientName); err != nil {
			return err
		}
	}
	r := &kgo.Record{Topic: wire.MessagesTopic, Key: []byte(receiver + "/" + incident), Value: value, Timestamp: l.now()}
	if err := l.writer.ProduceSync(ctx, r).FirstErr(); err != nil {
		return fmt.Errorf("write to %s: %w", wire.MessagesTopic, err)
	}
	l.places[key{receiver, incident}] = place{s, l.now()}
	return nil
}

// Close ends the connection.
func (l *Log) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.writer != nil {
		l.writer.Close()
		l.writer = nil
	}
}

// Map is a notify.Memory that ends with its process. It is not safe for concurrent use.
type Map map[string]notify.Sent

// Get returns what Put has kept.
func (m Map) Get(_ context.Context, receiver, incident string) (notify.Sent, error) {
	return m[receiver+"/"+incident], nil
}

// Put keeps s.
func (m Map) Put(_ context.Context, receiver, incident string, s notify.Sent) error {
	m[receiver+"/"+incident] = s
	return nil
}
