package doctor

import (
	"time"

	"flyball/schema/clickhouse"
)

// Facts are what was found of a deployment. The error of a part is why nothing is known of it.
type Facts struct {
	Now        time.Time
	Kafka      Kafka
	ClickHouse ClickHouse
	Process    Process
	Gateways   Gateways
	Disk       Disk
	Receivers  []Endpoint
	Links      Links
	Tokens     []Expiry
	Issuer     Issuer
	Certs      []Expiry
	Files      []File
	Listeners  []Listener
}

// Clock is the difference of another clock to this machine's; positive: it is ahead.
type Clock struct {
	Of    string
	Ahead time.Duration
	// Known is false if it could not be read; Error says why.
	Known bool
	Error string
}

// Kafka is what was found of the broker.
type Kafka struct {
	Address, Error string
	Topics         []Topic
	// Authorizer reports whether the broker decides who may do what; Denied are the operations that this login may not do.
	Authorizer bool
	Denied     []string
	ACLError   string
	Clock      Clock
}

// Topic is a topic that the configuration needs.
type Topic struct {
	Name  string
	Input bool // of kafka.inputs: it may come with the first record on the embedded broker
	// Missing: it does not exist. Want is 0 if any number of partitions is right.
	Missing    bool
	Want, Have int
	Drift      []string // settings that differ from those that are documented
}

// ClickHouse is what was found of the database.
type ClickHouse struct {
	Address, Error string
	Version        string
	Denied         []string // rights that the user does not have, or statements that failed
	NotMigrated    bool
	// Days that calls and runs are kept: as configured, and as the tables have it.
	WantCalls, WantRuns, HaveCalls, HaveRuns int
	RetentionError                           string
	Unmerged                                 clickhouse.Unmerged
	UnmergedError                            string
	Clock                                    Clock
}

// Process is what the process on metrics.listen says of itself.
type Process struct {
	Address, Error string
	NotReady       []string // part: reason
	Warnings       []string
	Restart        []string // keys of the file that are changed and not in force
	FileError      string
	Clock          Clock // of metrics.listen
}

// Gateways is what gateways have logged within a day.
type Gateways struct {
	Error string
	Seen  []Gateway
	Left  string // what was not looked at, because there is too much; empty: nothing
}

// Gateway counts the calls of a gateway; see query.ObservedGateway.
type Gateway struct {
	Name                                                           string
	Calls, Decisions, Receipts, Established, Claimed, Contradicted uint64
	Asked                                                          uint64 // that the check was asked about, however that is known
}

// Disk is the file system of the data folder.
type Disk struct {
	Dir, Error   string
	Free, Total  uint64
	Kept         uint64  // bytes below which the broker refuses records
	GrowthPerDay float64 // bytes; 0: not known
}

// Endpoint is a receiver and whether something listens there.
type Endpoint struct{ Name, Address, Error string }

// Expiry is a token or a certificate with its end; zero: none. Error is why it cannot be read.
type Expiry struct {
	Key, Name string
	At        time.Time
	Error     string
}

// File is a file or folder that holds secrets.
type File struct {
	Key, Path string
	Mode      uint32 // permission bits
	Error     string
}

// Listener is an address that this deployment listens on.
type Listener struct {
	Key, Address string
	Loopback     bool
	TLS          bool
	NoTLS        bool // it never speaks TLS
}
