package plugin

import (
	"slices"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema"
)

// maxGridSeries is the number of series that a statement gives an alert rule.
const maxGridSeries = 1000

// point is a number of a series.
type point struct {
	at    time.Time // zero: the statement has no times
	value *float64
}

// seriesOfGrid returns the answer to a statement as an alert rule needs it: one series, or one number, for each set of labels. The texts of
// a row are its labels, and the name of the column if there are several with numbers. A table cannot be alerted on.
func seriesOfGrid(f *data.Frame) (*data.Frame, error) {
	var times *data.Field
	var numbers, texts []*data.Field
	for _, field := range f.Fields {
		switch field.Type() {
		case data.FieldTypeNullableFloat64:
			numbers = append(numbers, field)
		case data.FieldTypeNullableTime:
			if times == nil {
				times = field
			}
		default:
			texts = append(texts, field)
		}
	}
	out := data.NewFrame(f.Name)
	out.Meta = f.Meta
	if f.Rows() == 0 {
		return out, nil
	}
	if len(numbers) == 0 {
		return nil, invalidf("sql: the statement has no column of numbers, and an alert rule needs one")
	}
	series, order := map[string][]point{}, []string{}
	labels, named := map[string]data.Labels{}, map[string]string{}
	for row := range f.Rows() {
		var at time.Time
		if times != nil {
			when, ok := times.ConcreteAt(row)
			if !ok {
				continue
			}
			at = when.(time.Time)
		}
		for _, n := range numbers {
			l := data.Labels{}
			for _, text := range texts {
				if v, ok := text.ConcreteAt(row); ok {
					l[text.Name] = v.(string)
				}
			}
			if len(numbers) > 1 {
				l["column"] = n.Name
			}
			key := l.String()
			if labels[key] == nil {
				order = append(order, key)
				labels[key], named[key] = l, n.Name
			}
			series[key] = append(series[key], point{at, n.At(row).(*float64)})
		}
	}
	if len(order) > maxGridSeries {
		return nil, invalidf("sql: the statement has %d sets of labels, and an alert rule takes %d: leave out a column of texts", len(order),
			maxGridSeries)
	}
	if times == nil {
		for _, key := range order {
			if len(series[key]) > 1 {
				return nil, twice(key)
			}
			out.Fields = append(out.Fields, data.NewField(named[key], labels[key], []*float64{series[key][0].value}))
		}
		return out, nil
	}
	return out, wide(out, times.Name, order, series, labels, named)
}

// wide adds the series to a frame with one row for each time.
func wide(out *data.Frame, timeName string, order []string, series map[string][]point, labels map[string]data.Labels,
	named map[string]string) error {
	place := map[int64]int{}
	var all []time.Time
	for _, points := range series {
		for _, p := range points {
			all = append(all, p.at)
		}
	}
	slices.SortFunc(all, time.Time.Compare)
	all = slices.CompactFunc(all, time.Time.Equal)
	for i, at := range all {
		place[at.UnixNano()] = i
	}
	out.Fields = append(out.Fields, data.NewField(timeName, nil, all))
	for _, key := range order {
		values, seen := make([]*float64, len(all)), make([]bool, len(all))
		for _, p := range series[key] {
			i := place[p.at.UnixNano()]
			if seen[i] {
				return twice(key)
			}
			seen[i], values[i] = true, p.value
		}
		out.Fields = append(out.Fields, data.NewField(named[key], labels[key], values))
	}
	out.Meta.Type, out.Meta.TypeVersion = data.FrameTypeTimeSeriesWide, data.FrameTypeVersion{0, 1}
	return nil
}

func twice(labels string) error {
	return invalidf("sql: two rows have the labels {%s} and the same time: group by them, so that an alert rule has one number",
		strings.TrimSpace(schema.Visible(labels)))
}
