package wire

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"flyball/schema"
)

// Ensured is what Ensure found or made.
type Ensured struct {
	Spec       Spec
	ID         schema.TopicID
	Partitions int32
	Created    bool
	Drift      []string // settings of an existing topic that differ, "key: has x, want y"
}

// Ensure creates the topics that are missing and verifies the others.
// replication -1 is the broker's default. janitor says that the broker's owner
// deletes what was read (see Spec.Configs). With plan set it only looks.
//
// A topic whose number of partitions differs from what is configured is
// refused: partitions own actors, so P changes only by a drain (README,
// "Changing the number of partitions").
func Ensure(ctx context.Context, adm *kadm.Client, partitions int32, replication int16, janitor, plan bool) ([]Ensured, error) {
	names := make([]string, len(Specs))
	for i, s := range Specs {
		names[i] = s.Name
	}
	have, err := adm.ListTopics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", err)
	}
	var out []Ensured
	for _, s := range Specs {
		want := s.Partitions
		if want == 0 {
			want = partitions
		}
		if d, ok := have[s.Name]; ok && d.Err == nil {
			if n := int32(len(d.Partitions)); n != want {
				return nil, fmt.Errorf("topic %s has %d partitions, kafka.partitions asks for %d: the number is fixed at creation; set kafka.partitions to %d, or drain first", s.Name, n, want, n)
			}
			e := Ensured{Spec: s, ID: schema.TopicID(d.ID), Partitions: want}
			if e.Drift, err = drift(ctx, adm, s, janitor); err != nil {
				return nil, err
			}
			out = append(out, e)
			continue
		}
		if plan {
			out = append(out, Ensured{Spec: s, Partitions: want, Created: true})
			continue
		}
		r, err := adm.CreateTopic(ctx, want, replication, s.Configs(janitor), s.Name)
		if err != nil && r.Err != kerr.TopicAlreadyExists {
			return nil, fmt.Errorf("create topic %s (%d partitions): %w", s.Name, want, err)
		}
		out = append(out, Ensured{Spec: s, ID: schema.TopicID(r.ID), Partitions: want, Created: true})
	}
	return out, nil
}

func drift(ctx context.Context, adm *kadm.Client, s Spec, janitor bool) ([]string, error) {
	rcs, err := adm.DescribeTopicConfigs(ctx, s.Name)
	if err != nil {
		return nil, fmt.Errorf("describe topic %s: %w", s.Name, err)
	}
	want := s.Configs(janitor)
	var out []string
	for _, rc := range rcs {
		for _, c := range rc.Configs {
			if w, ok := want[c.Key]; ok && c.Value != nil && *c.Value != *w {
				out = append(out, fmt.Sprintf("%s: has %s, want %s", c.Key, *c.Value, *w))
			}
		}
	}
	return out, nil
}
