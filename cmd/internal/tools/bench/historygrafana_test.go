package main

import (
	"slices"
	"testing"

	"flyball/dashboards/boards"
	"flyball/dashboards/plugin"
)

func TestQueryOfGrafanaIsNotMeasured(t *testing.T) {
	have := map[string]bool{}
	for _, q := range grafanaQueries() {
		have[q.Type] = true
	}
	for _, kind := range plugin.Types {
		if !have[kind] {
			t.Errorf("no query of the type %s is measured", kind)
		}
	}
	for _, b := range boards.All() {
		queries := boardQueries(&b)
		for _, asked := range b.Queries() {
			if !slices.ContainsFunc(queries, func(q plugin.Query) bool { return q.Type == asked.Type && q.SQL == asked.SQL }) {
				t.Errorf("%s: %+v is not measured", b.Title, asked)
			}
		}
		if len(queries) < len(b.Queries()) {
			t.Errorf("%s: %d of %d queries are measured", b.Title, len(queries), len(b.Queries()))
		}
	}
}
