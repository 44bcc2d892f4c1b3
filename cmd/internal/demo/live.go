package demo

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// denied is how and when the runaway was stopped.
type denied struct {
	after int           // calls since the onset, the denied one included; 0: it was not stopped
	took  time.Duration // since the onset
	at    time.Time
	body  string
	again int // of the calls after it, how many were denied too
	tried int
}

// stage is the live part: agents through the gateway, one of which runs away.
type stage struct {
	gw      *gateway
	client  *http.Client
	pace    time.Duration // between two calls of an agent
	now     func() time.Time
	players int

	sent    atomic.Int64
	onsetAt atomic.Int64 // Unix ns; 0: not yet

	mu      sync.Mutex
	refused map[string]*refusal // by the recorded run's id; the runaway is not in it
}

// refusal is what Flyball refused of a run.
type refusal struct {
	run   *run
	first int // number of the first refused call, from 1
	calls int // that were refused
	body  string
}

// refuse notes that call n of a run, from 1, was refused with a body.
func (s *stage) refuse(r *run, n int, body string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused[r.id] == nil {
		if s.refused == nil {
			s.refused = map[string]*refusal{}
		}
		s.refused[r.id] = &refusal{run: r, first: n, body: body}
	}
	s.refused[r.id].calls++
}

// refusals are the refusals of the runs so far, ordered by the runs' ids.
func (s *stage) refusals() (out []refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range slices.Sorted(maps.Keys(s.refused)) {
		out = append(out, *s.refused[id])
	}
	return out
}

// request sends a call as the agent's client would.
func (s *stage) request(ctx context.Context, r *run, id string, c call) (int, string, error) {
	// The body has the recorded size: by it the log tells calls apart that differ in their arguments.
	req, err := http.NewRequestWithContext(ctx, c.Method, s.gw.URL+c.Path, strings.NewReader(strings.Repeat(" ", c.Body)))
	if err != nil {
		return 0, "", err
	}
	req.Header.Set("Authorization", "Bearer "+s.gw.credential(r.agent))
	req.Header.Set("User-Agent", "python-httpx/0.27.0")
	req.Header.Set("X-Agent-Id", c.Claimed)
	req.Header.Set("X-Agent-Run-Id", id)
	req.Header.Set("X-Task-Id", c.Task)
	req.Header.Set(answerStatus, fmt.Sprint(c.Status))
	req.Header.Set(answerBytes, fmt.Sprint(c.Sent))
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	s.sent.Add(1)
	return resp.StatusCode, string(body), err
}

// liveID is the id of a recorded run when it is played again.
func liveID(r *run) string { return "live-" + r.id }

// play plays the runs, a few at a time, until all are through.
func (s *stage) play(ctx context.Context, runs []run) error {
	next := make(chan *run)
	go func() {
		defer close(next)
		for i := range runs {
			select {
			case next <- &runs[i]:
			case <-ctx.Done():
				return
			}
		}
	}()
	errs := make(chan error, s.players)
	var wg sync.WaitGroup
	for range s.players {
		wg.Go(func() {
			for r := range next {
				if err := s.one(ctx, r); err != nil {
					errs <- err
					return
				}
			}
		})
	}
	wg.Wait()
	select {
	case err := <-errs:
		return err
	default:
		return ctx.Err()
	}
}

func (s *stage) one(ctx context.Context, r *run) error {
	for i := range r.calls {
		status, body, err := s.request(ctx, r, liveID(r), r.calls[i])
		if err != nil {
			return fmt.Errorf("agent %s: %w", r.agent, err)
		}
		if status == http.StatusForbidden && strings.Contains(body, "urn:flyball:") {
			s.refuse(r, i+1, body)
		}
		if err := pause(ctx, s.pace); err != nil {
			return err
		}
	}
	return nil
}

// maxRunawayCalls is how many calls a runaway makes that nobody stops.
const maxRunawayCalls = 400

// runAway plays the recorded run until its onset, then the runaway's calls until it is stopped, and three more.
func (s *stage) runAway(ctx context.Context, w *runaway) (denied, error) {
	for i := range w.onset {
		if _, _, err := s.request(ctx, &w.run, liveID(&w.run), w.calls[i]); err != nil {
			return denied{}, err
		}
		if err := pause(ctx, s.pace); err != nil {
			return denied{}, err
		}
	}
	onset := s.now()
	s.onsetAt.Store(onset.UnixNano())
	var d denied
	for n := 0; n < maxRunawayCalls && d.tried < 3; n++ {
		status, body, err := s.request(ctx, &w.run, liveID(&w.run), w.next(n))
		if err != nil {
			return d, err
		}
		stopped := status == http.StatusForbidden && strings.Contains(body, "urn:flyball:")
		switch {
		case d.after > 0:
			d.tried++
			if stopped {
				d.again++
			}
		case stopped:
			d.after, d.at, d.body = n+1, s.now(), body
			d.took = d.at.Sub(onset)
		}
		if err := pause(ctx, min(s.pace, 60*time.Millisecond)); err != nil {
			return d, err
		}
	}
	return d, nil
}

func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
