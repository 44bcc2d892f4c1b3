package replay

import (
	"encoding/json"
	"fmt"
	"strings"

	"flyball/ingest/decode"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
)

// View is what of a data set a log shows. Routes are in it wherever the set
// documents them, as a gateway logs the route that it matched: the calls that sets
// make up have paths that say something else.
type View uint8

const (
	// Full shows the digest of the arguments, the identifiers in them, and the task.
	Full View = iota
	// Gateway withholds them, as what access logs rarely carry.
	Gateway
)

// Views by the names that commands give them.
var Views = map[string]View{"full": Full, "gateway": Gateway}

// logLine is a recorded call as the log of a view has it.
func logLine(c *recorded, v View) ([]byte, error) {
	shown := *c
	if v == Gateway {
		shown.Digest, shown.TaskID = "", ""
	}
	fields := envoy(&shown)
	if c.Template != "" {
		fields["http.route"] = c.Template
	}
	if v == Full && len(c.Resources) > 0 {
		named := map[string][]string{}
		for _, r := range c.Resources {
			kind, id, _ := strings.Cut(r, ":")
			named[kind+"_id"] = append(named[kind+"_id"], id)
		}
		fields["tool_arguments"] = named
	}
	return json.Marshal(fields)
}

// log reads lines as ingest does, by the rules of a configuration that says
// nothing of routes and agents.
type log struct{ pipeline *decode.Pipeline }

func newLog() (*log, error) {
	key := make([]byte, 32)
	id, err := identity.NewResolver(identity.Options{Tenant: "default", Key: key})
	if err != nil {
		return nil, err
	}
	table, err := route.NewTable(route.Options{Version: "config", DigestKey: key})
	if err != nil {
		return nil, err
	}
	p, err := decode.New(decode.Options{Default: decode.Input{Format: "auto"}, Tenant: "default"}, id, table)
	return &log{p}, err
}

func (l *log) read(c *recorded, v View) (schema.Call, []byte, error) {
	line, err := logLine(c, v)
	if err != nil {
		return schema.Call{}, nil, err
	}
	calls, dead := l.pipeline.Decode(&decode.Record{Value: line}, nil)
	if len(dead) > 0 || len(calls) != 1 {
		return schema.Call{}, nil, fmt.Errorf("ingest does not read its line as one call: %d calls, %v", len(calls), dead)
	}
	return calls[0], line, nil
}
