package decode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"flyball/schema"
)

// facts are what the calls of a record say about method, status and times.
type facts struct {
	methods   []string
	statuses  []uint16
	starts    []int64
	durations []int64
	times     []int64 // that other members of the record say
}

// otherDurations are members without which a format has another measure of the duration: API Gateway's integration latency,
// Kong's latency of the request instead of that of a model, the parts of Akamai's that are logged, LiteLLM's response time.
var otherDurations = []string{"responseLatency", "integrationLatency", "without ai", "without mcp", "without rpc", "reqEndTimeMSec",
	"turnAroundTimeMSec", "startTime", "endTime"}

// withUnit returns the duration that a changed value says with its unit, in ns; else 0.
func withUnit(value string) int64 {
	value, _, _ = strings.Cut(strings.Trim(value, `"`), " (")
	d, err := time.ParseDuration(strings.ReplaceAll(value, " ", ""))
	if err != nil {
		return 0
	}
	return int64(d)
}

func factsOf(calls []schema.Call) (f facts) {
	for i := range calls {
		c := &calls[i]
		f.methods, f.statuses = append(f.methods, c.Method), append(f.statuses, c.Status)
		f.starts, f.durations = append(f.starts, c.Start), append(f.durations, c.DurationNs)
	}
	return f
}

// wrong returns what a call says that neither the unchanged record says nor means "unknown". A time may be the end of the
// unchanged call, or that of an envelope or of Kafka, if the call says so. what is "without NAME" or "NAME = VALUE".
func (f *facts) wrong(c *schema.Call, what string) string {
	_, value, _ := strings.Cut(what, " = ")
	// Any word can be a method.
	if c.Method != "" && c.Method != "_OTHER" && !slices.Contains(f.methods, c.Method) &&
		(isTruth(c.Method) || !strings.Contains(strings.ToUpper(value), c.Method)) {
		return "method " + c.Method
	}
	if c.Status != 0 && !slices.Contains(f.statuses, c.Status) {
		return fmt.Sprint("status ", c.Status)
	}
	said := c.DurationNs == withUnit(value) || strings.HasPrefix(value, "7 (json.Number)") // in the unit of the format
	if c.DurationNs != -1 && !slices.Contains(f.durations, c.DurationNs) && !said &&
		!slices.ContainsFunc(otherDurations, func(name string) bool { return strings.Contains(what, name) }) {
		return fmt.Sprint("duration ", c.DurationNs)
	}
	if c.TSBasis == schema.BasisKafka || c.TSBasis == schema.BasisLog || c.TSBasis == schema.BasisEnd || slices.Contains(f.times, c.Start) ||
		said && c.TSBasis == schema.BasisEndMinusDuration {
		return ""
	}
	for i, start := range f.starts {
		if difference := c.Start - start; max(difference, -difference) <= max(f.durations[i], 1e9) {
			return ""
		}
	}
	return fmt.Sprint("start ", c.Start)
}

// neighbours calls each with the neighbours of a JSON document: a member is missing, a value has another type, a
// number is written in another way, a number has a unit behind it.
func neighbours(t *testing.T, record []byte, each func(what string, value []byte)) {
	t.Helper()
	var doc any
	d := json.NewDecoder(bytes.NewReader(record))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		t.Fatal(err)
	}
	try := func(what string) {
		b, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		each(what, b)
	}
	leaves, objects := places(doc, "", func(n any) { doc = n })
	for _, o := range objects {
		for k, v := range o {
			delete(o, k)
			try("without " + k)
			o[k] = v
		}
	}
	for _, l := range leaves {
		for _, v := range otherTypes(l.was) {
			l.set(v)
			try(fmt.Sprintf("%s = %v (%T)", l.name, v, v))
		}
		l.set(l.was)
	}
}

// otherTypes returns values of another type than a value, and the value as it may be written in another way or unit.
func otherTypes(was any) []any {
	out := []any{nil, true, []any{}, []any{was}, map[string]any{"value": was}}
	switch v := was.(type) {
	case json.Number:
		out = append(out, v.String(), v.String()+" s", v.String()+"s", v.String()+" ms", v.String()+"µs", "about "+v.String())
		if i, err := v.Int64(); err == nil {
			out = append(out, json.Number(v.String()+".0"), v.String()+".0", json.Number(fmt.Sprintf("%de0", i)))
		}
	case string:
		if _, err := strconv.ParseFloat(v, 64); err == nil {
			out = append(out, v+" s", v+"ms", "about "+v)
			if canonicalNumber(v) {
				out = append(out, json.Number(v))
			}
		} else {
			out = append(out, json.Number("7"), false)
		}
	}
	return out
}

// canonicalNumber reports whether a text is a number as JSON writes one.
func canonicalNumber(s string) bool {
	var n json.Number
	return json.Unmarshal([]byte(s), &n) == nil
}

// Each field of each known record is missing once, has another type once, and another unit once. Each neighbour is a call that
// says nothing else about method, status and times, or a dead letter with a reason: never silently something else.
func TestNeighbourOfARecordIsReadWrong(t *testing.T) {
	p := pipelineWithRules(t)
	n, shown := 0, 0
	check := func(of string, before *facts, what string, value []byte) {
		n++
		left := p.Left()
		calls, dead := p.Decode(&Record{Topic: "in", Timestamp: kafkaTime, Value: value}, nil)
		problem := ""
		for _, l := range dead {
			if l.Reason == Panicked || l.Detail == "" {
				problem = fmt.Sprint("dead letter ", l.Reason, " ", l.Detail)
			}
		}
		if len(calls)+len(dead) == 0 && p.Left() == left {
			problem = "vanished"
		}
		for i := range calls {
			if w := before.wrong(&calls[i], what); w != "" {
				problem = fmt.Sprintf("%s, basis %s, of %s", w, calls[i].TSBasis, value)
			}
		}
		if problem != "" {
			if shown++; shown <= 120 {
				t.Errorf("%s: %s: %.500s", of, what, problem)
			}
		}
	}
	record := func(of string, r []byte) {
		calls, _ := p.Decode(&Record{Topic: "in", Timestamp: kafkaTime, Value: r}, nil)
		if len(calls) == 0 {
			return
		}
		before := factsOf(calls)
		if json.Valid(r) {
			var doc any
			if err := json.Unmarshal(r, &doc); err != nil {
				t.Fatal(err)
			}
			leaves, _ := places(doc, "", func(any) {})
			for _, l := range leaves {
				if ns, _, ok := parseTime(fmt.Sprint(l.was), time.UTC); ok {
					before.times = append(before.times, ns)
				}
			}
			neighbours(t, r, func(what string, value []byte) { check(of, &before, what, value) })
			return
		}
		words := strings.Split(string(r), " ")
		for i, word := range words {
			for _, v := range []string{"", "-", "true", "about", word + "s", word + "ms"} {
				words[i] = v
				check(of, &before, fmt.Sprintf("word %d %s = %q", i, word, v), []byte(strings.Join(words, " ")))
			}
			words[i] = word
		}
	}
	for _, file := range fixtures(t) {
		for _, r := range records(t, file) {
			record(filepath.Base(file), r)
		}
	}
	for _, f := range foundRecords(t) {
		record(f.Source, []byte(f.Record))
	}
	t.Logf("%d neighbours, %d of them wrong", n, shown)
}
