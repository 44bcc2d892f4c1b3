package config

import (
	"fmt"
	"os"
	"time"

	"flyball/detect/enforce/breaker"
	"flyball/detect/engine"
	"flyball/detect/learn"
	"flyball/schema"
	"flyball/schema/clickhouse"
)

// Config holds all settings. Each key of the file is also an environment variable:
// kafka.listen is FLYBALL_KAFKA_LISTEN. The tag path marks keys that name a file.
type Config struct {
	Tenant        string     `yaml:"tenant"`
	Data          string     `yaml:"data"` // folder for the files of embedded parts
	Kafka         Kafka      `yaml:"kafka"`
	ClickHouse    ClickHouse `yaml:"clickhouse"`
	Control       Control    `yaml:"control"`
	Check         Check      `yaml:"check"`
	Metrics       Metrics    `yaml:"metrics"`
	SecretKeyFile string     `yaml:"secret_key_file" path:"file"` // HMAC key of the deployment; `up` creates one in the data folder
	Detect        Detect     `yaml:"detect"`
	Learn         Learn      `yaml:"learn"`
	Mappings      []string   `yaml:"mappings" path:"file"` // files that describe the records of other gateways
	Routes        []Route    `yaml:"routes"`
	Agents        []Agent    `yaml:"agents"`
	Alerts        Alerts     `yaml:"alerts"`
	SIEM          SIEM       `yaml:"siem"`
	Disk          Disk       `yaml:"disk"`
	Canary        Canary     `yaml:"canary"`

	File string `yaml:"-"` // path of the file that was read; empty: none

	Ignored []string `yaml:"-"` // variables of the environment that look like settings and are none
}

// Kafka configures the broker and its topics. Without brokers the embedded broker starts.
type Kafka struct {
	Brokers    []string `yaml:"brokers"`
	Listen     string   `yaml:"listen"`
	Sync       bool     `yaml:"sync"`       // embedded: fsync before acknowledging
	Partitions int      `yaml:"partitions"` // partitions of flyball.calls, fixed at creation
	TLS        TLS      `yaml:"tls"`
	SASL       SASL     `yaml:"sasl"`
	// MinFreeMiB is how much of the disk is kept free, at most a tenth of it: below it the
	// embedded broker refuses new records, below a quarter of it all but commands. 0: none.
	MinFreeMiB int            `yaml:"min_free_mib"`
	Retention  TopicRetention `yaml:"retention"`
	Inputs     []Input        `yaml:"inputs"`
	// SchemaRegistry is asked for the schemas of records in Avro and Protobuf.
	SchemaRegistry SchemaRegistry `yaml:"schema_registry"`
}

// SchemaRegistry is a Confluent-compatible registry; without urls there is none.
type SchemaRegistry struct {
	URLs         []string `yaml:"urls"`
	User         string   `yaml:"user"`
	PasswordFile string   `yaml:"password_file" path:"file"`
	TLS          TLS      `yaml:"tls"`
}

// TLS configures a connection or a listener; empty means plain text.
type TLS struct {
	CA   string `yaml:"ca" path:"file"`
	Cert string `yaml:"cert" path:"file"`
	Key  string `yaml:"key" path:"file"`
}

// SASL is the login of the Kafka client. With the embedded broker it is the login of shippers;
// it is required if the broker listens on an address other than loopback.
type SASL struct {
	Mechanism    string `yaml:"mechanism"` // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
	User         string `yaml:"user"`
	PasswordFile string `yaml:"password_file" path:"file"`
}

// Input is a topic to read.
type Input struct {
	Topic    string `yaml:"topic"`
	Format   string `yaml:"format"`
	Signal   string `yaml:"signal"`
	Timezone string `yaml:"timezone"`
	// TrustedHops is the number of proxies in front of the logging gateway whose entries in
	// X-Forwarded-For are trusted; 0: the client is the logged peer.
	TrustedHops int `yaml:"trusted_hops"`
}

// ClickHouse configures the database. Without addresses the embedded engine starts. Addresses
// are those of the HTTP interface.
type ClickHouse struct {
	Addr   []string `yaml:"addr"`
	Listen string   `yaml:"listen"`
	// ReadListen is a second address of the embedded engine, where nobody writes, whatever
	// password is shown; empty: none.
	ReadListen   string `yaml:"read_listen"`
	Database     string `yaml:"database"`
	User         string `yaml:"user"`
	PasswordFile string `yaml:"password_file" path:"file"`
	TLS          TLS    `yaml:"tls"`
	Cluster      string `yaml:"cluster"`
	// Retention is for how long rows are kept; a change applies at the next start of the role store.
	Retention Retention `yaml:"retention"`
	// Unset says which keys of Retention nobody has set: the database keeps what it has.
	Unset clickhouse.UnsetRetention `yaml:"-"`
}

