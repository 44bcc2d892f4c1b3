package demo

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sort"
	"time"

	"flyball/cmd/internal/dataset"
	"flyball/cmd/internal/traffic"
)

// call is one recorded call, in the gateway's view: what arguments a body held is not in its log.
type call struct {
	Method  string `json:"method"`
	Path    string `json:"path"`
	Status  int    `json:"response_code"`
	Sent    int    `json:"bytes_sent"`
	Body    int    `json:"bytes_received"`
	Agent   string `json:"x_consumer"`
	Claimed string `json:"x_agent_id"`
	Task    string `json:"x_task_id"`
	// Arguments is the digest of the recorded arguments. The play's gateway does not see it: it only explains a denial.
	Arguments string `json:"x_args_digest"`

	raw map[string]any
}

// run is one recorded run of an agent.
type run struct {
	id, agent string
	calls     []call
	at        []time.Time
}

// load reads the bundled runs, ordered by id.
func load() ([]run, error) {
	byID := map[string]*run{}
	for _, set := range traffic.Sets {
		lines, err := dataset.Lines(traffic.Files, set, "envoy_json")
		if err != nil {
			return nil, fmt.Errorf("bundled traffic %s: %w", set, err)
		}
		for _, l := range lines {
			c := call{}
			if err := json.Unmarshal(l.Value, &c); err != nil {
				return nil, fmt.Errorf("bundled traffic %s: %w", set, err)
			}
			if err := json.Unmarshal(l.Value, &c.raw); err != nil {
				return nil, fmt.Errorf("bundled traffic %s: %w", set, err)
			}
			delete(c.raw, "x_args_digest")
			r := byID[l.Run]
			if r == nil {
				r = &run{id: l.Run, agent: l.Agent}
				byID[l.Run] = r
			}
			r.calls, r.at = append(r.calls, c), append(r.at, l.At)
		}
	}
	out := make([]run, 0, len(byID))
	for _, r := range byID {
		out = append(out, *r)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].id < out[j].id })
	return out, nil
}

// split chooses some runs to be played live; the rest is history. It leaves out runs that ran away when they were recorded,
// and counts them by reason.
func split(all []run, r *rand.Rand) (history, live []run, out map[string]int) {
	const maxLive = 200
	all, out = append([]run(nil), all...), map[string]int{}
	r.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for i := range all {
		why := count(all[i].calls, inLog).leftOut()
		switch {
		case why != "":
			out[why]++
		case len(live) < maxLive:
			live = append(live, all[i])
		default:
			history = append(history, all[i])
		}
	}
	return history, live, out
}

// past renders the history as the gateway would have logged it over the last
// fortnight, the last run three hours ago.
func past(runs []run, now time.Time) (lines [][]byte, keys []string, err error) {
	const span, quiet = 14 * 24 * time.Hour, 3 * time.Hour
	for i := range runs {
		r := &runs[i]
		start := now.Add(-quiet - span + span*time.Duration(i)/time.Duration(len(runs)))
		for j := range r.calls {
			line := r.calls[j].raw
			line["start_time"] = start.Add(min(r.at[j].Sub(r.at[0]), quiet/2)).UTC().Format("2006-01-02T15:04:05.000Z")
			b, err := json.Marshal(line)
			if err != nil {
				return nil, nil, err
			}
			lines, keys = append(lines, b), append(keys, r.agent)
		}
	}
	return lines, keys, nil
}
