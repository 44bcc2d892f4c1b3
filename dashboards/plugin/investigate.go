package plugin

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema/clickhouse/query"
	"flyball/schema/wording"
)

func answerScore(ctx context.Context, q *question) (data.Frames, error) {
	run, err := newestRun(ctx, q)
	if err != nil {
		return nil, err
	}
	points, err := query.ScoreOfRun(ctx, q.db, &run, maxPoints)
	if err != nil {
		return nil, err
	}
	return scoreFrames(run.RunID, points), nil
}

// contribution is what a feature contributes to a score.
type contribution struct {
	feature                        string
	observed, usual, peers, humans *float64
}

// scoreFrames returns the line of the score, and the contributions to its highest value.
func scoreFrames(run string, points []query.ScorePoint) data.Frames {
	if len(points) == 0 { // a frame with fields would draw the table of contributions without its sentence
		return emptyFrame("score", "The run has no score: nothing about it was unusual.")
	}
	type row = query.ScorePoint
	line := frame("score", data.VisTypeGraph, points, len(points),
		moment("time", func(p *row) time.Time { return p.At }),
		number("score", func(p *row) float64 { return p.Value }).inUnit("", 1).describedAs(aboutScore))
	line.Fields[1].Labels = data.Labels{"run": run}
	line.Meta.Type, line.Meta.TypeVersion = data.FrameTypeTimeSeriesWide, data.FrameTypeVersion{0, 1}
	worst := slices.MaxFunc(points, func(a, b row) int { return cmp.Compare(a.Value, b.Value) })
	rows := make([]contribution, len(worst.Features))
	for i, name := range worst.Features {
		rows[i] = contribution{wording.FeatureOf(name).Text, at(worst.Observed, i), at(worst.Usual, i), at(worst.Peers, i), at(worst.Humans, i)}
	}
	return data.Frames{line, table("contributions", rows, len(rows), "",
		text("feature", func(c *contribution) string { return c.feature }),
		optional("observed", func(c *contribution) *float64 { return c.observed }).inUnit("", 2),
		optional("usual", func(c *contribution) *float64 { return c.usual }).inUnit("", 2).describedAs("in the agent's own past"),
		optional("peers", func(c *contribution) *float64 { return c.peers }).inUnit("", 2),
		optional("humans", func(c *contribution) *float64 { return c.humans }).inUnit("", 2),
	)}
}

// at returns a value of a list; nil: it is not there.
func at(list []float64, i int) *float64 {
	if i >= len(list) {
		return nil
	}
	return &list[i]
}