// Control configures the listener for operators and tools.
type Control struct {
	Listen string  `yaml:"listen"`
	Tokens []Token `yaml:"tokens"`
	// OIDC is the issuer whose tokens operators also have; without an issuer only tokens count.
	OIDC OIDC `yaml:"oidc"`
	// Point is the name of this enforcement point. It must stay the same after a restart, and
	// must be unique.
	Point      string     `yaml:"point"`
	TripBudget TripBudget `yaml:"trip_budget"`
	// TLS of the listener. With ca set, clients must present a certificate of that authority.
	TLS TLS `yaml:"tls"`
	// PublicURL is the prefix of links in pages; if empty, pages contain no links to decide.
	PublicURL string `yaml:"public_url"`
	// WithoutManifest is the rule for irreversible calls of agents without a manifest: allow,
	// ask (a person must approve them), or ask_while_learning (ask only while the baseline does not
	// know the agent by its own past: its class is not known_agent).
	WithoutManifest   string  `yaml:"without_manifest"`
	ThrottlePerSecond float64 `yaml:"throttle_per_second"` // calls of a throttled scope that one point allows
}

// TripBudget limits the automatic trips of a tenant; further trips become pages.
type TripBudget struct {
	PerHour       int `yaml:"per_hour"`
	AgentsPercent int `yaml:"agents_percent"` // percent of the active agents, at least one agent
}

// Learn configures baselines, which are learned from closed clean runs.
type Learn struct {
	Every      Duration `yaml:"every"`
	Quarantine Duration `yaml:"quarantine"` // minimum time since a run was closed
	Window     Duration `yaml:"window"`
	MinRuns    int      `yaml:"min_runs"`
}

// Token authenticates a caller of the operators' API.
type Token struct {
	Name    string        `yaml:"name"`
	Role    string        `yaml:"role"`                   // viewer, responder, admin, orchestrator
	Value   schema.Secret `yaml:"value_file" path:"file"` // file with the token, or with sha256: and its hash
	Tenants []string      `yaml:"tenants"`                // empty: any
	Expires Time          `yaml:"expires"`                // RFC 3339; empty: never
	// Delegate is the right to name the person for whom a request is made, as Grafana does: the audit trail
	// names both, and the rights are the lesser of the two.
	Delegate bool `yaml:"delegate"`
}

// Check configures the listener for gateways.
type Check struct {
	Listen    string `yaml:"listen"`
	GRPC      string `yaml:"grpc"`
	TLS       TLS    `yaml:"tls"`
	TokenFile string `yaml:"token_file" path:"file"`
	// TrustedHops is the number of trusted proxies in front of the gateways that call the check; 0: the client is
	// the peer address that the gateway sends.
	TrustedHops int `yaml:"trusted_hops"`
}

// Metrics configures the listener for health, metrics and status. It has no authentication.
type Metrics struct {
	Listen string `yaml:"listen"`
	// Profiles serves profiles of the process (Go's pprof) under /debug/pprof/, to clients on this machine only.
	Profiles bool `yaml:"profiles"`
}

// Detect configures the detector: decisions, limits of memory, intervals of writes.
type Detect struct {
	Mode              string       `yaml:"mode"`  // observe, armed
	Armed             []string     `yaml:"armed"` // enforced in mode observe: billing/* (agents), tag:payments, family:runaway.loop
	Policy            []PolicyRule `yaml:"policy"`
	Exceptions        []Exception  `yaml:"exceptions"`
	TripTTL           Duration     `yaml:"trip_ttl"`
	FalseTripsPer1000 float64      `yaml:"false_trips_per_1000"`
	// FalseSuspicionsPer1000 is the accepted number of sessions of people per 1000 that are
	// classified as a machine.
	FalseSuspicionsPer1000 float64 `yaml:"false_suspicions_per_1000"`
	// LearnedScope is off, observe (enforced only if family:scope is armed explicitly) or
	// enforce (armed as other families).
	LearnedScope string `yaml:"learned_scope"`

	// MaxOpenRunsPerActor is a limit of one actor; 0: an eighth of a partition's open runs, at least 200,
	// and for claimed callers an eighth of their share.
	MaxOpenRunsPerActor int `yaml:"max_open_runs_per_actor"`
	// MaxOpenRuns and MaxActors are limits of the process, over all partitions. MaxOpenRuns 0 follows the
	// memory limit of the collector: seven tenths of a run for each 4 KiB; three closed runs are kept beside
	// seven open ones. Established callers may use the whole limit of actors, independently of the
	// others, and share that of runs with proven callers, whose idle runs make room for them. Proven
	// callers have at most half of a limit, claimed callers at most a quarter of the runs and an eighth
	// of the actors, and both only while all together use less than it.
	MaxOpenRuns     int      `yaml:"max_open_runs"`
	MaxActors       int      `yaml:"max_actors"`
	SessionGap      Duration `yaml:"session_gap"`
	ConversationGap Duration `yaml:"conversation_gap"`
	RunGap          Duration `yaml:"run_gap"`
	Lateness        Duration `yaml:"lateness"`
	CheckpointEvery Duration `yaml:"checkpoint_every"`
}

