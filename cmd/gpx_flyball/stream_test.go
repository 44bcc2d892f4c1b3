package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/dashboards/plugin"
	"flyball/detect/enforce/breaker"
	"flyball/schema"
	"flyball/schema/clickhouse"
)

// liveSource makes a data source of a store behind an address, bound to a tenant if it is not empty.
func (s *store) liveSource(addr, tenant string, roles map[string]string) *plugin.Datasource {
	s.t.Helper()
	settings, _ := json.Marshal(map[string]any{"addr": addr, "database": s.conn.Database(), "tenant": tenant, "roles": roles})
	instance, err := plugin.New(s.t.Context(), backend.DataSourceInstanceSettings{UID: "u", JSONData: settings})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(instance.(*plugin.Datasource).Dispose)
	return instance.(*plugin.Datasource)
}

func seenBy(role string) backend.PluginContext {
	return backend.PluginContext{User: &backend.User{Login: "alice", Role: role}}
}

// sendFunc takes the messages of a stream.
type sendFunc func(*backend.StreamPacket) error

func (f sendFunc) Send(p *backend.StreamPacket) error { return f(p) }

// listener is a channel that somebody listens to.
type listener struct {
	t      *testing.T
	frames chan *data.Frame
	ended  chan error
	stop   context.CancelFunc
}

func listen(t *testing.T, d *plugin.Datasource, path string) *listener {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l := &listener{t, make(chan *data.Frame, 100), make(chan error, 1), stop}
	sender := backend.NewStreamSender(sendFunc(func(p *backend.StreamPacket) error {
		var f data.Frame
		if err := json.Unmarshal(p.Data, &f); err != nil {
			t.Error(err)
		}
		l.frames <- &f
		return nil
	}))
	go func() {
		l.ended <- d.RunStream(ctx, &backend.RunStreamRequest{PluginContext: seenBy("Viewer"), Path: path}, sender)
	}()
	t.Cleanup(func() {
		stop()
		<-l.ended
	})
	return l
}

// until returns the first message for which a condition holds.
func (l *listener) until(what string, holds func(*data.Frame) bool) *data.Frame {
	l.t.Helper()
	late, seen := time.After(60*time.Second), data.NewFrame("none")
	for {
		select {
		case seen = <-l.frames:
			if holds(seen) {
				return seen
			}
		case err := <-l.ended:
			l.ended <- err
			l.t.Fatalf("%s: the stream has ended: %v", what, err)
		case <-late:
			text, _ := seen.StringTable(-1, -1)
			l.t.Fatalf("%s: no message says so: %s", what, text)
		}
	}
}

func hasAgents(agents string) func(*data.Frame) bool {
	return func(f *data.Frame) bool { return strings.Join(column(f, "agent"), " ") == agents }
}

func TestLivePanelMissesARunOrATrip(t *testing.T) {
	s := newStore(t)
	s.at = time.Now().Add(-10 * time.Second)
	s.deletes("acme", "team/a", 1, schema.LevelNone, ok)
	d := s.liveSource(s.addr, "", nil)
	answer := s.frames(plugin.Query{Type: "runs", Live: true})[0]
	if answer.Meta.Channel != "ds/u/runs" {
		t.Errorf("channel %q", answer.Meta.Channel)
	}
	runs, trips := listen(t, d, "runs"), listen(t, d, "trips")
	first := runs.until("the run that is there", hasAgents("team/a"))
	if len(first.Fields) != len(answer.Fields) {
		t.Errorf("the channel has %d columns, the answer %d", len(first.Fields), len(answer.Fields))
	}
	trips.until("nothing is tripped", func(f *data.Frame) bool { return f.Rows() == 0 })
	s.at = time.Now()
	s.deletes("acme", "team/b", 2, schema.LevelTrip, ok, denied)
	f := runs.until("the run that began", hasAgents("team/b team/a"))
	same(t, "denied", column(f, "denied"), "1", "0")
	l := &breakerLog{State: breaker.New(breaker.DefaultBudget()), at: time.Now()}
	l.apply(0, trip(2, "team/b", schema.ModeArmed, time.Hour))
	l.apply(0, trip(1, "team/a", schema.ModeObserve, time.Hour))
	b := clickhouse.BreakersTable.NewBlock()
	for i := range l.stored {
		b.Append(&l.stored[i])
	}
	s.insert(b)
	trips.until("the trip that is enforced", hasAgents("team/b"))
}

