package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/alerts/incident"
	"flyball/cmd/internal/app"
	"flyball/cmd/internal/report"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// alertDecision is whether a receiver is notified of an event about a finding or gate, and why.
type alertDecision struct {
	Receiver string          `json:"receiver"`
	At       query.Time      `json:"at"` // when the event was written
	Event    string          `json:"event"`
	Finding  string          `json:"finding_id"` // or gate
	Notified bool            `json:"notified"`
	Reason   incident.Reason `json:"reason"`
	Meaning  string          `json:"meaning"`
	Incident string          `json:"incident_id,omitempty"`
	Routes   []string        `json:"routes,omitempty"`     // that matched the finding
	Silence  string          `json:"silence_id,omitempty"` // in force, matches the finding
	Page     string          `json:"page_id,omitempty"`
	Record   string          `json:"record"` // partition/offset in flyball.alerts
	// Times is the number of events in a row with this decision, of which this is the first, and LastAt when the last one was written.
	Times  int        `json:"times"`
	LastAt query.Time `json:"last_at"`
	// Repeats is the number of records that repeat an event which the log has before: they decide nothing.
	Repeats int `json:"repeats,omitempty"`
}

// same reports whether two decisions about a finding say the same, and neither notified the receiver.
func (d *alertDecision) same(e *alertDecision) bool {
	return !d.Notified && !e.Notified && d.Event == e.Event && d.Reason == e.Reason && d.Incident == e.Incident && d.Silence == e.Silence &&
		slices.Equal(d.Routes, e.Routes)
}

var decisionColumns = []report.Column[alertDecision]{
	{Head: "RECEIVER", Cell: func(d *alertDecision) any { return d.Receiver }},
	{Head: "WRITTEN (UTC)", Cell: func(d *alertDecision) any { return report.When(d.At.Time) }},
	{Head: "EVENT", Cell: func(d *alertDecision) any { return report.Word(times(d.Event, d.Times)) }},
	{Head: "NOTIFIED", Cell: func(d *alertDecision) any { return map[bool]string{true: "yes", false: "no"}[d.Notified] }},
	{Head: "REASON??", Cell: func(d *alertDecision) any { return d.Reason }},
	{Head: "ROUTE??", Cell: func(d *alertDecision) any { return report.Dash(strings.Join(d.Routes, ", ")) }},
	{Head: "SILENCE??", Cell: func(d *alertDecision) any { return report.Dash(d.Silence) }},
	{Head: "INCIDENT???", Cell: func(d *alertDecision) any { return report.Dash(d.Incident) }},
	{Head: "BECAUSE", Cell: func(d *alertDecision) any { return report.Prose(d.Meaning) }},
}

// explainCommand decides again, from the log, what the role alert decided about a finding.
func explainCommand(o *options) *cobra.Command {
	l := listing[alertDecision]{query: explainAlerts, columns: decisionColumns}
	return &cobra.Command{Use: "explain FINDING", Args: cobra.ExactArgs(1), RunE: l.run(o),
		Short: "Show for each event of a finding or gate whether each receiver is notified, and why",
		Long: "Show for each event of a finding or gate whether each receiver is notified, and why: the route, the silence, the\n" +
			"acknowledgement. The decisions are made again from the events that flyball.alerts still holds, with the routes and\n" +
			"bounds of this configuration."}
}

// explainAlerts reads flyball.events from its start, because a decision depends on the events before.
func explainAlerts(r *request) ([]alertDecision, error) {
	c, err := r.fileConfig()
	if err != nil {
		return nil, err
	}
	if len(c.Alerts.Receivers) == 0 {
		return nil, errors.New("alerts.receivers is empty: nobody is notified of anything; name a receiver")
	}
	clients, err := app.ConnectKafka(r.ctx, c)
	if err != nil {
		return nil, err
	}
	e := explainer{term: r.args[0], folds: map[string]*incident.Fold{}, incidents: map[string]string{}, last: map[[2]string]int{}}
	registry := app.RegistryOf(c)
	for _, receiver := range c.Alerts.Receivers {
		e.receivers = append(e.receivers, receiver.Name)
		e.folds[receiver.Name] = app.NewFold(c, registry, "", receiver.Name)()
	}
	if _, err := kafka.ReadToEnd(r.ctx, clients, "alert-explain", wire.AlertsTopic, nil, e.record); err != nil {
		return nil, app.ExplainRefusal(err)
	}
	return e.result()
}

// explainer decides about all events and keeps the decisions about one finding.
type explainer struct {
	receivers []string
	term      string // id of the finding or gate, or its beginning
	folds     map[string]*incident.Fold
	incidents map[string]string // incidents of the findings in question, with the finding
	found     []alertDecision
	last      map[[2]string]int // index in found of the last decision, by receiver and finding
}

