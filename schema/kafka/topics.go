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

// TopicOptions configure how Flyball's topics are created and verified.
type TopicOptions struct {
	Partitions  int32 // partitions of the topics whose Spec does not fix the number
	Replication int16 // copies of a new topic; -1: the broker's default
	// Janitor reports that the owner of the broker deletes the records that were read; see
	// wire.Spec.Configs.
	Janitor bool
	DryRun  bool // only verify; create nothing
}

// TopicState is the result of EnsureTopics for one topic.
type TopicState struct {
	Spec       wire.Spec
	ID         schema.TopicID
	Partitions int32
	Created    bool     // with TopicOptions.DryRun: the topic is missing
	Drift      []string // settings of an existing topic that differ, "key: has x, want y"
}

// EnsureTopics creates the topics of wire.Specs that are missing and verifies the others.
//
// It returns an error for a topic whose number of partitions differs from the configuration:
// each partition owns a set of actors, so the number can only be changed with a drain (README,
// "Changing the number of partitions").
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

// CreateTopic creates a topic. It is not an error when another process has created it in the
// meantime; the id is then zero.
func CreateTopic(ctx context.Context, adm *kadm.Client, name string, partitions int32, replication int16,
	configs map[string]*string) (schema.TopicID, error) {
	r, err := adm.CreateTopic(ctx, partitions, replication, configs, name)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return schema.TopicID{}, fmt.Errorf("create topic %s (%d partitions): %w", name, partitions, err)
	}
	return schema.TopicID(r.ID), nil
}

// settingsDrift returns the settings of an existing topic that differ from the required ones.
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