// A run that ends has no call that says so.
func TestLivePanelShowsAnEndedRunAsOpen(t *testing.T) {
	s := newStore(t)
	s.at = time.Now().Add(-2 * time.Minute)
	s.deletes("acme", "team/a", 1, schema.LevelNone, ok)
	s.at = time.Now()
	s.deletes("acme", "team/b", 2, schema.LevelNone, ok)
	runs := listen(t, s.liveSource(s.addr, "", nil), "runs")
	runs.until("neither has ended", func(f *data.Frame) bool { return strings.Join(column(f, "state"), " ") == "unknown unknown" })
	s.run("ALTER TABLE {db}.runs_v5 UPDATE state = 'closed' WHERE agent_id = 'team/a' SETTINGS mutations_sync = 1")
	runs.until("one has ended", func(f *data.Frame) bool { return strings.Join(column(f, "state"), " ") == "unknown closed" })
}

// nameOf returns the path of the channel about something, as a client can make it up.
func nameOf(kind string, about map[string]any) string {
	text, _ := json.Marshal(about)
	return kind + "/" + base64.RawURLEncoding.EncodeToString(text)
}

func TestLivePanelShowsAnotherTenantOrAgent(t *testing.T) {
	s := newStore(t)
	s.at = time.Now().Add(-10 * time.Second)
	s.deletes("rival", "team/secret", 1, schema.LevelTrip, ok)
	s.deletes("acme", "team/a", 2, schema.LevelTrip, ok)
	s.deletes("acme", "team/b", 3, schema.LevelNone, ok)
	bound := s.liveSource(s.addr, "acme", nil)
	listen(t, bound, "runs").until("own runs", hasAgents("team/a team/b"))
	listen(t, s.liveSource(s.addr, "", nil), nameOf("runs", map[string]any{"t": "rival"})).until("of a tenant", hasAgents("team/secret"))
	for q, want := range map[*plugin.Query]string{
		{Type: "runs", Agent: "team/a", Live: true}:                                                         "team/a",
		{Type: "runs", MinLevel: "alert", Live: true}:                                                       "team/a",
		{Type: "runs", Agent: "$__all", Live: true}:                                                         "team/a team/b",
		{Type: "runs", Agent: "${agent:x}", Live: true}:                                                     "",
		{Type: "runs", Live: true, Filters: []plugin.Filter{{Key: "agent", Operator: "!~", Value: ".*/a"}}}: "team/b",
	} {
		r := s.ask("acme", *q)
		if r.Error != nil {
			t.Fatal(r.Error)
		}
		_, path, _ := strings.Cut(r.Frames[0].Meta.Channel, "ds/u/")
		listen(t, bound, path).until(path, func(f *data.Frame) bool {
			return want == "" && f.Rows() == 0 || strings.Join(column(f, "agent"), " ") == want
		})
	}
	long := s.ask("acme", plugin.Query{Type: "runs", Agent: strings.Repeat("a", 150), Live: true})
	if f := long.Frames[0]; f.Meta.Channel != "" || !strings.Contains(f.Meta.Notices[len(f.Meta.Notices)-1].Text, "too long") {
		t.Errorf("%+v", f.Meta)
	}
	if r := s.ask("", plugin.Query{Type: "agents", Live: true}); r.Error != nil || r.Frames[0].Meta.Channel != "" ||
		!strings.Contains(r.Frames[0].Meta.Notices[0].Text, "only runs and breakers are") {
		t.Errorf("%+v", r)
	}
}