func (e *explainer) record(r *kgo.Record) error {
	event, err := wire.DecodeEvent(r.Value)
	if errors.Is(err, wire.ErrNewerVersion) {
		return fmt.Errorf("%s/%d at offset %d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	if err != nil {
		return nil // the role alert skips it, too
	}
	for _, receiver := range e.receivers {
		f := e.folds[receiver]
		for _, d := range f.Advance(r.Timestamp.UnixNano()) {
			e.add(r, receiver, "time passes", d, true)
		}
		d := f.Decide(&event, kafka.WrittenAt(r))
		what := describeEvent(&event)
		e.add(r, receiver, what, d, event.Ack != nil)
		for _, d := range d.Released {
			e.add(r, receiver, what, d, true)
		}
	}
	return nil
}

// add keeps a decision if it is about a finding in question; ofIncident: about the whole incident of one.
func (e *explainer) add(r *kgo.Record, receiver, what string, d incident.Decision, ofIncident bool) {
	id := d.Subject
	switch {
	case id == e.term || len(e.term) >= schema.MinIDPrefix && strings.HasPrefix(id, e.term):
		if d.Incident != "" {
			e.incidents[d.Incident] = id
		}
	case ofIncident && e.incidents[d.Incident] != "":
		id = e.incidents[d.Incident]
	default:
		return
	}
	out := alertDecision{Receiver: receiver, At: query.Time{Time: time.Unix(0, kafka.WrittenAt(r)).UTC()}, Event: what, Finding: id,
		Notified: d.Page != nil && !kafka.IsOld(r), Reason: d.Reason, Meaning: d.Reason.Text(), Incident: d.Incident, Routes: d.Routes,
		Silence: d.Silence, Record: fmt.Sprintf("%d/%d", r.Partition, r.Offset)}
	if d.Page != nil {
		out.Page = d.Page.ID
	}
	e.keep(&out)
}

// keep adds a decision, or counts it with the one before: a run has a version of its finding for each call that changes it, and events are
// written at least once.
func (e *explainer) keep(d *alertDecision) {
	key := [2]string{d.Receiver, d.Finding}
	i, has := e.last[key]
	switch {
	case has && d.Reason == incident.AlreadyApplied:
		e.found[i].Repeats++
	case has && e.found[i].same(d):
		e.found[i].Times++
		e.found[i].LastAt = d.At
	default:
		d.Times, d.LastAt = 1, d.At
		e.last[key] = len(e.found)
		e.found = append(e.found, *d)
	}
}

// times returns a text with how often it is so, if that is more than once.
func times(text string, n int) string {
	if n < 2 {
		return text
	}
	return fmt.Sprintf("%s (%d times)", text, n)
}

// describeEvent describes an event for people.
func describeEvent(e *schema.Event) string {
	switch {
	case e.Finding != nil:
		return fmt.Sprintf("finding %s, %s", e.Finding.State, e.Finding.Level)
	case e.Gate != nil:
		return "gate " + e.Gate.State.String()
	case e.Breaker != nil:
		return fmt.Sprintf("breaker %s, %s", e.Breaker.State, e.Breaker.Mode)
	case e.Ack != nil && e.Ack.Undone:
		return "acknowledgement taken back by " + e.Ack.By
	case e.Ack != nil:
		return "acknowledgement by " + e.Ack.By
	case e.Silence != nil && e.Silence.EndedBy != "":
		return "silence ended by " + e.Silence.EndedBy
	case e.Silence != nil:
		return "silence by " + e.Silence.By
	}
	return ""
}

// result returns the decisions about the one finding that the term names, receiver by receiver.
func (e *explainer) result() ([]alertDecision, error) {
	var ids []string
	for i := range e.found {
		if id := e.found[i].Finding; !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if slices.Contains(ids, e.term) { // the whole id of one is the beginning of another
		e.found = slices.DeleteFunc(e.found, func(d alertDecision) bool { return d.Finding != e.term })
		ids = []string{e.term}
	}
	switch len(ids) {
	case 0:
		return nil, fmt.Errorf("no event of %s is about %q; events are kept for %s, and `flyball findings` lists the findings",
			wire.AlertsTopic, report.Text(e.term), keptFor(wire.AlertsTopic))
	case 1:
		slices.SortStableFunc(e.found, func(a, b alertDecision) int { return cmp.Compare(a.Receiver, b.Receiver) })
		return e.found, nil
	}
	return nil, usage(fmt.Errorf("%q names %d findings: %s", report.Text(e.term), len(ids),
		report.Text(strings.Join(ids[:min(len(ids), maxCandidates)], ", "))))
}
