package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"flyball/schema"
	"flyball/schema/wire"
)

// TopicOptions configure how Flyball's topics are created and verified.
type TopicOptions struct {
	Partitions  int32 // partitions of the topics whose Spec does not fix the number
	Replication int16 // copies of a new topic; -1: the broker's default
	// BrokerTrims reports that the broker is embedded, and deletes the records that every reader has read; see
	// wire.Spec.Configs.
	BrokerTrims bool
	DryRun      bool // only verify; create and change nothing
	// Limits are how much of a topic the operator wants to keep. They are set, also on existing topics; all other settings of an
	// existing topic are only compared.
	Limits map[string]Limit
}

// Limit bounds what a topic keeps; a zero field does not change it.
type Limit struct {
	For   time.Duration // retention.ms
	Bytes int64         // retention.bytes, of each partition
}

// apply replaces the settings of a spec by those of the limit, and returns the names of these settings.
func (l Limit) apply(settings map[string]*string) (names []string) {
	set := func(name string, value int64) {
		text := strconv.FormatInt(value, 10)
		settings[name] = &text
		names = append(names, name)
	}
	if l.For > 0 {
		set("retention.ms", l.For.Milliseconds())
	}
	if l.Bytes > 0 {
		set("retention.bytes", l.Bytes)
	}
	return names
}

// TopicState is the result of EnsureTopics for one topic.
type TopicState struct {
	Spec       wire.Spec
	ID         schema.TopicID
	Partitions int32
	Created    bool     // with TopicOptions.DryRun: the topic is missing
	Changed    []string // settings of an existing topic that were changed to the operator's limits, or would be: "key: has x, set to y"
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
		return state, compareSettings(ctx, adm, o, &state)
	}
	state.Created = true
	if o.DryRun {
		return state, nil
	}
	settings := s.Configs(o.BrokerTrims)
	o.Limits[s.Name].apply(settings)
	id, err := CreateTopic(ctx, adm, s.Name, state.Partitions, o.Replication, settings)
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

// compareSettings compares the settings of an existing topic with the required ones. It sets the operator's limits, and what the
// embedded broker does with flyball.state.
func compareSettings(ctx context.Context, adm *kadm.Client, o TopicOptions, state *TopicState) error {
	name := state.Spec.Name
	described, err := adm.DescribeTopicConfigs(ctx, name)
	if err != nil {
		return fmt.Errorf("describe topic %s: %w", name, err)
	}
	want := state.Spec.Configs(o.BrokerTrims)
	limits := o.Limits[name].apply(want)
	var alter []kadm.AlterConfig
	for _, d := range described {
		for _, c := range d.Configs {
			w, ok := want[c.Key]
			if !ok || c.Value == nil || *c.Value == *w {
				continue
			}
			// Versions before compacted flyball.state on the embedded broker.
			if slices.Contains(limits, c.Key) || o.BrokerTrims && name == wire.StateTopic {
				alter = append(alter, kadm.AlterConfig{Name: c.Key, Value: w})
				state.Changed = append(state.Changed, fmt.Sprintf("%s: has %s, set to %s", c.Key, *c.Value, *w))
				continue
			}
			state.Drift = append(state.Drift, fmt.Sprintf("%s: has %s, want %s", c.Key, *c.Value, *w))
		}
	}
	if len(alter) == 0 || o.DryRun {
		return nil
	}
	altered, err := adm.AlterTopicConfigs(ctx, alter, name)
	if err == nil {
		_, err = altered.On(name, func(r *kadm.AlterConfigsResponse) error { return r.Err })
	}
	if err != nil {
		return fmt.Errorf("change the settings of topic %s: %w", name, err)
	}
	return nil
}
