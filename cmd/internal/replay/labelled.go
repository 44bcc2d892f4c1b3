package replay

import (
	"flyball/schema"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Label is what is known of a recorded run beyond its calls.
type Label struct {
	Attacked        bool    `json:"attacked"`
	AttackSucceeded *bool   `json:"attack_succeeded"`
	AttackGoal      *string `json:"attack_goal"`
	NaturalLoop     bool    `json:"natural_loop"`
	Failure         *string `json:"failure"`
	FirstMalicious  *int    `json:"first_malicious_seq"`
	Kind            string  `json:"kind"`
	Speed           string  `json:"speed"`
	Onset           int     `json:"onset_seq"`
	BaseRun         string  `json:"base_run"`
}

// LabelledRun is a run of a data set with its label and the agent's own calls, as
// ingest would hand them on.
type LabelledRun struct {
	ID    string
	Set   string
	Agent string
	Task  string
	Start time.Time
	Label Label
	Calls []schema.Call
}

// Labelled reads a data set to judge by. Routes and resources are those that the
// set documents; its made-up calls have paths that say something else. The
// gateway's view withholds what an access log rarely carries, the digest of the
// arguments (the path stands in its place) and the task. A folder without the
// set has no runs.
func Labelled(dir string, gateway bool) ([]LabelledRun, error) {
	f, err := os.Open(filepath.Join(dir, "runs.jsonl.gz"))
	if os.IsNotExist(err) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	type run struct {
		ID    string `json:"run_id"`
		Set   string `json:"dataset"`
		Agent string `json:"agent_id"`
		Task  string `json:"task_id"`
		Start int64  `json:"start_ts"`
		Label Label  `json:"label"`
	}
	runs, err := readLines[run](f)
	if err != nil {
		return nil, fmt.Errorf("%s: runs: %w", dir, err)
	}
	in, err := open(dir)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	calls, err := readCalls(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	out := make([]LabelledRun, len(runs))
	at := make(map[string]int, len(runs))
	for i, r := range runs {
		out[i] = LabelledRun{ID: r.ID, Set: r.Set, Agent: r.Agent, Task: r.Task, Start: time.UnixMilli(r.Start).UTC(), Label: r.Label}
		at[r.ID] = i
	}
	for i := range calls {
		c := &calls[i]
		k, known := at[c.RunID]
		if !known || c.Caller != "agent" {
			continue
		}
		args, basis := c.Digest, schema.DigestLogged
		if gateway {
			args, basis = c.Path, schema.DigestURL
		}
		out[k].Calls = append(out[k].Calls, asCall(c, out[k].Agent, args, basis))
	}
	return out, nil
}

func asCall(c *recorded, agent, args string, basis schema.DigestBasis) schema.Call {
	call := schema.Call{AgentID: agent, AgentTrust: schema.TrustInfrastructure, CallerKind: schema.CallerAgent, Start: c.TS * 1e6, Method: c.Method, Path: c.Path, Status: uint16(max(c.Status, 0)),
		Route: c.Template, RouteKey: c.Template, RouteSource: schema.RouteFromSource, BytesOut: uint64(max(c.Response, 0)), BytesIn: uint64(max(c.Request, 0)),
		ArgsDigest: xxhash.Sum64String(args), ArgsDigestBasis: basis, ResultDigestBasis: schema.DigestOutcome, Outcome: schema.OutcomeOK}
	if c.Status >= 400 {
		call.Outcome = schema.OutcomeClientError
	}
	if c.Method == "DELETE" {
		call.Effect = schema.EffectDelete
	}
	for _, r := range c.Resources {
		kind, id, _ := strings.Cut(r, ":")
		call.Resources = append(call.Resources, schema.Resource{Type: kind, ID: id})
	}
	return call
}
