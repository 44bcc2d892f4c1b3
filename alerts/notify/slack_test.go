package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/time/rate"

	"flyball/alerts/incident"
	"flyball/schema"
)

// channel is a channel of Slack with a chat.postMessage and a chat.update as the vendor describes them.
type channel struct {
	*httptest.Server
	mu       sync.Mutex
	messages map[string]string   // ts to text
	threads  map[string][]string // ts to the texts of its thread
	shown    int                 // replies that the channel shows too
	fail     []string            // errors of the next calls
	order    []string
}

func newChannel(t *testing.T) *channel {
	c := &channel{messages: map[string]string{}, threads: map[string][]string{}}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.mu.Lock()
		defer c.mu.Unlock()
		var m slackMessage
		if err := json.NewDecoder(r.Body).Decode(&m); err != nil || r.Header.Get("Authorization") != "Bearer xoxb-1" {
			t.Errorf("%v %v", err, r.Header)
		}
		answer := map[string]any{"ok": true, "channel": "C012AB3CD"}
		fail := ""
		if len(c.fail) > 0 {
			fail, c.fail = c.fail[0], c.fail[1:]
		}
		switch ts := fmt.Sprintf("1700000000.%06d", len(c.messages)+1); {
		case fail != "":
			answer = map[string]any{"ok": false, "error": fail}
		case strings.HasSuffix(r.URL.Path, "/chat.update"):
			if _, ok := c.messages[m.TS]; !ok || m.Channel != "C012AB3CD" {
				answer = map[string]any{"ok": false, "error": "message_not_found"}
				break
			}
			c.messages[m.TS], answer["ts"] = m.Text, m.TS
		case m.ThreadTS != "":
			c.threads[m.ThreadTS], answer["ts"] = append(c.threads[m.ThreadTS], m.Text), "1700000001.000001"
			if m.Broadcast {
				c.shown++
			}
		default:
			c.messages[ts], answer["ts"] = m.Text, ts
			c.order = append(c.order, ts)
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(c.Close)
	return c
}

// remembers is a Memory, as sent.Map.
type remembers map[string]Sent

func (m remembers) Get(_ context.Context, _, incident string) (Sent, error) { return m[incident], nil }
func (m remembers) Put(_ context.Context, _, incident string, s Sent) error {
	m[incident] = s
	return nil
}

func (c *channel) slack(t *testing.T, m Memory) *Slack {
	t.Helper()
	s, err := NewSlack("chat", c.URL, "xoxb-1", "#soc", m, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	s.client.limit = rate.NewLimiter(rate.Inf, 0)
	return s
}

func TestUpdateOfAnIncidentIsAnotherMessageInSlack(t *testing.T) {
	c, memory := newChannel(t), remembers{}
	pages := samplePages()
	pages[1].Level, pages[1].Was = schema.LevelTrip, schema.LevelAlert
	for i := range pages {
		s := c.slack(t, memory) // each after a restart
		for range 2 {           // and the process died before it had committed
			if err := s.Deliver(context.Background(), &pages[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(c.messages) != 1 || len(c.threads[c.order[0]]) != 3 || c.shown != 1 || !strings.HasPrefix(c.messages[c.order[0]], "RESOLVED") {
		t.Errorf("%d messages, threads %q, %d shown in the channel", len(c.messages), c.threads, c.shown)
	}
	// What is forgotten, or deleted in the channel, is a new message.
	other := pages[1]
	other.ID = "p_other"
	if err := c.slack(t, remembers{}).Deliver(context.Background(), &other); err != nil || len(c.messages) != 2 {
		t.Errorf("forgotten: %v, %d messages", err, len(c.messages))
	}
	delete(c.messages, c.order[0])
	if err := c.slack(t, memory).Deliver(context.Background(), &other); err != nil || memory["f_1"].TS == c.order[0] {
		t.Errorf("deleted: %v, %+v", err, memory)
	}
}

// Slack answers errors with the status 200.
func TestErrorOfSlackIsTakenForSuccess(t *testing.T) {
	c := newChannel(t)
	for code, want := range map[string]string{"invalid_auth": refusedAll, "token_revoked": refusedAll, "not_in_channel": refusedAll,
		"channel_not_found": refusedAll, "is_archived": refusedAll, "missing_scope": refusedAll, "msg_too_long": refused,
		"invalid_blocks": refused,
		"something_new":  refused, "ratelimited": again, "internal_error": again, "service_unavailable": again, "request_timeout": again} {
		c.fail = []string{code}
		err := c.slack(t, remembers{}).Deliver(context.Background(), &samplePages()[0])
		if got := outcome(err); got != want || !strings.Contains(err.Error(), code) {
			t.Errorf("%s: %s, want %s: %v", code, got, want, err)
		}
		var r *Refused
		if want == refusedAll && (!errors.As(err, &r) || !strings.Contains(err.Error(), "correct the token_file and the channel of chat")) {
			t.Errorf("%s: %v", code, err)
		}
	}
	if len(c.messages) != 0 {
		t.Errorf("%d messages", len(c.messages))
	}
	for _, list := range [][]string{slackAll, slackGone, slackRetry} {
		for _, code := range list {
			n := 0
			for _, other := range [][]string{slackAll, slackGone, slackRetry} {
				if slices.Contains(other, code) {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%s is in %d lists", code, n)
			}
		}
	}
}

// The message was edited and its thread was not told: the page is tried again, and the message is not posted twice.
func TestUpdateThatFailsInTheMiddle(t *testing.T) {
	c, memory := newChannel(t), remembers{}
	s, pages := c.slack(t, memory), samplePages()
	if err := s.Deliver(context.Background(), &pages[0]); err != nil {
		t.Fatal(err)
	}
	c.fail = []string{"", "internal_error"}
	if got := outcome(s.Deliver(context.Background(), &pages[1])); got != again {
		t.Error(got)
	}
	if err := s.Deliver(context.Background(), &pages[1]); err != nil || len(c.messages) != 1 || len(c.threads[c.order[0]]) != 1 {
		t.Errorf("%v, %d messages, threads %q", err, len(c.messages), c.threads)
	}
}

// fails is a Memory that cannot be written for some times.
type fails struct {
	remembers
	times int
}

func (m *fails) Put(ctx context.Context, receiver, incident string, s Sent) error {
	if m.times--; m.times >= 0 {
		return errors.New("the log is away")
	}
	return m.remembers.Put(ctx, receiver, incident, s)
}

func TestMessageIsPostedAgainWhileTheLogIsAway(t *testing.T) {
	c, memory := newChannel(t), &fails{remembers{}, 2}
	s := c.slack(t, memory)
	for i := range 3 {
		err := s.Deliver(context.Background(), &samplePages()[0])
		if (err == nil) != (i == 2) || err != nil && outcome(err) != again {
			t.Errorf("%d: %v", i, err)
		}
	}
	if len(c.messages) != 1 || memory.remembers["f_1"].TS != c.order[0] || len(s.unkept) != 0 {
		t.Errorf("%d messages, %+v", len(c.messages), memory)
	}
}

// A storm must not run into the limit of one message a second.
func TestRateLimitOfTheVendorIsIgnored(t *testing.T) {
	c := newChannel(t)
	s, err := NewSlack("chat", c.URL, "xoxb-1", "#soc", forgets{}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	var last error
	for i := range 10 {
		p := incident.Page{Incident: fmt.Sprint(i), ID: fmt.Sprint(i), Kind: incident.Opened}
		last = s.Deliver(ctx, &p)
	}
	if len(c.messages) != burst || outcome(last) != again || !strings.Contains(last.Error(), "rate limit") {
		t.Errorf("%d messages at once, %v", len(c.messages), last)
	}
}
