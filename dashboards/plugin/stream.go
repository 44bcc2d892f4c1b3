package plugin

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	grafanalive "github.com/grafana/grafana-plugin-sdk-go/live"

	"flyball/schema"
)

// A panel that is live reads a channel of Grafana, ds/UID/runs or ds/UID/trips, with what is asked about after it. One stream serves all
// that listen to a channel: its name says all that the rows depend on beside the data source. Every message is the whole table, at most
// maxLiveRows rows, so that one that is lost takes nothing with it.

const (
	// pollEvery is the time between two questions of a stream, refreshEvery that between two that read all of its rows again: a run that
	// ends, and a row that was stored late, is not among the newest.
	pollEvery    = 2 * time.Second
	refreshEvery = 30 * time.Second
	// maxPause is the longest time between two questions while the database gives no answer.
	maxPause = 30 * time.Second
	// liveWindow is how old rows are that a stream begins with.
	liveWindow  = time.Hour
	maxLiveRows = 100
	// maxStreams is the maximum number of streams of a data source: users choose what channels are about.
	maxStreams = 50
)

// liveKinds are the streams, by the type of query that they are rows of.
var liveKinds = map[string]string{"runs": "runs", "breakers": "trips"}

// liveName is what a channel is about. As text it is the end of the channel's name.
type liveName struct {
	Agent    string   `json:"a,omitempty"`
	Tenant   string   `json:"t,omitempty"`
	MinLevel string   `json:"l,omitempty"`
	Filters  []Filter `json:"f,omitempty"`
}

// channelOf returns the path of the channel for a query; an error says why there is none.
func channelOf(q *Query) (string, error) {
	kind, ok := liveKinds[q.Type]
	if !ok {
		return "", invalidf("live: %s is not live, only runs and breakers are", q.Type)
	}
	if q.Run != "" {
		return "", invalidf("live: one run is not live: this is the state of now")
	}
	if slices.ContainsFunc(q.Filters, func(f Filter) bool { return f.Key == "owner" }) {
		return "", invalidf("live: a filter on owner is not live: this is the state of now")
	}
	name := liveName{Agent: q.Agent, Tenant: q.Tenant, Filters: q.Filters}
	if q.Type == "runs" {
		name.MinLevel = q.MinLevel
	}
	text, err := json.Marshal(&name)
	if err != nil || string(text) == "{}" {
		return kind, err
	}
	return kind + "/" + base64.RawURLEncoding.EncodeToString(text), nil
}

// queryOf returns the query that a path of a channel is about. It has one path only.
func queryOf(path string) (*Query, error) {
	unknown := invalidf("live: %.40q is no channel: it begins with runs or trips", path)
	kind, encoded, named := strings.Cut(path, "/")
	q := &Query{State: "trips"}
	for typ, of := range liveKinds {
		if of == kind {
			q.Type = typ
		}
	}
	if q.Type == "runs" {
		q.State, q.Sort = "", "latest"
	}
	var name liveName
	text, err := base64.RawURLEncoding.DecodeString(encoded)
	if q.Type == "" || err != nil || named && json.Unmarshal(text, &name) != nil {
		return nil, unknown
	}
	q.Agent, q.Tenant, q.MinLevel, q.Filters = name.Agent, name.Tenant, name.MinLevel, name.Filters
	if again, err := channelOf(q); err != nil || again != path {
		return nil, unknown
	}
	q.Limit = maxLiveRows
	return q, q.validate()
}

// goLive names the channel of a query that asked for it in the first frame.
func (d *Datasource) goLive(asked *Query, frames data.Frames) {
	if !asked.Live || len(frames) == 0 {
		return
	}
	path, err := channelOf(asked)
	channel := grafanalive.Channel{Scope: grafanalive.ScopeDatasource, Namespace: d.uid, Path: path}
	if _, invalid := grafanalive.ParseChannel(channel.String()); err == nil && invalid != nil {
		err = invalidf("live: the names and filters are too long for the name of a channel: this is the state of now")
	}
	if err == nil {
		_, err = queryOf(path) // a name that is not UTF-8 has no channel
	}
	if err != nil {
		frames[0].AppendNotices(data.Notice{Severity: data.NoticeSeverityWarning, Text: schema.Visible(err.Error())})
		return
	}
	if frames[0].Meta == nil {
		frames[0].Meta = &data.FrameMeta{}
	}
	frames[0].Meta.Channel = channel.String()
}

