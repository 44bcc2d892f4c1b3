package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// answers measures how long the broker takes to answer a request that costs it nothing.
type answers struct {
	mu   sync.Mutex
	took []time.Duration
}

const (
	answersEvery  = 100 * time.Millisecond
	answerTimeout = 30 * time.Second
)

// startAnswers asks the broker of a setup until end is called.
func (s *setup) startAnswers() (end func(), err error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(fmt.Sprintf("127.0.0.1:%d", s.kafka)))
	if err != nil {
		return nil, err
	}
	a := &answers{}
	s.answers = a
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			a.ask(ctx, client)
			time.Sleep(answersEvery)
		}
	}()
	return func() {
		cancel()
		<-done
		client.Close()
	}, nil
}

// ask asks once. A request without an answer is not counted: the process is stopped, or its restart is measured.
func (a *answers) ask(ctx context.Context, client *kgo.Client) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	req := kmsg.NewPtrMetadataRequest()
	req.Topics = []kmsg.MetadataRequestTopic{} // none
	began := time.Now()
	if _, err := req.RequestWith(ctx, client); err != nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.took = append(a.took, time.Since(began))
}

// take returns the times since the last take, the shortest first.
func (a *answers) take() (took []time.Duration) {
	if a == nil {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	took, a.took = a.took, nil
	slices.Sort(took)
	return took
}
