package labelled

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"flyball/cmd/internal/dataset"
	"flyball/ingest/decode"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
)

// View is which part of a data set a log shows. It includes routes if the set
// documents them, as a gateway logs the route that it matched: the paths of invented
// calls differ from them. Except in the gateway's view, it also includes the identifiers
// of requests without a body: they are in the URL, which sets cut.
type View uint8

const (
	// Full shows the digest of the arguments, the identifiers in bodies, and the task.
	Full View = iota
	// Gateway leaves out the digest and the task, which access logs rarely have; the
	// path is used as the arguments, and the identifiers are those of the set.
	Gateway
	// Access is what an access log of today shows: queries, no bodies and no task.
	Access
)

// Views by the names that commands give them.
var Views = map[string]View{"full": Full, "gateway": Gateway, "access": Access}

// logLine is a recorded call as the log of a view has it.
func logLine(c *dataset.Record, v View) ([]byte, error) {
	shown := *c
	if v != Full {
		shown.Digest, shown.TaskID = "", ""
	}
	fields := shown.Envoy()
	if c.Template != "" {
		fields["http.route"] = c.Template
	}
	switch ids := named(c); {
	case len(ids) == 0 || v == Gateway:
	case c.Method == "GET" || c.Method == "HEAD" || c.Method == "DELETE":
		fields["path"] = dataset.EscapedPath(c.Path) + "?" + ids.Encode()
	case v == Full:
		fields["tool_arguments"] = ids
	}
	return json.Marshal(fields)
}

// named are the identifiers that the set documents and the path does not hold.
func named(c *dataset.Record) url.Values {
	out := url.Values{}
	for _, r := range c.Resources {
		if kind, id, _ := strings.Cut(r, ":"); !strings.Contains(c.Path, id) {
			out.Add(kind+"_id", id)
		}
	}
	return out
}

// logReader reads lines as ingest does, with a configuration without routes and
// agents.
type logReader struct{ pipeline *decode.Pipeline }

func newLogReader() (*logReader, error) {
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
	return &logReader{p}, err
}

func (l *logReader) read(c *dataset.Record, v View) (schema.Call, []byte, error) {
	line, err := logLine(c, v)
	if err != nil {
		return schema.Call{}, nil, err
	}
	calls, dead := l.pipeline.Decode(&decode.Record{Value: line}, nil)
	if len(dead) > 0 || len(calls) != 1 {
		return schema.Call{}, nil, fmt.Errorf("ingest does not read its line as one call: %d calls, %v", len(calls), dead)
	}
	if v == Gateway {
		calls[0].Resources = nil
		for _, r := range c.Resources {
			kind, id, _ := strings.Cut(r, ":")
			calls[0].Resources = append(calls[0].Resources, schema.Resource{Type: kind, ID: id})
		}
	}
	return calls[0], line, nil
}
