package config

import (
	"os"
	"time"

	"flyball/schema"
)

// Config is everything that can be set. The YAML keys are the environment's
// names too: FLYBALL_KAFKA_LISTEN is kafka.listen.
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
	Mappings      []string   `yaml:"mappings"` // files that say how the records of other gateways are read
	Routes        []Route    `yaml:"routes"`
	Agents        []Agent    `yaml:"agents"`
	Alerts        Alerts     `yaml:"alerts"`

	File string `yaml:"-"` // it was read from; empty: there was none
}

// Kafka says where the log is. Without brokers the embedded one starts.
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

// ClickHouse says where calls are stored. Without addresses the embedded
// engine starts. Addresses are of ClickHouse's HTTP interface.
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
	// Point names this enforcement point: stable over restarts, one of its kind.
	Point      string     `yaml:"point"`
	TripBudget TripBudget `yaml:"trip_budget"`
	TLS        TLS        `yaml:"tls"`        // cert and key of the listener; ca: clients must show a certificate of it
	PublicURL  string     `yaml:"public_url"` // what stands before the paths of links in pages; empty: pages hold no links that decide
	// WithoutManifest says what irreversible calls of agents without a manifest meet: allow, ask,
	// ask_while_learning (their baseline).
	WithoutManifest   string  `yaml:"without_manifest"`
	ThrottlePerSecond float64 `yaml:"throttle_per_second"` // calls of a throttled scope that pass at one point
}

// TripBudget bounds what automatic trips may do to a tenant; beyond it they
// become pages.
type TripBudget struct {
	PerHour       int `yaml:"per_hour"`
	AgentsPercent int `yaml:"agents_percent"` // of the active agents, at least one
}

// Learn makes baselines of closed clean runs.
type Learn struct {
	Every      Duration `yaml:"every"`
	Quarantine Duration `yaml:"quarantine"` // how long a run must have been closed
	Window     Duration `yaml:"window"`
	MinRuns    int      `yaml:"min_runs"`
}

// Token lets a tool in.
type Token struct {
	Name    string        `yaml:"name"`
	Role    string        `yaml:"role"`       // viewer, responder, admin, orchestrator
	Value   schema.Secret `yaml:"value_file"` // holds the token, or sha256: and its hash
	Tenants []string      `yaml:"tenants"`    // empty: any
	Expires string        `yaml:"expires"`    // RFC 3339; empty: never
}

// Check is the listener for gateways.
type Check struct {
	Listen    string `yaml:"listen"`
	GRPC      string `yaml:"grpc"`
	TLS       TLS    `yaml:"tls"`
	TokenFile string `yaml:"token_file"`
	// TrustedHops is the same of the gateways that ask; 0: the client is the address that
	// the gateway names as its peer.
	TrustedHops int `yaml:"trusted_hops"`
}

// Listener is an address.
type Listener struct {
	Listen string `yaml:"listen"`
}

// Detect bounds what a partition remembers and paces what it writes.
type Detect struct {
	Mode              string       `yaml:"mode"`  // observe, armed
	Armed             []string     `yaml:"armed"` // what is armed in mode observe: agents as billing/*, tag:payments, family:runaway.loop
	Policy            []PolicyRule `yaml:"policy"`
	Exceptions        []Exception  `yaml:"exceptions"`
	TripTTL           Duration     `yaml:"trip_ttl"`
	FalseTripsPer1000 float64      `yaml:"false_trips_per_1000"`
	// Of people's sessions that may be taken for a machine's.
	FalseSuspicionsPer1000 float64 `yaml:"false_suspicions_per_1000"`
	LearnedScope           string  `yaml:"learned_scope"` // off, observe (held only where family:scope is armed by name), enforce (armed like the rest)

	MaxOpenRunsPerActor int `yaml:"max_open_runs_per_actor"`
	// Of the process, over all partitions. Established callers have room up to the whole,
	// whatever the others hold; proven ones up to half and claimed ones up to half, as long
	// as all together hold less than the whole.
	MaxOpenRuns     int      `yaml:"max_open_runs"`
	MaxActors       int      `yaml:"max_actors"`
	SessionGap      Duration `yaml:"session_gap"`
	ConversationGap Duration `yaml:"conversation_gap"`
	RunGap          Duration `yaml:"run_gap"`
	Lateness        Duration `yaml:"lateness"`
	CheckpointEvery Duration `yaml:"checkpoint_every"`
}

