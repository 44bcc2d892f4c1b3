package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/alerts/incident"
	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
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
	Page     string          `json:"page_id,omitempty"`
	Record   string          `json:"record"` // partition/offset in flyball.events
}

// explainCommand decides again, from the log, what the role alert decided about a finding.
func explainCommand(o *options) *cobra.Command {
	l := listing[alertDecision]{query: explainAlerts, columns: []report.Column[alertDecision]{
		{Head: "RECEIVER", Cell: func(d *alertDecision) any { return d.Receiver }},
		{Head: "WRITTEN", Cell: func(d *alertDecision) any { return d.At.UTC().Format(time.DateTime) }},
		{Head: "EVENT", Cell: func(d *alertDecision) any { return d.Event }},
		{Head: "NOTIFIED", Cell: func(d *alertDecision) any { return map[bool]string{true: "yes", false: "no"}[d.Notified] }},
		{Head: "REASON", Cell: func(d *alertDecision) any { return d.Reason }},
		{Head: "INCIDENT", Cell: func(d *alertDecision) any { return report.Dash(d.Incident) }},
		{Head: "BECAUSE", Cell: func(d *alertDecision) any { return d.Meaning }},
	}}
	return &cobra.Command{Use: "explain FINDING", Args: cobra.ExactArgs(1), RunE: l.run(o),
		Short: "Show for each event of a finding or gate whether each receiver is notified, and why",
		Long: "Show for each event of a finding or gate whether each receiver is notified, and why. The decisions are made again from the\n" +
			"events that flyball.events still holds, with the routes and bounds of this configuration."}
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
	partitions, err := eventPartitions(r.ctx, clients)
	if err != nil {
		return nil, app.ExplainRefusal(err)
	}
	e := explainer{alerts: c.Alerts, bounds: c.Alerts.Grouping.Bounds().Share(partitions), term: r.args[0],
		folds: map[foldKey]*incident.Fold{}}
	if _, err := kafka.ReadToEnd(r.ctx, clients, "alert-explain", wire.EventsTopic, nil, e.record); err != nil {
		return nil, app.ExplainRefusal(err)
	}
	return e.result()
}

func eventPartitions(ctx context.Context, clients kafka.Config) (int, error) {
	admin, err := clients.NewClient("alert-explain-offsets")
	if err != nil {
		return 0, err
	}
	defer admin.Close()
	ends, err := kafka.EndOffsets(ctx, admin, wire.EventsTopic)
	return len(ends), err
}

type foldKey struct {
	receiver  string
	partition int32
}

// explainer decides about all events and keeps the decisions about one finding.
type explainer struct {
	alerts config.Alerts
	bounds incident.Bounds
	term   string // id of the finding or gate, or its beginning
	folds  map[foldKey]*incident.Fold
	found  []alertDecision
}

func (e *explainer) record(r *kgo.Record) error {
	event, err := wire.DecodeEvent(r.Value)
	if errors.Is(err, wire.ErrNewerVersion) {
		return fmt.Errorf("%s/%d at offset %d: %w", r.Topic, r.Partition, r.Offset, err)
	}
	if err != nil {
		return nil // the role alert skips it, too
	}
	id, what := subject(&event)
	named := id == e.term || len(e.term) >= schema.MinIDPrefix && strings.HasPrefix(id, e.term)
	for _, receiver := range e.alerts.Receivers {
		d := e.fold(receiver.Name, r.Partition).Decide(&event, r.Timestamp.UnixNano())
		if !named {
			continue
		}
		out := alertDecision{Receiver: receiver.Name, At: query.Time{Time: r.Timestamp}, Event: what, Finding: id, Notified: d.Page != nil,
			Reason: d.Reason, Meaning: d.Reason.Text(), Incident: d.Incident, Record: fmt.Sprintf("%d/%d", r.Partition, r.Offset)}
		if d.Page != nil {
			out.Page = d.Page.ID
		}
		e.found = append(e.found, out)
	}
	return nil
}

func (e *explainer) fold(receiver string, partition int32) *incident.Fold {
	key := foldKey{receiver, partition}
	f := e.folds[key]
	if f == nil {
		f = incident.NewFold(func(v *schema.Finding) bool { return e.alerts.Wants(receiver, v) })
		f.Bounds = e.bounds
		e.folds[key] = f
	}
	return f
}

// subject is the finding or gate that an event is about, and the event for people.
func subject(e *schema.Event) (id, what string) {
	switch {
	case e.Finding != nil:
		return e.Finding.ID, fmt.Sprintf("finding %s, %s", e.Finding.State, e.Finding.Level)
	case e.Gate != nil:
		return e.Gate.ID, "gate " + e.Gate.State.String()
	case e.Breaker != nil:
		return e.Breaker.FindingID, fmt.Sprintf("breaker %s, %s", e.Breaker.State, e.Breaker.Mode)
	}
	return "", ""
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
			wire.EventsTopic, report.Text(e.term), retention(wire.EventsTopic))
	case 1:
		slices.SortStableFunc(e.found, func(a, b alertDecision) int { return cmp.Compare(a.Receiver, b.Receiver) })
		return e.found, nil
	}
	return nil, usage(fmt.Errorf("%q names %d findings: %s", report.Text(e.term), len(ids),
		report.Text(strings.Join(ids[:min(len(ids), maxCandidates)], ", "))))
}
