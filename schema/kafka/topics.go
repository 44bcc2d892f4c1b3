package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"flyball/schema"
	"flyball/schema/wire"
)

// TopicOptions say how Flyball's topics are created and verified.
type TopicOptions struct {
	Partitions  int32 // of the topics whose number of partitions is the deployment's
	Replication int16 // copies of a new topic; -1: the broker's default
	// Janitor says that the broker's owner deletes what was read; see wire.Spec.Configs.
	Janitor bool
	DryRun  bool // only look: nothing is created
}

// TopicState is what EnsureTopics found or made of one topic.
type TopicState struct {
	Spec       wire.Spec
	ID         schema.TopicID
	Partitions int32
	Created    bool     // or would be, with TopicOptions.DryRun
	Drift      []string // settings of an existing topic that differ, "key: has x, want y"
}

// EnsureTopics creates the topics of wire.Specs that are missing and verifies the
// others.
//
// A topic whose number of partitions differs from what is configured is an error:
// partitions own actors, so their number changes only by a drain (README, "Changing
// the number of partitions").
func EnsureTopics(ctx context.Context, adm *kadm.Client, o TopicOptions) ([]TopicState, error) {
	names := make([]string, len(wire.Specs))
	for i, s := range wire.Specs {
		names[i] = s.Name
	}
	have, err := adm.ListTopics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	var out []TopicState
	for _, s := range wire.Specs {
		state, err := ensureTopic(ctx, adm, o, s, have)
		if err != nil {
			return nil, err
		}
		out = append(out, state)
	}
	return out, nil
}

func ensureTopic(ctx context.Context, adm *kadm.Client, o TopicOptions, s wire.Spec, have kadm.TopicDetails) (TopicState, error) {
	state := TopicState{Spec: s, Partitions: s.Partitions}
	if state.Partitions == 0 {
		state.Partitions = o.Partitions
	}
	if d, ok := have[s.Name]; ok && d.Err == nil {
		if n := int32(len(d.Partitions)); n != state.Partitions {
			return state, fmt.Errorf("topic %s has %d partitions, kafka.partitions is %d: the number is fixed at creation; "+
				"set kafka.partitions to %d, or drain first", s.Name, n, state.Partitions, n)
		}
		state.ID = schema.TopicID(d.ID)
		var err error
		state.Drift, err = settingsDrift(ctx, adm, s, o.Janitor)
		return state, err
	}
	state.Created = true
	if o.DryRun {
		return state, nil
	}
	id, err := CreateTopic(ctx, adm, s.Name, state.Partitions, o.Replication, s.Configs(o.Janitor))
	state.ID = id
	return state, err
}

// CreateTopic creates a topic. One that another process created meanwhile is no error;
// its id is then zero.
func CreateTopic(ctx context.Context, adm *kadm.Client, name string, partitions int32, replication int16,
	configs map[string]*string) (schema.TopicID, error) {
	r, err := adm.CreateTopic(ctx, partitions, replication, configs, name)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return schema.TopicID{}, fmt.Errorf("create topic %s (%d partitions): %w", name, partitions, err)
	}
	return schema.TopicID(r.ID), nil
}

// settingsDrift compares the settings of an existing topic with those it should have.
func settingsDrift(ctx context.Context, adm *kadm.Client, s wire.Spec, janitor bool) ([]string, error) {
	described, err := adm.DescribeTopicConfigs(ctx, s.Name)
	if err != nil {
		return nil, fmt.Errorf("describe topic %s: %w", s.Name, err)
	}
	want := s.Configs(janitor)
	var out []string
	for _, d := range described {
		for _, c := range d.Configs {
			if w, ok := want[c.Key]; ok && c.Value != nil && *c.Value != *w {
				out = append(out, fmt.Sprintf("%s: has %s, want %s", c.Key, *c.Value, *w))
			}
		}
	}
	return out, nil
}
