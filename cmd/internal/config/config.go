package config

import (
	"os"
	"time"

	"flyball/detect/enforce/breaker"
	"flyball/detect/engine"
	"flyball/detect/learn"
	"flyball/schema"
)

// Config is everything that can be set. Each key of the file is a variable of the environment as well: kafka.listen is
// FLYBALL_KAFKA_LISTEN.
type Config struct {
	Tenant        string     `yaml:"tenant"`
	Data          string     `yaml:"data"` // embedded parts keep their files here
	Kafka         Kafka      `yaml:"kafka"`
	ClickHouse    ClickHouse `yaml:"clickhouse"`
	Control       Control    `yaml:"control"`
	Check         Check      `yaml:"check"`
	Metrics       Listener   `yaml:"metrics"`
	SecretKeyFile string     `yaml:"secret_key_file"` // HMAC key of the deployment; `up` makes one under data
	Detect        Detect     `yaml:"detect"`
	Learn         Learn      `yaml:"learn"`
	Mappings      []string   `yaml:"mappings"` // files that describe the records of other gateways
	Routes        []Route    `yaml:"routes"`
	Agents        []Agent    `yaml:"agents"`
	Alerts        Alerts     `yaml:"alerts"`

	File string `yaml:"-"` // the file that was read; empty: there was none
}

// Kafka is the log. Without brokers the embedded one starts.
type Kafka struct {
	Brokers    []string `yaml:"brokers"`
	Listen     string   `yaml:"listen"`
	Sync       bool     `yaml:"sync"`       // embedded: fsync before acknowledging
	Partitions int      `yaml:"partitions"` // of flyball.calls, fixed at creation
	TLS        TLS      `yaml:"tls"`
	SASL       SASL     `yaml:"sasl"`
	Inputs     []Input  `yaml:"inputs"`
}

// TLS of a client connection; empty is plain text.
type TLS struct {
	CA   string `yaml:"ca"`
	Cert string `yaml:"cert"`
	Key  string `yaml:"key"`
}

// SASL of the Kafka client. With the embedded broker it is what shippers
// authenticate with, and off loopback it must be set.
type SASL struct {
	Mechanism    string `yaml:"mechanism"` // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
	User         string `yaml:"user"`
	PasswordFile string `yaml:"password_file"`
}

// Input is a topic to read.
type Input struct {
	Topic    string `yaml:"topic"`
	Format   string `yaml:"format"`
	Signal   string `yaml:"signal"`
	Timezone string `yaml:"timezone"`
	// TrustedHops is how many proxies before the logging gateway are trusted to have
	// written their entry of X-Forwarded-For; 0: the client is the logged peer.
	TrustedHops int `yaml:"trusted_hops"`
}

// ClickHouse is where calls are stored. Without addresses the embedded engine starts. Addresses are those of the HTTP
// interface.
type ClickHouse struct {
	Addr         []string `yaml:"addr"`
	Listen       string   `yaml:"listen"`
	Database     string   `yaml:"database"`
	User         string   `yaml:"user"`
	PasswordFile string   `yaml:"password_file"`
	TLS          TLS      `yaml:"tls"`
	Cluster      string   `yaml:"cluster"`
}

// Control is the listener for operators and tools.
type Control struct {
	Listen string  `yaml:"listen"`
	Tokens []Token `yaml:"tokens"`
	// Point names this enforcement point: the same after a restart, and of no other point.
	Point      string     `yaml:"point"`
	TripBudget TripBudget `yaml:"trip_budget"`
	// TLS of the listener. With a ca, clients must show a certificate of it.
	TLS TLS `yaml:"tls"`
	// PublicURL is put before the paths of links in pages; empty: pages have no links that decide.
	PublicURL string `yaml:"public_url"`
	// WithoutManifest is what happens to irreversible calls of agents without a manifest: allow, ask (a person
	// approves them), ask_while_learning (while the agent's baseline is learning).
	WithoutManifest   string  `yaml:"without_manifest"`
	ThrottlePerSecond float64 `yaml:"throttle_per_second"` // calls of a throttled scope that pass at one point
}

// TripBudget bounds automatic trips of a tenant; beyond it they become pages.
type TripBudget struct {
	PerHour       int `yaml:"per_hour"`
	AgentsPercent int `yaml:"agents_percent"` // of the active agents, at least one
}

// Learn is about baselines, which are made of closed clean runs.
type Learn struct {
	Every      Duration `yaml:"every"`
	Quarantine Duration `yaml:"quarantine"` // how long a run must have been closed
	Window     Duration `yaml:"window"`
	MinRuns    int      `yaml:"min_runs"`
}

// Token authenticates a caller of the operators' API.
type Token struct {
	Name    string        `yaml:"name"`
	Role    string        `yaml:"role"`       // viewer, responder, admin, orchestrator
	Value   schema.Secret `yaml:"value_file"` // holds the token, or sha256: and its hash
	Tenants []string      `yaml:"tenants"`    // empty: any
	Expires Time          `yaml:"expires"`    // RFC 3339; empty: never
}

// Check is the listener for gateways.
type Check struct {
	Listen    string `yaml:"listen"`
	GRPC      string `yaml:"grpc"`
	TLS       TLS    `yaml:"tls"`
	TokenFile string `yaml:"token_file"`
	// TrustedHops is the same for the gateways that call the check; 0: the client is the address that the gateway
	// names as its peer.
	TrustedHops int `yaml:"trusted_hops"`
}