func TestWhoMaySeeNothingListens(t *testing.T) {
	s := newStore(t)
	open, bound := s.liveSource(s.addr, "", nil), s.liveSource(s.addr, "acme", map[string]string{"Viewer": "none"})
	wrong, _ := plugin.New(t.Context(), backend.DataSourceInstanceSettings{JSONData: []byte(`{"addr":"x"}`)})
	const yes, unknown = backend.SubscribeStreamStatusOK, backend.SubscribeStreamStatusNotFound
	const no = backend.SubscribeStreamStatusPermissionDenied
	for _, tc := range []struct {
		d    *plugin.Datasource
		who  backend.PluginContext
		path string
		want backend.SubscribeStreamStatus
	}{
		{open, seenBy("Viewer"), "runs", yes}, {open, seenBy("Viewer"), "trips", yes}, {open, backend.PluginContext{}, "runs", no},
		{bound, seenBy("Viewer"), "runs", no}, {bound, seenBy(""), "runs", no}, {bound, seenBy("Editor"), "runs", yes},
		{wrong.(*plugin.Datasource), seenBy("Admin"), "runs", no},
		{bound, seenBy("Editor"), nameOf("runs", map[string]any{"t": "rival"}), unknown},
		{bound, seenBy("Editor"), nameOf("trips", map[string]any{"t": "acme"}), yes},
		{open, seenBy("Editor"), nameOf("trips", map[string]any{"l": "trip"}), unknown},
		{open, seenBy("Editor"), nameOf("runs", map[string]any{"l": "worst"}), unknown},
		{open, seenBy("Editor"), nameOf("runs", map[string]any{"a": "", "t": "x"}), unknown}, // two names of one channel
		{open, seenBy("Editor"), nameOf("runs", map[string]any{}), unknown}, {open, seenBy("Editor"), "runs/", unknown},
		{open, seenBy("Editor"), "runs/!", unknown}, {open, seenBy("Editor"), "", unknown}, {open, seenBy("Editor"), "../runs", unknown},
		{open, seenBy("Editor"), "secrets", unknown}, {open, seenBy("Editor"), "runs/" + strings.Repeat("A", 1<<20), unknown},
	} {
		got, err := tc.d.SubscribeStream(t.Context(), &backend.SubscribeStreamRequest{PluginContext: tc.who, Path: tc.path})
		if err != nil || got.Status != tc.want {
			t.Errorf("%+v %.60q: %v %v, want %v", tc.who.User, tc.path, got, err, tc.want)
		}
		if tc.want == yes || tc.who.User == nil { // a stream goes on after its first listener
			continue
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Second)
		if err := tc.d.RunStream(ctx, &backend.RunStreamRequest{PluginContext: tc.who, Path: tc.path}, nil); err == nil {
			t.Errorf("%+v %.60q: it runs", tc.who.User, tc.path)
		}
		stop()
	}
	got, err := open.PublishStream(t.Context(), &backend.PublishStreamRequest{PluginContext: seenBy("Admin"), Path: "runs", Data: []byte(`{}`)})
	if err != nil || got.Status != backend.PublishStreamStatusPermissionDenied {
		t.Errorf("%v %v", got, err)
	}
}

// A stream that nobody listens to asks nothing any more; while the database is away the rows stay, with a sentence.
func TestStreamGoesOnWithoutListenersOrDatabase(t *testing.T) {
	s := newStore(t)
	s.at = time.Now().Add(-10 * time.Second)
	s.deletes("acme", "team/a", 1, schema.LevelNone, ok)
	var asked atomic.Int64
	var away atomic.Bool
	engine := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: s.addr})
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if away.Load() {
			panic(http.ErrAbortHandler)
		}
		engine.ServeHTTP(w, r)
	}))
	t.Cleanup(proxy.Close)
	l := listen(t, s.liveSource(strings.TrimPrefix(proxy.URL, "http://"), "", nil), "runs")
	l.until("the run", hasAgents("team/a"))
	away.Store(true)
	f := l.until("away", func(f *data.Frame) bool { return f.Meta != nil && len(f.Meta.Notices) > 0 })
	if !strings.Contains(f.Meta.Notices[0].Text, "Not live at present") || !hasAgents("team/a")(f) {
		t.Errorf("%+v", f.Meta)
	}
	away.Store(false)
	l.until("back", func(f *data.Frame) bool { return f.Meta == nil || len(f.Meta.Notices) == 0 })
	l.stop()
	err := <-l.ended
	l.ended <- err
	before := asked.Load()
	time.Sleep(3 * time.Second)
	if err != nil || asked.Load() != before {
		t.Errorf("%v; %d questions after the end", err, asked.Load()-before)
	}
}

// Users choose what channels are about: their number has a maximum.
func TestChannelsWithoutNumberLoadTheDatabase(t *testing.T) {
	s := newStore(t)
	d := s.liveSource("127.0.0.1:1", "", nil)
	var all []*listener
	for i := range 50 {
		all = append(all, listen(t, d, nameOf("runs", map[string]any{"a": strings.Repeat("x", i+1)})))
	}
	for _, l := range all {
		l.until("away", func(f *data.Frame) bool { return len(f.Meta.Notices) > 0 })
	}
	err := d.RunStream(t.Context(), &backend.RunStreamRequest{PluginContext: seenBy("Viewer"), Path: "trips"}, nil)
	if err == nil || !strings.Contains(err.Error(), "50 channels of this data source are open") {
		t.Error(err)
	}
	all[0].stop()
	all[0].ended <- <-all[0].ended
	listen(t, d, "trips").until("one has ended", func(f *data.Frame) bool { return len(f.Meta.Notices) > 0 })
}
