package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// fillOrdinary writes what an outage leaves: n calls of the traffic, the last of them now, each written when it was made. The
// past from which the baseline is learned ends two hours before.
func (b *backlog) fillOrdinary(port int, seed uint64) (size int, err error) {
	every := time.Second / time.Duration(b.ordinary.rate)
	began := time.Now().Add(-time.Duration(b.n) * every)
	if b.learned, b.pastRuns, err = writePast(port, "past", *b.ordinary, b.past, began.Add(-2*time.Hour)); err != nil {
		return 0, err
	}
	pool := newRunPool(*b.ordinary, "gw", seed)
	err = writeAll(port, "gw", func(yield func(*kgo.Record) bool) {
		for k := range b.n {
			at := began.Add(time.Duration(k) * every).UTC()
			value := pool.record(at)
			size = len(value)
			if !yield(&kgo.Record{Value: value, Timestamp: at}) {
				return
			}
		}
	})
	return size, err
}

// printDecisions prints what was decided about runs that are all ordinary.
func (s *setup) printDecisions() {
	const q = "SELECT action, mode, count() FROM flyball.decisions GROUP BY action, mode ORDER BY count() DESC"
	if got, err := s.sql(q); err == nil {
		fmt.Printf("       decisions: %s\n", strings.ReplaceAll(strings.ReplaceAll(got, "\t", " "), "\n", "; "))
	} else {
		fmt.Printf("       decisions: %v\n", err)
	}
}

// slowest is how many calls a second at least are expected.
const slowest = 5000

// await waits until the backlog is stored. Of ordinary runs it prints a row each half minute.
func (b *backlog) await(s *setup, pid, past int, began time.Time) error {
	s.stored = past
	waiting := &soakLoad{}
	waiting.acknowledged.Store(int64(b.n))
	var last counters
	if b.ordinary != nil {
		end, err := s.startAnswers()
		if err != nil {
			return err
		}
		defer end()
		fmt.Println(rowHead)
	}
	for {
		stored, err := s.storedCalls()
		if err != nil {
			return err
		}
		if stored >= past+b.n {
			return nil
		}
		if time.Since(began) > time.Duration(b.n/slowest)*time.Second+20*time.Minute {
			return fmt.Errorf("only %d of %d stored after %s", stored-past, b.n, time.Since(began).Round(time.Second))
		}
		if b.ordinary != nil && time.Since(last.at) > 30*time.Second {
			now, err := s.read(pid, waiting)
			if err != nil {
				return err
			}
			if !last.at.IsZero() {
				fmt.Println(rowBetween(began, &last, &now, false))
			}
			last = now
		}
		time.Sleep(200 * time.Millisecond)
	}
}
