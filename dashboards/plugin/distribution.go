package plugin

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// ofDistribution are the forms of the answer to distribution, beside the histogram.
const (
	byTime     = "time"     // a heatmap: the runs of the agent in each interval, by value
	byQuantile = "quantile" // a number for each population and quantile, for an alert rule
)

var quantiles = []float64{0.5, 0.9, 0.99, 1}

// heatmapColumns is the maximum number of intervals of a heatmap: each must have runs enough for a colour.
const heatmapColumns = 60

// featureUnits are Grafana's names of the units of features, with their decimals.
var featureUnits = map[query.FeatureUnit]struct {
	name     string
	decimals uint16
}{query.Counts: {"locale", 0},
	query.Shares: {"percentunit", 0}, query.Bytes: {"bytes", 0}, query.Seconds: {"s", 0}, query.Scores: {"none", 1}}

func answerDistribution(ctx context.Context, q *question) (data.Frames, error) {
	if err := oneOf("by", q.By, byTime, byQuantile); err != nil {
		return nil, err
	}
	if variable.MatchString(q.Of) {
		return notChosen(q, "of"), nil
	}
	if q.Of == "" {
		q.Of = query.RunFeatures[0].Name
	}
	feature := query.FeatureNamed(q.Of)
	if feature == nil {
		return nil, invalidf("of: %q is none of %s", q.Of, strings.Join(featureNames(), ", "))
	}
	all, err := query.Distributions(ctx, q.db, feature, q.Agent, q.window())
	if err == nil && q.Agent != "" && len(all[0].Values) == 0 && q.takeShown() {
		all, err = query.Distributions(ctx, q.db, feature, q.Agent, q.window())
	}
	if err != nil {
		return nil, err
	}
	var out *data.Frame
	switch q.By {
	case byTime:
		out = heatmapFrame(feature, &all[0], q.from, q.to, q.step)
	case byQuantile:
		out = quantilesFrame(feature, all, q.Agent)
	default:
		out = histogramFrame(feature, all)
	}
	for i := range all {
		q.remarkOn(&all[i], q.By == byTime && i > 0)
	}
	return data.Frames{out}, nil
}

func featureNames() (out []string) {
	for i := range query.RunFeatures {
		out = append(out, query.RunFeatures[i].Name)
	}
	return out
}

// remarkOn says what the reader has to know about a population; hidden: it is not in the answer.
func (q *question) remarkOn(p *query.Population, hidden bool) {
	switch {
	case hidden:
	case p.Name == query.OfPeers && p.Group == "":
		q.remarks = append(q.remarks, "No peers: no stored baseline knows the agent.")
	case len(p.Values) == 0:
		q.remarks = append(q.remarks, "No run of "+populationName(p)+" in this time range has this figure.")
	case p.Sampled:
		q.remarks = append(q.remarks, fmt.Sprintf("Of %s a sample of %d runs, chosen by their ids; there are more.", populationName(p),
			len(p.Values)))
	}
}

func populationName(p *query.Population) string {
	switch p.Name {
	case query.OfAgent:
		return "the agent"
	case query.OfPeers:
		return "its peers (" + schema.Visible(p.Group) + ")"
	case query.OfAgents:
		return "agents"
	}
	return "people"
}

// histogramFrame returns a row for each bin, with the share of the runs of each population in it. The names of the bounds are those by
// which Grafana's histogram knows bins that are already counted.
func histogramFrame(f *query.RunFeature, all []query.Population) *data.Frame {
	out := data.NewFrame("distribution")
	out.Meta = &data.FrameMeta{PreferredVisualizationPluginID: "histogram"}
	if !slices.ContainsFunc(all, func(p query.Population) bool { return len(p.Values) > 0 }) {
		return out
	}
	bounds := f.Unit.Bounds(all)
	from, to := slices.Clone(bounds[:len(bounds)-1]), slices.Clone(bounds[1:])
	out.Fields = append(out.Fields, data.NewField("xMin", nil, from), data.NewField("xMax", nil, to))
	for _, field := range out.Fields {
		field.Config = featureConfig(f, "bound of a bin: "+f.About)
	}
	for i := range all {
		p := &all[i]
		shares := make([]*float64, len(from))
		for j, n := range query.Bins(p.Values, bounds) {
			if len(p.Values) > 0 {
				share := float64(n) / float64(len(p.Values))
				shares[j] = &share
			}
		}
		field := data.NewField(p.Name, nil, shares)
		field.Config = &data.FieldConfig{Unit: "percentunit", Description: "share of the runs of " + populationName(p)}
		out.Fields = append(out.Fields, field)
	}
	return out
}

func featureConfig(f *query.RunFeature, description string) *data.FieldConfig {
	unit := featureUnits[f.Unit]
	return &data.FieldConfig{Unit: unit.name, Decimals: &unit.decimals, Description: description}
}

// heatmapFrame returns, for each interval, how many runs that began in it are in each bin. An interval without runs has no values.
func heatmapFrame(f *query.RunFeature, p *query.Population, from, to time.Time, step time.Duration) *data.Frame {
	out := data.NewFrame("distribution")
	out.Meta = &data.FrameMeta{Type: "heatmap-rows", PreferredVisualizationPluginID: "heatmap"}
	if len(p.Values) == 0 {
		return out
	}
	bounds := f.Unit.Bounds([]query.Population{*p})
	step = max(step, to.Sub(from)/heatmapColumns, time.Second).Round(time.Second)
	in := map[time.Time][]query.RunValue{}
	for _, v := range p.Values {
		at := v.At.UTC().Truncate(step)
		in[at] = append(in[at], v)
	}
	times := slices.SortedFunc(maps.Keys(in), time.Time.Compare)
	bins := make([][]*float64, len(bounds)-1)
	for _, at := range times {
		for i, n := range query.Bins(in[at], bounds) {
			count := float64(n)
			bins[i] = append(bins[i], &count)
		}
	}
	out.Fields = append(out.Fields, data.NewField("time", nil, times))
	out.Fields[0].Config = &data.FieldConfig{Interval: float64(step.Milliseconds())}
	for i := range bins {
		below := strconv.FormatFloat(bounds[i+1], 'g', -1, 64)
		field := data.NewField(below, data.Labels{"le": below}, bins[i])
		field.Config = wholeNumber("runs that began in " + step.String() + ": " + f.About)
		out.Fields = append(out.Fields, field)
	}
	return out
}

// quantilesFrame returns a number for each population and quantile. One of which nothing is known has no value.
func quantilesFrame(f *query.RunFeature, all []query.Population, agent string) *data.Frame {
	out := data.NewFrame("distribution")
	out.Meta = &data.FrameMeta{Type: data.FrameTypeNumericWide, TypeVersion: data.FrameTypeVersion{0, 1}}
	for i := range all {
		for _, share := range quantiles {
			labels := data.Labels{"population": all[i].Name, "quantile": strconv.FormatFloat(share, 'g', -1, 64)}
			if agent != "" {
				labels["agent"] = schema.Visible(agent)
			}
			var value *float64
			if v, ok := query.Quantile(all[i].Values, share); ok {
				value = &v
			}
			field := data.NewField(f.Name, labels, []*float64{value})
			field.Config = featureConfig(f, f.About)
			out.Fields = append(out.Fields, field)
		}
	}
	return out
}
