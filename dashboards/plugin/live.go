package plugin

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema"
	"flyball/schema/bypass"
	"flyball/schema/clickhouse/query"
)

// The tables hold no present state of processes. What is asked of the control API for a query, if the settings name one, is here.

// liveTimeout bounds one question to the control API: a panel must not wait long for it.
const liveTimeout = 3 * time.Second

// process is what the process behind the control API answers about itself and about the readers of the deployment.
type process struct {
	// FalseTrips is the accepted number of clean runs in 1,000 that are tripped; nil: the process does not run detect.
	FalseTrips *float64 `json:"false_trips_per_1000"`
	Lag        struct {
		Error   string
		Readers []readerLag
	}
}

// readerLag is the lag of one reader in one topic.
type readerLag struct {
	Reader, Topic string
	Records       int64
	Seconds       float64 // how long the oldest record has waited
	Error         string  // why it is not known
}

// enforcement is what the control API answers about points.
type enforcement struct {
	Point       string
	Stale       bool
	StaleReason string `json:"stale_reason"`
	Points      []livePoint
	Bypasses    []struct {
		Agent      string // empty: the tenant
		Until      time.Time
		By, Reason string
	}
}

// livePoint is an enforcement point and how far it is behind the log.
type livePoint struct {
	Point string
	LagMS int64 `json:"lag_ms"`
}

// errNoControl is the error of a question to the control API if the settings name none.
var errNoControl = errors.New("this is read from the control API: set controlUrl in the settings of the data source")

// live asks the control API.
func live[T any](ctx context.Context, q *question, path string) (out T, err error) {
	if q.control == nil {
		return out, errNoControl
	}
	ctx, cancel := context.WithTimeout(ctx, liveTimeout)
	defer cancel()
	return out, q.control.request(ctx, nil, http.MethodGet, path, nil, &out)
}

// lags returns the lag of every reader.
func lags(ctx context.Context, q *question) ([]readerLag, error) {
	p, err := live[process](ctx, q, "/v1/process")
	if err == nil && p.Lag.Error != "" {
		err = refused(http.StatusBadGateway, "lag", "the lag of the readers is not known: %s", schema.Visible(p.Lag.Error))
	}
	return p.Lag.Readers, err
}

// countLag returns the longest wait in seconds, rounded up, by reader or of all. A reader whose lag is not known is an error: an alert
// rule would take it for none.
func countLag(ctx context.Context, q *question) (map[string]uint64, error) {
	readers, err := lags(ctx, q)
	out := map[string]uint64{}
	for _, r := range readers {
		if r.Error != "" {
			return nil, refused(http.StatusBadGateway, "lag", "the lag of %s in topic %s is not known: %s", r.Reader, r.Topic,
				schema.Visible(r.Error))
		}
		name := ""
		if q.By == "reader" {
			name = r.Reader
		}
		out[name] = max(out[name], uint64(math.Ceil(max(r.Seconds, 0))))
	}
	return out, err
}

// staleAfter is how far another point may be behind the log. Each writes how far it is once a second.
const staleAfter = 30 * time.Second

// stalePoints returns the points that do not follow the log, with why. A point that has written nothing for ten minutes counts as
// stopped and is not known any more.
func stalePoints(e *enforcement) map[string]string {
	out := map[string]string{}
	for _, p := range e.Points {
		if behind := time.Duration(p.LagMS) * time.Millisecond; p.Point != e.Point && behind > staleAfter {
			out[p.Point] = fmt.Sprintf("it is %s behind the log, or was stopped less than ten minutes ago", behind.Round(time.Second))
		}
	}
	if e.Stale {
		out[e.Point] = e.StaleReason
		if e.StaleReason == "" {
			out[e.Point] = "no record of the command log arrives: its last state holds"
		}
	}
	return out
}

func countStale(ctx context.Context, q *question) (map[string]uint64, error) {
	e, err := live[enforcement](ctx, q, "/v1/status")
	out := map[string]uint64{}
	for name := range stalePoints(&e) {
		if q.By != "point" {
			name = ""
		}
		out[name]++
	}
	return out, err
}

func countBypasses(ctx context.Context, q *question) (map[string]uint64, error) {
	e, err := live[enforcement](ctx, q, "/v1/status")
	return map[string]uint64{"": uint64(len(e.Bypasses))}, err
}