// SubscribeStream decides whether a user may listen to a channel. Each user who joins is asked about.
func (d *Datasource) SubscribeStream(_ context.Context, req *backend.SubscribeStreamRequest) (*backend.SubscribeStreamResponse, error) {
	out := &backend.SubscribeStreamResponse{Status: backend.SubscribeStreamStatusOK}
	switch user := req.PluginContext.User; {
	case user == nil || d.refuseQuery(user) != nil:
		out.Status = backend.SubscribeStreamStatusPermissionDenied
	case d.checkChannel(req.Path) != nil:
		out.Status = backend.SubscribeStreamStatusNotFound
	}
	return out, nil
}

// checkChannel returns an error if a path is no channel of this data source.
func (d *Datasource) checkChannel(path string) error {
	q, err := queryOf(path)
	if err != nil {
		return err
	}
	return (&question{Query: *q, db: d.db, tenant: d.tenant}).bind()
}

// PublishStream refuses: nobody writes into a channel.
func (d *Datasource) PublishStream(context.Context, *backend.PublishStreamRequest) (*backend.PublishStreamResponse, error) {
	return &backend.PublishStreamResponse{Status: backend.PublishStreamStatusPermissionDenied}, nil
}

// RunStream sends the rows of a channel until nobody listens: Grafana then ends the context.
func (d *Datasource) RunStream(ctx context.Context, req *backend.RunStreamRequest, sender *backend.StreamSender) error {
	if user := req.PluginContext.User; d.wrong != nil || user != nil && d.refuseQuery(user) != nil {
		return fmt.Errorf("live: the settings of the data source do not allow it")
	}
	q, err := queryOf(req.Path)
	if err != nil {
		return err
	}
	asked := &question{Query: *q, db: d.db, tenant: d.tenant, control: d.control}
	if err := asked.bind(); err != nil {
		return err
	}
	if d.streams.Add(1) > maxStreams {
		d.streams.Add(-1)
		return fmt.Errorf("live: %d channels of this data source are open, which is the maximum: close a dashboard", maxStreams)
	}
	defer d.streams.Add(-1)
	switch q.Type {
	case "runs":
		return follow(ctx, asked, sender, liveRuns)
	default:
		return follow(ctx, asked, sender, liveTrips)
	}
}

// follow polls the rows of a stream and sends their table when it has changed.
func follow[T any](ctx context.Context, q *question, sender *backend.StreamSender, of liveRows[T]) error {
	var rows []T
	var newest, refreshed time.Time
	var sent []byte
	pause := pollEvery
	for {
		q.now = time.Now()
		q.from, q.to = q.now.Add(-liveWindow), time.Time{}
		whole := q.now.Sub(refreshed) >= refreshEvery
		if !whole {
			q.from = newest
		}
		more, err := of.read(ctx, q)
		if ctx.Err() != nil {
			return nil
		}
		pause = min(2*pause, maxPause)
		if err == nil {
			pause = pollEvery
			if rows, newest = of.merge(rows, more, whole, q.now); whole {
				refreshed = q.now
			}
		}
		frame := of.frame(rows, maxLiveRows)
		if err != nil {
			refreshed = time.Time{}
			frame.AppendNotices(data.Notice{Severity: data.NoticeSeverityWarning, Text: "Not live at present: " + schema.Visible(err.Error())})
		}
		removeEmptyTables(data.Frames{frame})
		text, err := data.FrameToJSON(frame, data.IncludeAll)
		if err != nil {
			return err
		}
		if !bytes.Equal(text, sent) {
			if err := sender.SendBytes(text); err != nil {
				return err
			}
			sent = text
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
	}
}
