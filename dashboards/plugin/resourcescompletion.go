package plugin

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

const (
	// completionTimeout is how long a completion may take.
	completionTimeout = 5 * time.Second
	// completionWindow is how much older than the newest run an agent's last call may be.
	completionWindow = 7 * 24 * time.Hour
	maxOffers        = 50
	maxReadRuns      = 1000
	maxPrefix        = 256 // bytes
)

// offer is one completion.
type offer struct {
	Text  string `json:"text"`
	Value string `json:"value"`
}

// prefixOf returns the beginning of what is looked for.
func prefixOf(x *exchange) (string, error) {
	u, err := url.Parse(x.req.URL)
	if err != nil {
		return "", refused(http.StatusBadRequest, "query", "the address cannot be read")
	}
	prefix := u.Query().Get("prefix")
	if len(prefix) > maxPrefix {
		return "", refused(http.StatusBadRequest, "query", "prefix: %d bytes, at most %d", len(prefix), maxPrefix)
	}
	return prefix, nil
}

// completeAgents offers the agents with calls in the last days in which there are any, whose names begin with prefix, by name.
func completeAgents(x *exchange) (any, error) {
	prefix, err := prefixOf(x)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(x.ctx, completionTimeout)
	defer cancel()
	out := []offer{}
	newest, err := query.Runs(ctx, x.questions(), query.RunFilter{Limit: 1})
	if err != nil || len(newest) == 0 {
		return out, err
	}
	names, err := query.CallingAgents(ctx, x.questions(), query.Window{Since: newest[0].LastAt.Add(-completionWindow)})
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if len(out) < maxOffers && hasPrefix(name, prefix) {
			out = append(out, offer{schema.Visible(name), name})
		}
	}
	return out, nil
}

// completeRuns offers those of the latest runs whose ids or keys begin with prefix; if there are none, an older one that prefix names.
func completeRuns(x *exchange) (any, error) {
	prefix, err := prefixOf(x)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(x.ctx, completionTimeout)
	defer cancel()
	limit := maxReadRuns
	if prefix == "" {
		limit = maxOffers
	}
	runs, err := query.Runs(ctx, x.questions(), query.RunFilter{Limit: limit})
	if err != nil {
		return nil, err
	}
	out := []offer{}
	for i := range runs {
		if r := &runs[i]; len(out) < maxOffers && (hasPrefix(r.RunID, prefix) || hasPrefix(r.RunKey, prefix)) {
			out = append(out, offerOf(r))
		}
	}
	if len(out) > 0 || prefix == "" {
		return out, nil
	}
	older, err := query.ResolveRun(ctx, x.questions(), prefix)
	var several *query.Ambiguous
	switch {
	case errors.As(err, &several):
		for i := range several.Candidates[:min(len(several.Candidates), maxOffers)] {
			out = append(out, offerOf(&several.Candidates[i]))
		}
	case err == nil:
		out = append(out, offerOf(&older))
	case !errors.Is(err, query.ErrNotFound):
		return nil, err
	}
	return out, nil
}

func offerOf(r *query.Run) offer {
	name := r.RunKey
	if name == "" {
		name = r.RunID
	}
	text := []string{name, r.AgentID, r.LastAt.UTC().Format(time.DateTime)}
	return offer{schema.Visible(strings.Join(text, " · ")), r.RunID}
}

// hasPrefix compares without regard to case.
func hasPrefix(text, prefix string) bool {
	return text != "" && len(text) >= len(prefix) && strings.EqualFold(text[:len(prefix)], prefix)
}
