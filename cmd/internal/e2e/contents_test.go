package e2e

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"flyball/schema/clickhouse"
)

// differs are the columns that may differ between two installations that read the same log: offsets of topics that
// processes of Flyball write in blocks of any size, what the clock of the machine gives, and what is made at random. The other columns of
// every table must be the same, also those of tables and columns that are added later.
var differs = map[string]bool{
	"source_topic_id": true, "calls_offset": true, "segment": true, "version": true, "kafka_delay": true, "generation": true,
	// Of a baseline, which is named after the time at which it was learned.
	"baseline_version": true,
	// When control applied the command.
	"breakers_store.at": true,
	// Of a call in its record of flyball.calls.
	"scores_store.item": true,
}

// compared are expressions that stand for columns that may differ in part. The upper bits of a source's offset count the starts of the
// embedded broker; evidence names calls by their offsets in flyball.calls.
var compared = map[string]string{"source_offset": "bitAnd(source_offset, 0xFFFFFFFFFF)",
	"evidence": `replaceRegexpAll(evidence, '"calls":\\[[^\\]]*\\]', '')`}

// notCompared are tables that say how and when rows were stored, not what.
var notCompared = map[string]string{
	"progress":        "offsets of flyball.calls",
	"audit_store":     "a chain over times and offsets",
	"baselines_store": "learned once before the first kill, at a time of its own",
}

// counters are the tables whose rows are parts of sums: the parts depend on where a segment begins.
var counters = map[string]bool{"minutes": true, "hours": true, "stitching_v5": true}

// contents are the rows of every table of an installation, sorted, without columns that may differ.
func (f *flyball) contents() map[string][]string {
	f.t.Helper()
	existing, err := f.sql("SELECT name FROM system.tables WHERE database = 'flyball'")
	if err != nil {
		f.t.Fatal(err)
	}
	out := map[string][]string{}
	for _, t := range clickhouse.Tables() {
		if notCompared[t.Name] != "" || !slices.Contains(strings.Fields(existing), t.Name) {
			continue
		}
		rows, err := f.sql(rowsOf(&t))
		if err != nil {
			f.t.Fatalf("%s: %v", t.Name, err)
		}
		if rows != "" {
			out[t.Name] = strings.Split(rows, "\n")
		}
	}
	return out
}

// rowsOf returns a query for the rows of a table.
func rowsOf(t *clickhouse.TableSpec) string {
	var columns, keys []string
	for _, c := range t.Columns {
		switch {
		case differs[c.Name], differs[t.Name+"."+c.Name]:
		case compared[c.Name] != "":
			columns = append(columns, compared[c.Name])
		case counters[t.Name] && c.Type == "UInt64":
			columns = append(columns, "sum("+c.Name+")")
		default:
			columns, keys = append(columns, c.Name), append(keys, c.Name)
		}
	}
	q := "SELECT " + strings.Join(columns, ", ") + " FROM flyball." + t.Name + " FINAL"
	if counters[t.Name] {
		q += " GROUP BY " + strings.Join(keys, ", ")
	}
	return q + " ORDER BY ALL"
}

// firstDifferences returns what differs between the rows of two installations; empty: nothing.
func firstDifferences(got, want map[string][]string) string {
	var out []string
	tables := slices.Sorted(maps.Keys(want))
	for _, t := range slices.Sorted(maps.Keys(got)) {
		if want[t] == nil {
			tables = append(tables, t)
		}
	}
	for _, t := range tables {
		added, missing := without(got[t], want[t]), without(want[t], got[t])
		if len(added)+len(missing) > 0 {
			out = append(out, fmt.Sprintf("%s: %d rows, want %d; %d are not wanted:\n%s%d are missing:\n%s", t, len(got[t]), len(want[t]),
				len(added), sample(added), len(missing), sample(missing)))
			if len(added) > 0 && len(missing) > 0 {
				out = append(out, "of the first of both: "+firstDifference(added[0], missing[0])+"\n")
			}
		}
	}
	return strings.Join(out, "")
}

// without returns the rows of a that b does not have as often.
func without(a, b []string) (out []string) {
	n := map[string]int{}
	for _, r := range b {
		n[r]++
	}
	for _, r := range a {
		if n[r]--; n[r] < 0 {
			out = append(out, r)
		}
	}
	return out
}

func sample(rows []string) string {
	var b strings.Builder
	for _, r := range rows[:min(len(rows), 3)] {
		fmt.Fprintf(&b, "  %.600s\n", r)
	}
	return b.String()
}

// mayDiffer are the fields of answers that may differ, by command and by path.
var mayDiffer = []*regexp.Regexp{
	// When the question was asked.
	regexp.MustCompile(`^\w+ as_of$`),
	// How long an agent waits until it is known is estimated from the rate of its runs until the time at which the baseline was made:
	// another one in each installation.
	regexp.MustCompile(`^agents learned\.wait_days$`),
	// The offsets of calls in flyball.calls.
	regexp.MustCompile(`^findings evidence\.calls$`),
}

// answers are what commands print about an installation, by command: a line for each field.
func (f *flyball) answers(questions [][]string) map[string][]string {
	f.t.Helper()
	out := map[string][]string{}
	for _, q := range questions {
		decoder := json.NewDecoder(strings.NewReader(f.run([]int{3}, append(q[:len(q):len(q)], "-o", "json")...)))
		decoder.UseNumber()
		var answer any
		if err := decoder.Decode(&answer); err != nil {
			f.t.Fatalf("%s: %v", q, err)
		}
		lines := fields(nil, q[0], "", "", answer)
		if len(lines) == 0 {
			f.t.Errorf("%s: the answer is empty and shows nothing", q)
		}
		out[strings.Join(q, " ")] = lines
	}
	return out
}

// fields adds a line for each field of a JSON value, with its path. at are the numbers of the elements of lists on the path.
func fields(lines []string, command, path, at string, v any) []string {
	if slices.ContainsFunc(mayDiffer, func(r *regexp.Regexp) bool { return r.MatchString(command + " " + path) }) {
		return lines
	}
	switch v := v.(type) {
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(v)) {
			lines = fields(lines, command, strings.TrimPrefix(path+"."+k, "."), at, v[k])
		}
	case []any:
		for i, e := range v {
			lines = fields(lines, command, path, fmt.Sprint(at, i, " "), e)
		}
	default:
		lines = append(lines, fmt.Sprintf("%s%s = %v", at, path, v))
	}
	return lines
}
