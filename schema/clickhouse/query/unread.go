package query

import "fmt"

// Unread is a partition with records that were not stored before the report was read.
type Unread struct {
	Part      string `json:"part"` // ingest, detect, store: the part that has not read them
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"` // -1: of all partitions
	Records   int64  `json:"records"`
}

func (u Unread) String() string {
	if u.Partition < 0 {
		return fmt.Sprintf("%s is %d records behind in %s", u.Part, u.Records, u.Topic)
	}
	return fmt.Sprintf("%s is %d records behind in %s/%d", u.Part, u.Records, u.Topic, u.Partition)
}

// maxUnreadNamed is the maximum number of partitions that a caveat names.
const maxUnreadNamed = 5

// AddUnread adds the caveat that partitions had unread records when the report was read.
func (t *Touched) AddUnread(list []Unread) {
	if len(list) == 0 {
		return
	}
	t.Unread = list
	text := ""
	for i, u := range list {
		if i == maxUnreadNamed {
			text += fmt.Sprintf(", and in %d more partitions", len(list)-i)
			break
		}
		if i > 0 {
			text += ", "
		}
		text += u.String()
	}
	t.AddCaveat("ingest_lag: " + text + "; calls may be missing")
}

// AddLagUnknownCaveat adds the caveat that the progress of the parts could not be read.
func (t *Touched) AddLagUnknownCaveat(why string) {
	t.AddCaveat("lag_unknown: " + why + ", so it is not known whether calls are still on their way")
}
