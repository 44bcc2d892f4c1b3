package plugin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema/clickhouse/query"
)

// healthLine is a line about one part of Flyball, as far as the store knows it.
type healthLine struct {
	what  string
	value *float64
	unit  string
	since time.Time
	state string // ok, look, unknown
	todo  string
}

// healthParts are the parts of Flyball about which the store or the control API knows something.
var healthParts = []string{"ingest", "detect", "stitching", "store", "breakers", "bypass"}

func answerHealth(ctx context.Context, q *question) (data.Frames, error) {
	if err := oneOf("part", q.Part, healthParts...); err != nil {
		return nil, err
	}
	if q.tenant != "" {
		return nil, invalidf("queryType: health is about all of Flyball, and this data source is bound to a tenant")
	}
	var rows []healthLine
	for _, part := range healthParts {
		if q.Part != "" && q.Part != part {
			continue
		}
		more, err := healthOf[part](ctx, q)
		if err != nil {
			return nil, err
		}
		rows = append(append(rows, more...), liveHealth(ctx, q, part)...)
	}
	slices.SortStableFunc(rows, func(a, b healthLine) int { return cmp.Compare(urgency[a.state], urgency[b.state]) })
	return data.Frames{healthFrame(rows, q.Limit)}, nil
}

// urgency orders lines: what needs a look is above what is not known, and that above what is as it should be.
var urgency = map[string]int{"look": 0, "unknown": 1, "ok": 2}

func healthFrame(rows []healthLine, limit int) *data.Frame {
	type row = healthLine
	return table("health", rows, limit, "There is nothing to report.",
		text("what", func(h *row) string { return h.what }),
		optional("value", func(h *row) *float64 { return h.value }).inUnit("", 2),
		text("unit", func(h *row) string { return h.unit }),
		moment("since", func(h *row) time.Time { return h.since }),
		text("state", func(h *row) string { return h.state }),
		text("what to do", func(h *row) string { return h.todo }))
}

var healthOf = map[string]func(context.Context, *question) ([]healthLine, error){
	"ingest": ingestHealth, "detect": detectHealth, "stitching": stitchingHealth, "store": storeHealth, "breakers": breakersHealth,
	"bypass": bypassHealth,
}

func figure(n float64) *float64 { return &n }

// judge returns the state of a line and its advice, if it is not ok.
func judge(ok bool, todo string) (state, advice string) {
	if ok {
		return "ok", ""
	}
	return "look", todo
}

func ingestHealth(ctx context.Context, q *question) (out []healthLine, err error) {
	letters, err := query.DeadLetters(ctx, q.db, q.from, q.to)
	if err != nil {
		return nil, err
	}
	if len(letters) == 0 {
		out = append(out, healthLine{what: "records that could not be read", value: figure(0), unit: "records", state: "ok"})
	}
	for _, l := range letters {
		out = append(out, healthLine{named("records of "+l.Topic+" that could not be read", l.Reason), figure(float64(l.Letters)),
			"records", l.FirstAt.Time, "look", "flyball dead-letters shows one; correct the source's format, then flyball dead-letters replay"})
	}
	losses, err := query.LossSummaries(ctx, q.db)
	for _, l := range losses {
		out = append(out, healthLine{named("losses of records in "+l.Topic, l.Kind), figure(float64(l.Losses)), "losses", l.LastAt,
			"look", "raise the retention of the topic, or find what cut it"})
	}
	return out, err
}

// named returns a sentence after a name; without one of them the other.
func named(name, sentence string) string {
	if name == "" || sentence == "" {
		return name + sentence
	}
	return name + ": " + sentence
}

// oldCall is the age from which the newest call is no longer normal for a busy API.
const oldCall = 15 * time.Minute

func storeHealth(ctx context.Context, q *question) ([]healthLine, error) {
	call, _, err := query.StoreAge(ctx, q.db)
	if err != nil {
		return nil, err
	}
	newest := healthLine{what: "age of the newest stored call", unit: "s", since: call, state: "unknown",
		todo: "no call is stored: flyball status shows whether gateways send logs"}
	if !call.IsZero() {
		age := q.now.Sub(call)
		newest.value = figure(age.Round(time.Second).Seconds())
		newest.state, newest.todo = judge(age < oldCall, "flyball status shows which part is behind, or whether gateways send logs")
	}
	changes, err := query.UnfinishedMutations(ctx, q.db)
	line := healthLine{what: "changes of stored rows that are not finished", value: figure(float64(changes)), unit: "changes"}
	line.state, line.todo = judge(changes == 0, "wait: answers may be slower until then")
	return []healthLine{newest, line}, err
}