// Listener is an address.
type Listener struct {
	Listen string `yaml:"listen"`
}

// Detect is about the detector: what it decides by, what it remembers, how often it writes.
type Detect struct {
	Mode              string       `yaml:"mode"`  // observe, armed
	Armed             []string     `yaml:"armed"` // enforced in mode observe: billing/* (agents), tag:payments, family:runaway.loop
	Policy            []PolicyRule `yaml:"policy"`
	Exceptions        []Exception  `yaml:"exceptions"`
	TripTTL           Duration     `yaml:"trip_ttl"`
	FalseTripsPer1000 float64      `yaml:"false_trips_per_1000"`
	// FalseSuspicionsPer1000 is how many of 1000 sessions of people may be taken for a machine's.
	FalseSuspicionsPer1000 float64 `yaml:"false_suspicions_per_1000"`
	// LearnedScope is off, observe (enforced only where family:scope is armed by name) or enforce (armed like the rest).
	LearnedScope string `yaml:"learned_scope"`

	MaxOpenRunsPerActor int `yaml:"max_open_runs_per_actor"`
	// MaxOpenRuns and MaxActors are of the process, over all partitions. Established callers may use all of it, independent
	// of the others; proven ones at most half and claimed ones at most half, while all together use less than all.
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
	Reversibility Reversibility `yaml:"reversibility"` // of the worst that was done
	Action        Action        `yaml:"action"`        // annotate, throttle, gate, deny
	TTL           Duration      `yaml:"ttl"`
}

// Route is an operator's route.
type Route struct {
	Method        string        `yaml:"method"`
	Template      string        `yaml:"template"`
	Effect        Effect        `yaml:"effect"`
	Reversibility Reversibility `yaml:"reversibility"`
	Resources     []string      `yaml:"resources"` // parameters that name resources: "order_id:order"
	Tool          string        `yaml:"tool"`      // of MCP and the like, instead of a template
	Amount        string        `yaml:"amount"`    // where the amount of money is: arg:NAME, query:NAME, path:NAME, header:NAME, field:NAME
	Currency      string        `yaml:"currency"`  // where the currency is, or a fixed one: EUR
	MCP           bool          `yaml:"mcp"`       // an MCP server answers the template
	OpenAPI       string        `yaml:"openapi"`   // file with an OpenAPI 3 document, instead of the keys above
	Base          string        `yaml:"base"`      // prefix of the document's paths; empty: the path of its first server
}

// Agent is an entry of the registry: which agent a credential belongs to.
type Agent struct {
	ID         string   `yaml:"id"`
	Credential string   `yaml:"credential"`
	SPIFFE     string   `yaml:"spiffe"`
	Consumer   string   `yaml:"consumer"`
	Owner      string   `yaml:"owner"`
	Tags       []string `yaml:"tags"`
	// Criticality of what the agent does, for people and for policy: low, normal, high.
	Criticality string `yaml:"criticality"`
}

// defaultPartitions is how many partitions flyball.calls has unless kafka.partitions is set.
const defaultPartitions = 8

// Default is the configuration of an empty file. What a part has a default for comes from that part.
func Default() Config {
	return Config{
		Tenant: "default",
		Data:   "flyball-data",
		Kafka: Kafka{Listen: "127.0.0.1:9092", Partitions: defaultPartitions, Inputs: []Input{
			{Topic: "gateway-logs", Format: "auto"},
			{Topic: "otlp_spans", Format: "otlp_proto", Signal: "traces"},
			{Topic: "otlp_logs", Format: "otlp_proto", Signal: "logs"},
		}},
		ClickHouse: ClickHouse{Listen: "127.0.0.1:8123", Database: "flyball"},
		Control:    defaultControl(),
		Check:      Check{Listen: "127.0.0.1:7172", GRPC: "127.0.0.1:7173"},
		Metrics:    Listener{Listen: "127.0.0.1:7174"},
		Learn:      defaultLearn(),
		Detect:     defaultDetect(),
	}
}

func defaultControl() Control {
	budget := breaker.DefaultBudget()
	return Control{Listen: "127.0.0.1:7171", Point: hostname(),
		TripBudget:      TripBudget{PerHour: budget.PerHour, AgentsPercent: budget.Percent},
		WithoutManifest: WithoutManifestAllow, ThrottlePerSecond: 1}
}

func defaultLearn() Learn {
	o := learn.DefaultOptions()
	return Learn{Every: Duration(o.Every), Quarantine: Duration(o.Quarantine), Window: Duration(o.Window), MinRuns: o.MinRuns}
}

func defaultDetect() Detect {
	e := engine.DefaultConfig()
	l := e.Limits // of one of defaultPartitions
	return Detect{
		Mode: ModeObserve, LearnedScope: LearnedScopeObserve, TripTTL: Duration(e.Rules.TTL),
		FalseTripsPer1000: e.FalseTrips * 1000, FalseSuspicionsPer1000: e.FalseSuspicions * 1000,
		MaxOpenRunsPerActor: l.OpenRunsPerActor,
		MaxOpenRuns:         l.OpenRuns * defaultPartitions, MaxActors: l.Actors * defaultPartitions,
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

// Duration is written as Go writes it: 15m.
type Duration time.Duration

func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText writes the duration.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}
