package schema

import "strconv"

// LossKind is the way in which a log has lost records.
type LossKind string

const (
	// LossCut: the log ends before a record that was read.
	LossCut LossKind = "cut"
	// LossRefilled: the log lost its end and was written again, up to or past a record that was
	// read. At an offset that was read there is now another record.
	LossRefilled LossKind = "refilled"
	// LossRecreated: the topic was deleted and created again.
	LossRecreated LossKind = "recreated"
	// LossExpired: records were deleted (retention, DeleteRecords) before they were read.
	LossExpired LossKind = "expired"
)

// LogLoss is a loss of records in one partition of a topic, as one reader noticed it when it
// started to read.
type LogLoss struct {
	Tenant    string   `json:"tenant"`
	Topic     string   `json:"topic"`
	Partition int32    `json:"partition"`
	Kind      LossKind `json:"kind"`
	// From and To are offsets in Kafka: the first record that is missing, and the one after the last
	// record that is known to be missing.
	From int64 `json:"from_offset"`
	To   int64 `json:"to_offset"`
	// Records is how many records are known to be missing; 0: unknown.
	Records int64 `json:"records"`
	// Read is how many of Records were read before they were lost: their calls are stored.
	Read int64 `json:"read"`
	// Epoch is the epoch of the partition after the loss; see PositionOffset.
	Epoch     int64  `json:"epoch"`
	NoticedAt int64  `json:"noticed_at_ns"` // Unix ns
	Component string `json:"component"`     // the reader: ingest, detect, store, control, alert
}

// LossEvent returns the event of a loss.
func LossEvent(l *LogLoss) Event {
	at := CallRef{l.Partition, l.From, 0}.String()
	return Event{ID: shortID("e", "loss", l.Component, l.Topic, string(l.Kind), at, strconv.FormatInt(l.Epoch, 10)), Kind: EventLogLoss,
		Tenant: l.Tenant, Loss: l}
}
