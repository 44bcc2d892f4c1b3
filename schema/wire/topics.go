package wire

import (
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Names of Flyball's own topics.
const (
	CallsTopic       = "flyball.calls"
	JournalTopic     = "flyball.journal"
	EventsTopic      = "flyball.events"
	AlertsTopic      = "flyball.alerts"
	CommandsTopic    = "flyball.commands"
	BreakersTopic    = "flyball.breakers"
	PointsTopic      = "flyball.points"
	BaselinesTopic   = "flyball.baselines"
	StateTopic       = "flyball.state"
	DeadLettersTopic = "flyball.dead-letters"
	MessagesTopic    = "flyball.messages"
)

// Consumer groups of the roles.
const (
	IngestGroup = "flyball-ingest"
	// IngestNotesGroup holds what ingest stores about input partitions beside their offsets. It has
	// no members.
	IngestNotesGroup = "flyball-ingest-notes"
	DetectGroup      = "flyball-detect"
	StoreGroup       = "flyball-store"
	StoreDeadGroup   = "flyball-store-dead"
	// StoreEventsGroup is the group of the reader that stores findings, decisions and
	// breakers.
	StoreEventsGroup = "flyball-store-events"
	AlertGroup       = "flyball-alert"
	// AlertsGroup is the group of the reader that copies events to flyball.alerts.
	AlertsGroup = "flyball-alerts"
)

// MessagesRetention is how long flyball.messages is kept: as long as the events from which incidents are made.
const MessagesRetention = 7 * 24 * time.Hour

// Spec defines how a topic is created, and which settings are verified for an existing one.
type Spec struct {
	Name string
	// Partitions is the fixed number of partitions; 0: the deployment's number, fixed at
	// creation.
	Partitions int32
	Compact    bool          // see Compacted
	Retention  time.Duration // only with the delete policy; 0: the broker's default
	// MaxMessage is max.message.bytes; 0: the broker's default.
	MaxMessage int
	// AppendTime means that the broker sets the time of records, so that the clocks of writers
	// do not matter.
	AppendTime bool
	Doc        string
}

// Specs are all topics of Flyball, in the order of creation.
var Specs = []Spec{
	{Name: CallsTopic, Retention: 72 * time.Hour, MaxMessage: 16 << 20, Doc: "blocks of calls and marks; partition = hash of the routing key"},
	{Name: JournalTopic, Retention: 72 * time.Hour, MaxMessage: 16 << 20,
		Doc: "store-ready column blocks; partition i is the output of calls partition i"},
	{Name: EventsTopic, Retention: 7 * 24 * time.Hour, Doc: "findings and decisions"},
	// Longer than a silence: pagers know silences from this topic.
	{Name: AlertsTopic, Partitions: 1, Retention: 32 * 24 * time.Hour, MaxMessage: 2 << 20, AppendTime: true,
		Doc: "what pagers read: events about findings of level alert, breakers, gates, acknowledgements and silences, in one total order"},
	{Name: CommandsTopic, Partitions: 1, Retention: 7 * 24 * time.Hour, AppendTime: true, Doc: "breaker intents, one total order"},
	{Name: BreakersTopic, Partitions: 1, Compact: true, MaxMessage: 16 << 20, Doc: "breaker snapshots with the command offset they include"},
	{Name: PointsTopic, Partitions: 1, Compact: true, Doc: "heartbeats of enforcement points"},
	{Name: BaselinesTopic, Partitions: 1, Compact: true, MaxMessage: 16 << 20, Doc: "versioned baselines"},
	{Name: StateTopic, Compact: true, MaxMessage: 16 << 20, Doc: "checkpoints: a chain of deltas an actor, one record a partition"},
	{Name: DeadLettersTopic, Partitions: 1, Retention: 14 * 24 * time.Hour, MaxMessage: 16 << 20,
		Doc: "the one bad item, with the reason in its headers"},
	{Name: MessagesTopic, Partitions: 1, Retention: MessagesRetention, Doc: "where receivers have the messages of incidents"},
}

// Compacted reports whether the broker compacts the topic. With brokerTrims set it does not compact
// flyball.state: it would answer nobody meanwhile, 20 s for 3 GB, and detect deletes what nothing needs
// (see detect/adr/0013).
func (s Spec) Compacted(brokerTrims bool) bool {
	return s.Compact && !(brokerTrims && s.Name == StateTopic)
}

// Configs returns the topic settings of the spec. With brokerTrims set, flyball.calls and
// flyball.journal have no retention: the broker deletes only records that all readers have
// read, also when a reader is stopped for a long time. flyball.state has none either: detect deletes
// its beginning.
func (s Spec) Configs(brokerTrims bool) map[string]*string {
	c := map[string]*string{"cleanup.policy": new("delete")}
	switch {
	case s.Compacted(brokerTrims):
		c["cleanup.policy"] = new("compact")
	case brokerTrims && (s.Name == CallsTopic || s.Name == JournalTopic || s.Name == StateTopic):
		c["retention.ms"] = new("-1")
	case s.Retention > 0:
		c["retention.ms"] = new(strconv.FormatInt(s.Retention.Milliseconds(), 10))
	}
	if s.AppendTime {
		c["message.timestamp.type"] = new("LogAppendTime")
	}
	if s.MaxMessage > 0 {
		c["max.message.bytes"] = new(strconv.Itoa(s.MaxMessage))
	}
	return c
}

// PartitionOf returns the partition of flyball.calls that owns a routing key. It is part of
// the stored format: a change would move actors to other partitions.
func PartitionOf(routingKey string, partitions int32) int32 {
	return int32(xxhash.Sum64String(routingKey) % uint64(partitions))
}

// Headers of a dead letter.
const (
	HeaderReason    = "flyball.reason"
	HeaderDetail    = "flyball.detail"
	HeaderTopic     = "flyball.topic"
	HeaderTopicID   = "flyball.topic_id"
	HeaderPartition = "flyball.partition"
	HeaderOffset    = "flyball.offset"
	HeaderItem      = "flyball.item"
	HeaderReplayOf  = "flyball.replay_of" // set on a dead letter that is sent again: TOPIC/PARTITION/OFFSET/ITEM
	HeaderSealed    = "flyball.sealed"    // original key and value of a dead letter that was redacted, encrypted
	HeaderAt        = "flyball.at"        // time of the record that contained the item, Unix ns; also of a copy in flyball.alerts
)

// HeaderOld is set on a copy in flyball.alerts about which no page is made.
const HeaderOld = "flyball.old"