func detectHealth(ctx context.Context, q *question) ([]healthLine, error) {
	_, finding, err := query.StoreAge(ctx, q.db)
	if err != nil {
		return nil, err
	}
	open, err := query.CountFindings(ctx, q.db, query.FindingFilter{State: "open", Since: q.from, Until: q.to}, "")
	return []healthLine{{what: "open findings that changed in the time range", value: figure(float64(open[""])), unit: "findings",
		since: finding, state: "ok"}}, err
}

// lowShare is the share of a producer's calls that are bound by time alone from which its runs are not reliable.
const lowShare = .2

func stitchingHealth(ctx context.Context, q *question) (out []healthLine, err error) {
	rows, err := query.Stitching(ctx, q.db, q.from, q.to, "")
	if len(rows) > query.MaxStitching {
		rows = rows[:query.MaxStitching]
		q.remarks = append(q.remarks, fmt.Sprintf("There are more than %d producers and rules: those with fewer calls are not shown. Choose a "+
			"shorter time range.", query.MaxStitching))
	}
	for _, r := range rows {
		l := healthLine{what: named(r.Producer, "calls whose run was found by the rule "+r.RunRule), value: figure(100 * r.Share), unit: "%"}
		weak := r.RunRule == "session" || r.RunRule == "overflow"
		l.state, l.todo = judge(!weak || r.Share < lowShare, "log a run id or a trace at this gateway: flyball stitching has the advice")
		out = append(out, l)
	}
	return out, err
}

func breakersHealth(ctx context.Context, q *question) ([]healthLine, error) {
	held, err := query.CountHeld(ctx, q.db, q.now)
	sum := uint64(0)
	for _, n := range held {
		sum += n
	}
	return []healthLine{{what: "scopes that are held now", value: figure(float64(sum)), unit: "scopes", state: "ok"}}, err
}

// bypassHealth returns the bypasses that are in force, which the control API alone knows. A question about them alone fails with it.
func bypassHealth(ctx context.Context, q *question) ([]healthLine, error) {
	if q.Part == "" {
		return nil, nil // with what else the control API knows: liveHealth
	}
	out, err := bypassesInForce(ctx, q)
	if errors.Is(err, errNoControl) {
		return []healthLine{{what: "not known", state: "unknown", todo: "set controlUrl in the settings of the data source"}}, nil
	}
	return out, err
}

func answerQuality(ctx context.Context, q *question) (data.Frames, error) {
	rows, err := query.AchievedRates(ctx, q.db, q.from, q.to)
	if err != nil {
		return nil, err
	}
	holds, err := query.HoldRates(ctx, q.db, q.from, q.to)
	promised, unknown := live[process](ctx, q, "/v1/process")
	type row = query.Judged
	return notKnown(data.Frames{table("quality", append(rows, holds...), q.Limit, "No finding reached the level alert in this time range.",
		text("level", func(j *row) string { return joined(j.Level, j.Rule) }),
		number("findings", func(j *row) uint64 { return j.Findings }).describedAs("each run counts once"),
		number("true", func(j *row) uint64 { return j.True }).describedAs("labelled by a person"),
		number("benign", func(j *row) uint64 { return j.Benign }).describedAs("false alarms, labelled by a person"),
		number("test", func(j *row) uint64 { return j.Test }),
		number("not judged", func(j *row) uint64 { return j.Unjudged }),
		number("runs", func(j *row) uint64 { return j.Runs }).describedAs("runs that ended in the time range"),
		number("achieved per 1,000", achieved).inUnit("", 2).describedAs("findings per 1,000 runs, to compare with the nominal rate"),
		optional("nominal per 1,000", func(j *row) *float64 { return nominalOf(j, &promised) }).inUnit("", 2).describedAs(
			"the accepted number of clean runs in 1,000 that are tripped, as the control API knows it"),
		number("false per 1,000", func(j *row) float64 { return j.FalsePer1000 }).inUnit("", 2),
		number("false per 1,000 at most", func(j *row) float64 { return j.High }).inUnit("", 2).describedAs(
			"if all that are not judged are false"),
	)}, "The nominal rate is not known", unknown), err
}

func achieved(j *query.Judged) float64 {
	if j.Runs == 0 {
		return 0
	}
	return 1000 * float64(j.Findings) / float64(j.Runs)
}
