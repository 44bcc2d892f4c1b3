package app

import (
	"slices"
	"testing"

	"flyball/schema/wire"
)

// The broker answers nobody while it compacts: 20 s for the state of a million open runs, in which every member lost its group.
func TestEmbeddedBrokerStandsStillForTheStateOfRuns(t *testing.T) {
	if got := compactedTopics(); slices.Contains(got, wire.StateTopic) || !slices.Contains(got, wire.BaselinesTopic) {
		t.Errorf("the embedded broker compacts %q", got)
	}
	for _, s := range wire.Specs {
		if s.Name != wire.StateTopic {
			continue
		}
		if own := s.Configs(true); *own["cleanup.policy"] != "delete" || *own["retention.ms"] != "-1" {
			t.Errorf("the embedded broker deletes the state of runs, or compacts it: %s, %s ms", *own["cleanup.policy"], *own["retention.ms"])
		}
		if theirs := s.Configs(false); *theirs["cleanup.policy"] != "compact" {
			t.Errorf("Apache Kafka does not compact the state of runs, of which detect deletes nothing there: %s", *theirs["cleanup.policy"])
		}
	}
}