// countOverBudget returns how many runs that reached trip and were judged benign or not at all lie above twice the nominal rate of the
// runs that ended.
func countOverBudget(ctx context.Context, q *question) (map[string]uint64, error) {
	p, err := live[process](ctx, q, "/v1/process")
	if err == nil && p.FalseTrips == nil {
		err = refused(http.StatusBadGateway, "nominal", "the process at controlUrl does not run detect, so the nominal rate is not known")
	}
	if err != nil {
		return nil, err
	}
	rows, err := query.AchievedRates(ctx, q.db, q.from, q.to)
	over := 0.0
	for _, j := range rows {
		if j.Level == schema.LevelTrip.String() {
			over = float64(j.Benign+j.Unjudged) - 2**p.FalseTrips*float64(j.Runs)/1000
		}
	}
	return map[string]uint64{"": uint64(max(over, 0))}, err
}

// nominalOf returns the nominal rate of a level in 1,000 clean runs; nil: not known.
func nominalOf(j *query.Judged, p *process) *float64 {
	if j.Level != schema.LevelTrip.String() {
		return nil
	}
	return p.FalseTrips
}

// partOfReader returns the part of Flyball whose health a reader belongs to.
func partOfReader(reader string) string {
	switch {
	case reader == "ingest":
		return "ingest"
	case strings.HasPrefix(reader, "store"):
		return "store"
	}
	return "detect" // and the receivers of its pages
}

// lateSeconds is the lag from which a reader is late.
const lateSeconds = 60

// liveHealth returns the lines about a part that the control API knows; without a control API there are none.
func liveHealth(ctx context.Context, q *question, part string) []healthLine {
	var lines []healthLine
	var err error
	switch part {
	case "ingest", "detect", "store":
		lines, err = lagHealth(ctx, q, part)
	case "breakers":
		lines, err = pointHealth(ctx, q)
	case "bypass":
		if q.Part == "" {
			lines, err = bypassesInForce(ctx, q)
		}
	}
	if err != nil && !errors.Is(err, errNoControl) {
		return []healthLine{{what: "what the control API knows", state: "unknown", todo: err.Error()}}
	}
	return lines
}

func lagHealth(ctx context.Context, q *question, part string) (out []healthLine, err error) {
	readers, err := lags(ctx, q)
	for _, r := range readers {
		if partOfReader(r.Reader) != part {
			continue
		}
		l := healthLine{what: "lag of " + r.Reader + " in " + r.Topic, value: figure(r.Seconds), unit: "s"}
		l.state, l.todo = judge(r.Seconds < lateSeconds, fmt.Sprintf("%d records wait: flyball status shows whether the role runs", r.Records))
		if r.Error != "" {
			l.value, l.state, l.todo = nil, "unknown", r.Error
		}
		out = append(out, l)
	}
	return out, err
}

func pointHealth(ctx context.Context, q *question) (out []healthLine, err error) {
	e, err := live[enforcement](ctx, q, "/v1/status")
	stale := stalePoints(&e)
	for _, p := range e.Points {
		l := healthLine{what: "enforcement point " + p.Point + " behind the log", value: figure(float64(p.LagMS) / 1000), unit: "s"}
		why, is := stale[p.Point]
		l.state, l.todo = judge(!is, why)
		out = append(out, l)
	}
	return out, err
}

func bypassesInForce(ctx context.Context, q *question) (out []healthLine, err error) {
	e, err := live[enforcement](ctx, q, "/v1/status")
	for _, b := range e.Bypasses {
		what, todo := "of the whole tenant", "nothing is refused: end it here, or use flyball bypass end"
		if b.Agent != "" {
			what, todo = "of agent "+b.Agent, "nothing of it is refused: use flyball bypass end --agent "+b.Agent
		}
		reason, _, _ := bypass.Length(b.Reason)
		minutes := math.Ceil(max(b.Until.Sub(q.now), 0).Minutes())
		out = append(out, healthLine{what: fmt.Sprintf("%s, by %s: %s", what, b.By, reason), value: figure(minutes), unit: "min left",
			state: "look", todo: todo})
	}
	return out, err
}

// notKnown adds a notice to the first frame if what the control API would have said is not known. The rest of the answer holds.
func notKnown(frames data.Frames, what string, err error) data.Frames {
	if err != nil && !errors.Is(err, errNoControl) {
		frames[0].AppendNotices(data.Notice{Severity: data.NoticeSeverityWarning, Text: what + ": " + schema.Visible(err.Error())})
	}
	return frames
}
