package labelled

import (
	"os"
	"strings"

	"github.com/cespare/xxhash/v2"

	"flyball/cmd/internal/dataset"
	"flyball/schema"
)

// CallerSets are the data sets in which each call is labelled with the kind of its caller.
var CallerSets = []string{"web", "wikiedits", "cloudtrail", "agentdojo", "tau"}

// CallerSession is what one kind of caller did in a run of a data set.
type CallerSession struct {
	ID, Set, Identity string
	Kind              string // human, human_anon, human_cli, human_simulated, bot, agent …
	Calls             []schema.Call
}

// callerSessions reads a data set by the kind of caller. Times without information are
// left out: invented ones, and those of web, which are all in the fifth minute of
// their hour. So are the outcomes of wikiedits, a feed of successful edits, and every
// user agent: the callers of web and cloudtrail were labelled by it.
// The gateway's view leaves out the digest of the arguments, except of web, where it
// is that of the query. A folder without the set has no runs.
func callerSessions(dir string, gateway bool) ([]CallerSession, error) {
	if _, err := os.Stat(dir); os.IsNotExist(err) {
		return nil, nil
	}
	calls, err := dataset.Calls(dir)
	if err != nil {
		return nil, err
	}
	var out []CallerSession
	at := map[[2]string]int{}
	for i := range calls {
		c := &calls[i]
		key := [2]string{c.RunID, c.Caller}
		k, known := at[key]
		if !known {
			k = len(out)
			at[key] = k
			out = append(out, CallerSession{ID: c.RunID, Set: c.Set, Identity: c.AgentID, Kind: c.Caller})
		}
		args, basis := c.Path, schema.DigestURL
		if !gateway || c.Set == "web" {
			args, basis = c.Path+"\x00"+c.Digest, schema.DigestLogged
		}
		call := asCall(c, c.AgentID, args, basis)
		if c.Synthetic || c.Set == "web" {
			call.Start = 0
		}
		if c.Set == "wikiedits" {
			call.Outcome = schema.OutcomeUnknown
		}
		out[k].Calls = append(out[k].Calls, call)
	}
	return out, nil
}

// asCall is a call as a log of such callers has it.
func asCall(c *dataset.Record, agent, args string, basis schema.DigestBasis) schema.Call {
	call := schema.Call{
		AgentID:           agent,
		AgentTrust:        schema.TrustInfrastructure,
		CallerKind:        schema.CallerAgent,
		Start:             c.TS * 1e6,
		Method:            c.Method,
		Path:              c.Path,
		Status:            uint16(max(c.Status, 0)),
		Route:             c.Template,
		RouteKey:          c.Template,
		RouteSource:       schema.RouteFromSource,
		BytesOut:          uint64(max(c.Response, 0)),
		BytesIn:           uint64(max(c.Request, 0)),
		ArgsDigest:        xxhash.Sum64String(args),
		ArgsDigestBasis:   basis,
		ResultDigestBasis: schema.DigestOutcome,
		Outcome:           schema.OutcomeOK,
	}
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