// PolicyRule is a rule of what is done about which finding. The most specific holds.
type PolicyRule struct {
	Name          string   `yaml:"name"`
	Level         string   `yaml:"level"` // alert, trip
	Agent         string   `yaml:"agent"`
	Tag           string   `yaml:"tag"`
	Family        string   `yaml:"family"`
	Criticality   string   `yaml:"criticality"`   // low, normal, high
	Reversibility string   `yaml:"reversibility"` // of the worst that was done
	Action        string   `yaml:"action"`        // annotate, throttle, gate, deny
	TTL           Duration `yaml:"ttl"`
}

// Route is an operator's route.
type Route struct {
	Method        string   `yaml:"method"`
	Template      string   `yaml:"template"`
	Effect        string   `yaml:"effect"`
	Reversibility string   `yaml:"reversibility"`
	Resources     []string `yaml:"resources"` // parameters that name resources: "order_id:order"
	Tool          string   `yaml:"tool"`      // of MCP and the like, instead of a template
	Amount        string   `yaml:"amount"`    // where the money stands: arg:NAME, query:NAME, path:NAME, header:NAME, field:NAME
	Currency      string   `yaml:"currency"`  // where it stands, or the one that it always is: EUR
	MCP           bool     `yaml:"mcp"`       // an MCP server answers the template
	OpenAPI       string   `yaml:"openapi"`   // an OpenAPI 3 document, instead of all of these
	Base          string   `yaml:"base"`      // what stands before its paths; else the path of its first server
}

// Agent is a line of the registry: which agent a credential belongs to.
type Agent struct {
	ID         string   `yaml:"id"`
	Credential string   `yaml:"credential"`
	SPIFFE     string   `yaml:"spiffe"`
	Consumer   string   `yaml:"consumer"`
	Owner      string   `yaml:"owner"`
	Tags       []string `yaml:"tags"`
	// Criticality of what it does, for people and for policy: low, normal, high.
	Criticality string `yaml:"criticality"`
}

// Default is the only source of defaults.
func Default() Config {
	return Config{
		Tenant: "default",
		Data:   "flyball-data",
		Kafka: Kafka{Listen: "127.0.0.1:9092", Partitions: 8, Inputs: []Input{
			{Topic: "gateway-logs", Format: "auto"},
			{Topic: "otlp_spans", Format: "otlp_proto", Signal: "traces"},
			{Topic: "otlp_logs", Format: "otlp_proto", Signal: "logs"},
		}},
		ClickHouse: ClickHouse{Listen: "127.0.0.1:8123", Database: "flyball"},
		Control:    Control{Listen: "127.0.0.1:7171", Point: hostname(), TripBudget: TripBudget{PerHour: 5, AgentsPercent: 10}, WithoutManifest: "allow", ThrottlePerSecond: 1},
		Check:      Check{Listen: "127.0.0.1:7172", GRPC: "127.0.0.1:7173"},
		Metrics:    Listener{Listen: "127.0.0.1:7174"},
		Learn:      Learn{Every: Duration(time.Hour), Quarantine: Duration(24 * time.Hour), Window: Duration(30 * 24 * time.Hour), MinRuns: 50},
		Detect: Detect{
			Mode: "observe", FalseTripsPer1000: 1, LearnedScope: "observe", FalseSuspicionsPer1000: 10, TripTTL: Duration(15 * time.Minute),
			MaxOpenRunsPerActor: 2000, MaxOpenRuns: 400_000, MaxActors: 400_000,
			SessionGap: Duration(10 * time.Minute), ConversationGap: Duration(30 * time.Minute), RunGap: Duration(30 * time.Minute),
			Lateness: Duration(5 * time.Minute), CheckpointEvery: Duration(30 * time.Second),
		},
	}
}

func hostname() string {
	if h, err := os.Hostname(); err == nil && h != "" {
		return h
	}
	return "point"
}

// Duration is a duration written as Go writes it: 15m.
type Duration time.Duration

func (d Duration) String() string            { return time.Duration(d).String() }
func (d Duration) MarshalYAML() (any, error) { return d.String(), nil }
func (d *Duration) UnmarshalYAML(read func(any) error) error {
	var s string
	if err := read(&s); err != nil {
		return err
	}
	return d.UnmarshalText([]byte(s))
}

// UnmarshalText reads a duration.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}