// PolicyRule sets the action for findings. The most specific rule applies.
type PolicyRule struct {
	Name          string        `yaml:"name"`
	Level         Level         `yaml:"level"` // alert, trip
	Agent         string        `yaml:"agent"`
	Tag           string        `yaml:"tag"`
	Family        string        `yaml:"family"`
	Criticality   string        `yaml:"criticality"`   // low, normal, high
	Reversibility Reversibility `yaml:"reversibility"` // worst reversibility of the calls
	Action        Action        `yaml:"action"`        // annotate, throttle, gate, deny
	TTL           Duration      `yaml:"ttl"`
}

// Route is a route that the operator declares.
type Route struct {
	Method        string        `yaml:"method"`
	Template      string        `yaml:"template"`
	Effect        Effect        `yaml:"effect"`
	Reversibility Reversibility `yaml:"reversibility"`
	Resources     []string      `yaml:"resources"`           // parameters that name resources: "order_id:order"
	Tool          string        `yaml:"tool"`                // name of a tool (MCP and similar protocols), instead of a template
	Amount        string        `yaml:"amount"`              // place of the amount of money: arg:NAME, query:NAME, path:NAME, header:NAME, field:NAME
	Currency      string        `yaml:"currency"`            // place of the currency, or a fixed one: EUR
	CompensatedBy string        `yaml:"compensated_by"`      // route that undoes a call: "POST /v1/refunds/{id}/cancel"
	MCP           bool          `yaml:"mcp"`                 // the template is served by an MCP server
	OpenAPI       string        `yaml:"openapi" path:"file"` // file with an OpenAPI 3 document, instead of the keys above
	Base          string        `yaml:"base"`                // prefix of the document's paths; empty: the path of its first server
}

// Agent is an entry of the registry: it assigns a credential to an agent.
type Agent struct {
	ID         string   `yaml:"id"`
	Credential string   `yaml:"credential"`
	SPIFFE     string   `yaml:"spiffe"`
	Consumer   string   `yaml:"consumer"`
	Owner      string   `yaml:"owner"`
	Tags       []string `yaml:"tags"`
	// Criticality of the agent's work, for people and for policy: low, normal, high.
	Criticality string `yaml:"criticality"`
}

// defaultPartitions is the number of partitions of flyball.calls if kafka.partitions is not
// set.
const defaultPartitions = 8

// Default returns the configuration for an empty file. Defaults of parts come from these
// parts.
func Default() Config {
	return Config{
		Tenant: "default",
		Data:   "flyball-data",
		Kafka: Kafka{Listen: "127.0.0.1:9092", Partitions: defaultPartitions, MinFreeMiB: 1024, Inputs: []Input{
			{Topic: "gateway-logs", Format: "auto"},
			{Topic: "otlp_spans", Format: "otlp_proto", Signal: "traces"},
			{Topic: "otlp_logs", Format: "otlp_proto", Signal: "logs"},
		}},
		ClickHouse: ClickHouse{Listen: "127.0.0.1:8123", Database: "flyball", Retention: defaultRetention(),
			Unset: clickhouse.UnsetRetention{Calls: true, Runs: true}},
		Control: defaultControl(),
		Check:   Check{Listen: "127.0.0.1:7172", GRPC: "127.0.0.1:7173"},
		Metrics: Metrics{Listen: "127.0.0.1:7174"},
		Learn:   defaultLearn(),
		Detect:  defaultDetect(),
		Disk:    defaultDisk(),
		Alerts:  Alerts{Grouping: defaultGrouping(), RemindAfter: Duration(time.Hour)},
		Canary:  defaultCanary(),
	}
}

func defaultControl() Control {
	budget := breaker.DefaultBudget()
	return Control{Listen: "127.0.0.1:7171", Point: hostname(),
		TripBudget:      TripBudget{PerHour: budget.PerHour, AgentsPercent: budget.Percent},
		WithoutManifest: WithoutManifestAllow, ThrottlePerSecond: 1, OIDC: defaultOIDC()}
}

func defaultLearn() Learn {
	o := learn.DefaultOptions()
	return Learn{Every: Duration(o.Every), Quarantine: Duration(o.Quarantine), Window: Duration(o.Window), MinRuns: o.MinRuns}
}

func defaultDetect() Detect {
	e := engine.DefaultConfig()
	l := e.Limits // limits of one of defaultPartitions partitions
	return Detect{
		Mode: ModeObserve, LearnedScope: LearnedScopeObserve, TripTTL: Duration(e.Rules.TTL),
		FalseTripsPer1000: e.FalseTrips * 1000, FalseSuspicionsPer1000: e.FalseSuspicions * 1000,
		MaxActors:  l.Actors * defaultPartitions,
		SessionGap: Duration(l.SessionGap), ConversationGap: Duration(l.ConversationGap),
		RunGap: Duration(l.RunGap), Lateness: Duration(l.Lateness),
		CheckpointEvery: Duration(e.CheckpointEvery),
	}
}

func hostname() string {
	if h, err := os.Hostname(); err == nil && h != "" {
		return h
	}
	return "point"
}

// Duration is a duration in Go's format: 15m.
type Duration time.Duration

func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText writes the duration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	if err != nil {
		return fmt.Errorf("%q is not a duration such as 90s, 15m or 24h", b)
	}
	*d = Duration(v)
	return nil
}
