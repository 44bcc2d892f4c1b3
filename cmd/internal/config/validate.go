package config

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"flyball/schema"
)

// Validate names the key, the value and the rule that it breaks. roles are the
// ones that are to start; none checks what all have in common.
func (c Config) Validate(roles ...string) error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if c.Tenant == "" {
		bad("tenant: empty; name the tenant that calls belong to")
	}
	if c.Kafka.Partitions < 1 || c.Kafka.Partitions > 4096 {
		bad("kafka.partitions: %d is not within 1 and 4096", c.Kafka.Partitions)
	}
	if c.Kafka.Sync && len(c.Kafka.Brokers) > 0 {
		bad("kafka.sync is true and kafka.brokers is set: sync is about the embedded broker, which does not start; remove one")
	}
	if len(c.Kafka.Brokers) == 0 {
		if m := c.Kafka.SASL.Mechanism; m != "" && m != "PLAIN" {
			bad("kafka.sasl.mechanism: %q; the embedded broker takes PLAIN (kafka.brokers is empty)", m)
		}
		if c.Kafka.SASL.Mechanism != "" && (c.Kafka.SASL.User == "" || c.Kafka.SASL.User == "flyball") {
			bad("kafka.sasl.user: %q; shippers of the embedded broker need a name other than flyball, which is Flyball's own", c.Kafka.SASL.User)
		}
		if c.Kafka.TLS != (TLS{}) {
			bad("kafka.tls is set and kafka.brokers is empty: the embedded broker speaks no TLS; remove one")
		}
	}
	if c.ClickHouse.Cluster != "" && len(c.ClickHouse.Addr) == 0 {
		bad("clickhouse.cluster is %q and clickhouse.addr is empty: the embedded engine is no cluster; set clickhouse.addr", c.ClickHouse.Cluster)
	}
	if c.ClickHouse.Database == "" {
		bad("clickhouse.database: empty; name a database")
	}
	if len(c.Kafka.Inputs) == 0 {
		bad("kafka.inputs: empty; name at least one topic to read")
	}
	formats := c.formatNames(bad)
	seen := map[string]bool{}
	for i, in := range c.Kafka.Inputs {
		at := fmt.Sprintf("kafka.inputs[%d]", i)
		switch {
		case in.Topic == "":
			bad("%s.topic: empty", at)
		case strings.HasPrefix(in.Topic, "flyball."):
			bad("%s.topic: %s is a topic of Flyball's own", at, in.Topic)
		case seen[in.Topic]:
			bad("%s.topic: %s is read twice", at, in.Topic)
		}
		seen[in.Topic] = true
		if in.Format == "" || !slices.Contains(formats, in.Format) {
			bad("%s.format: %q is none of %s, and no file of mappings has that name", at, in.Format, strings.Join(formats, ", "))
		}
		if in.TrustedHops < 0 || in.TrustedHops > mostHops {
			bad("%s.trusted_hops: %d must be 0 to %d", at, in.TrustedHops, mostHops)
		}
		if !slices.Contains([]string{"", "traces", "logs"}, in.Signal) {
			bad("%s.signal: %q is none of traces, logs", at, in.Signal)
		}
	}
	if c.Check.TrustedHops < 0 || c.Check.TrustedHops > mostHops {
		bad("check.trusted_hops: %d must be 0 to %d", c.Check.TrustedHops, mostHops)
	}
	c.validateListeners(bad)
	c.validateDetect(bad)
	c.Alerts.validate(bad)
	c.validateAgents(bad)
	for i, r := range c.Routes {
		var e schema.Effect
		if r.Effect != "" && e.UnmarshalText([]byte(r.Effect)) != nil {
			bad("routes[%d].effect: %q is none of %s", i, r.Effect, strings.Join(schema.EffectWords, ", "))
		}
		var v schema.Reversibility
		if r.Reversibility != "" && v.UnmarshalText([]byte(r.Reversibility)) != nil {
			bad("routes[%d].reversibility: %q is none of %s", i, r.Reversibility, strings.Join(schema.ReversibilityWords, ", "))
		}
		if r.OpenAPI != "" {
			if r.Method+r.Template+r.Tool+r.Effect+r.Reversibility+r.Amount+r.Currency != "" || len(r.Resources) > 0 || r.MCP {
				bad("routes[%d].openapi: stands alone, with base: what it says of a route stands in the document, as x-flyball-effect", i)
			}
			continue
		}
		if r.MCP && r.Tool != "" {
			bad("routes[%d].mcp: is of a template, not of a tool", i)
		}
		if r.Tool != "" && r.Template == "" {
			continue
		}
		if !strings.HasPrefix(r.Template, "/") {
			bad("routes[%d].template: %q must start with /", i, r.Template)
		}
	}
	for key, file := range map[string]string{
		"secret_key_file": c.SecretKeyFile, "kafka.tls.ca": c.Kafka.TLS.CA, "kafka.tls.cert": c.Kafka.TLS.Cert, "kafka.tls.key": c.Kafka.TLS.Key,
		"kafka.sasl.password_file": c.Kafka.SASL.PasswordFile, "clickhouse.password_file": c.ClickHouse.PasswordFile, "clickhouse.tls.ca": c.ClickHouse.TLS.CA,
		"check.token_file": c.Check.TokenFile, "control.tls.ca": c.Control.TLS.CA, "control.tls.cert": c.Control.TLS.Cert, "control.tls.key": c.Control.TLS.Key,
		"check.tls.ca": c.Check.TLS.CA, "check.tls.cert": c.Check.TLS.Cert, "check.tls.key": c.Check.TLS.Key,
	} {
		if file == "" {
			continue
		}
		if f, err := os.Open(file); err != nil {
			bad("%s: %w", key, err)
		} else {
			f.Close()
		}
	}
	for _, role := range roles {
		if role == "up" {
			continue
		}
		if len(c.Kafka.Brokers) == 0 {
			bad("kafka.brokers: empty; the role %s alone needs an outside Kafka (flyball up starts an embedded one)", role)
		}
		if (role == "store" || role == "learn") && len(c.ClickHouse.Addr) == 0 {
			bad("clickhouse.addr: empty; the role %s alone needs an outside ClickHouse (flyball up starts an embedded one)", role)
		}
		if role == "alert" && len(c.Alerts.Receivers) == 0 {
			bad("alerts.receivers: empty; the role alert has nobody to tell")
		}
		if (role == "ingest" || role == "control") && c.SecretKeyFile == "" {
			bad("secret_key_file: empty; the role %s alone needs the deployment's key (flyball up makes one at %s/secret.key)", role, c.Data)
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// mostHops bounds how many proxies may be trusted to name a client's address.
const mostHops = 32

func (c Config) validateListeners(bad func(string, ...any)) {
	listeners := map[string]string{"control.listen": c.Control.Listen, "check.listen": c.Check.Listen, "check.grpc": c.Check.GRPC, "metrics.listen": c.Metrics.Listen}
	if len(c.Kafka.Brokers) == 0 {
		listeners["kafka.listen"] = c.Kafka.Listen
	}
	if len(c.ClickHouse.Addr) == 0 {
		listeners["clickhouse.listen"] = c.ClickHouse.Listen
	}
	keys := make([]string, 0, len(listeners))
	for k := range listeners {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	taken := map[string]string{}
	for _, k := range keys {
		host, port, err := net.SplitHostPort(listeners[k])
		if err != nil {
			bad("%s: %q is not host:port", k, listeners[k])
			continue
		}
		if other := taken[listeners[k]]; other != "" && port != "0" {
			bad("%s and %s are both %s: each needs an address of its own", other, k, listeners[k])
		}
		taken[listeners[k]] = k
		ip := net.ParseIP(host)
		loopback := host == "localhost" || ip != nil && ip.IsLoopback()
		if strings.HasPrefix(k, "check.") && !loopback && c.Check.TokenFile == "" && c.Check.TLS.CA == "" {
			bad("%s: %s is not loopback, and neither check.tls.ca nor check.token_file is set: gateways must authenticate", k, listeners[k])
		}
		if k == "kafka.listen" && !loopback && c.Kafka.SASL.Mechanism == "" {
			bad("kafka.listen: %s is not loopback, and kafka.sasl is empty: who ships records from elsewhere must authenticate", listeners[k])
		}
		if k == "control.listen" && !loopback && (len(c.Control.Tokens) == 0 || c.Control.TLS.Cert == "") {
			bad("%s: %s is not loopback, and control.tokens or control.tls is empty: whoever reaches it could open and close breakers", k, listeners[k])
		}
	}
}

// ValidateDetect is Validate for what decisions of the detector are made by, for
// commands that start nothing.
func (c Config) ValidateDetect() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	c.validateDetect(bad)
	c.validateAgents(bad)
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

func (c Config) validateAgents(bad func(string, ...any)) {
	for i, a := range c.Agents {
		if !slices.Contains([]string{"", "low", "normal", "high"}, a.Criticality) {
			bad("agents[%d].criticality: %q is none of low, normal, high", i, a.Criticality)
		}
	}
}

func (c Config) validateDetect(bad func(string, ...any)) {
	d := c.Detect
	if d.Mode != "observe" && d.Mode != "armed" {
		bad("detect.mode: %q is none of observe, armed", d.Mode)
	}
	if d.FalseSuspicionsPer1000 <= 0 || d.FalseSuspicionsPer1000 > 50 {
		bad("detect.false_suspicions_per_1000: %g is not above 0 and at most 50", d.FalseSuspicionsPer1000)
	}
	if !slices.Contains([]string{"off", "observe", "enforce"}, d.LearnedScope) {
		bad("detect.learned_scope: %q is none of off, observe, enforce", d.LearnedScope)
	}
	if d.FalseTripsPer1000 <= 0 || d.FalseTripsPer1000 > 10 {
		bad("detect.false_trips_per_1000: %g is not above 0 and at most 10", d.FalseTripsPer1000)
	}
	c.validatePolicy(bad)
	d.exceptions(bad)
	for i, p := range d.Armed {
		if _, err := path.Match(p, ""); err != nil || strings.HasSuffix(p, ":") {
			bad("detect.armed[%d]: %q is no pattern: %w", i, p, err)
		}
	}
	if c.Control.Point == "" {
		bad("control.point: empty; name this enforcement point")
	}
	if b := c.Control.TripBudget; b.PerHour < 0 || b.AgentsPercent < 0 || b.AgentsPercent > 100 {
		bad("control.trip_budget: per_hour %d and agents_percent %d must not be negative, and a percentage is at most 100", b.PerHour, b.AgentsPercent)
	}
	for key, v := range map[string]Duration{"learn.every": c.Learn.Every, "learn.window": c.Learn.Window, "detect.trip_ttl": d.TripTTL} {
		if v <= 0 {
			bad("%s: %s must be above 0", key, v)
		}
	}
	if c.Learn.Quarantine < 0 || c.Learn.MinRuns < 1 {
		bad("learn: quarantine %s must not be negative and min_runs %d must be at least 1", c.Learn.Quarantine, c.Learn.MinRuns)
	}
	for key, v := range map[string]int{"max_open_runs_per_actor": d.MaxOpenRunsPerActor, "max_open_runs": d.MaxOpenRuns, "max_actors": d.MaxActors} {
		if v < 1 {
			bad("detect.%s: %d must be at least 1", key, v)
		}
	}
	if d.MaxOpenRunsPerActor > d.MaxOpenRuns {
		bad("detect.max_open_runs_per_actor is %d and detect.max_open_runs is %d: one actor may not have more than all", d.MaxOpenRunsPerActor, d.MaxOpenRuns)
	}
	for key, v := range map[string]Duration{"session_gap": d.SessionGap, "conversation_gap": d.ConversationGap, "run_gap": d.RunGap, "checkpoint_every": d.CheckpointEvery} {
		if v <= 0 {
			bad("detect.%s: %s must be above 0", key, v)
		}
	}
	if d.Lateness < 0 {
		bad("detect.lateness: %s must not be negative", d.Lateness)
	}
}

func (c Config) validatePolicy(bad func(string, ...any)) {
	among := func(key, v string, words ...string) {
		if v != "" && !slices.Contains(words, v) {
			bad("%s: %q is none of %s", key, v, strings.Join(words, ", "))
		}
	}
	for i, g := range c.Detect.Policy {
		at := fmt.Sprintf("detect.policy[%d].", i)
		among(at+"level", g.Level, "alert", "trip")
		among(at+"criticality", g.Criticality, "low", "normal", "high")
		among(at+"reversibility", g.Reversibility, schema.ReversibilityWords[1:]...)
		among(at+"action", g.Action, schema.ActionWords...)
		if g.Action == "" {
			bad("%saction: empty; one of %s", at, strings.Join(schema.ActionWords, ", "))
		}
		for key, p := range map[string]string{"agent": g.Agent, "tag": g.Tag, "family": g.Family} {
			if _, err := path.Match(p, ""); err != nil {
				bad("%s%s: %q is no pattern: %w", at, key, p, err)
			}
		}
		if g.Family == schema.FamilyBorrowed && (g.Action == "throttle" || g.Action == "deny") {
			bad("%saction: %s; a suspicion of %s may be annotated or gated, no more", at, g.Action, g.Family)
		}
		if g.TTL < 0 {
			bad("%sttl: %s must not be negative", at, g.TTL)
		}
	}
	among("control.without_manifest", c.Control.WithoutManifest, "allow", "ask", "ask_while_learning")
	if c.Control.ThrottlePerSecond <= 0 || c.Control.ThrottlePerSecond > 1000 {
		bad("control.throttle_per_second: %g is not above 0 and at most 1000", c.Control.ThrottlePerSecond)
	}
	names := map[string]bool{}
	for i, t := range c.Control.Tokens {
		at := fmt.Sprintf("control.tokens[%d].", i)
		if t.Name == "" || names[t.Name] {
			bad("%sname: %q; each token has a name of its own: it stands in the audit trail", at, t.Name)
		}
		names[t.Name] = true
		among(at+"role", t.Role, "viewer", "responder", "admin", "orchestrator")
		if _, err := time.Parse(time.RFC3339, t.Expires); t.Expires != "" && err != nil {
			bad("%sexpires: %q is no time as 2027-01-31T00:00:00Z", at, t.Expires)
		}
		if t.Role == "" || t.Value == "" {
			bad("%srole, %svalue_file: both must be set", at, at)
		}
	}
	if u := c.Control.PublicURL; u != "" && !strings.HasPrefix(u, "https://") && !strings.HasPrefix(u, "http://") {
		bad("control.public_url: %q must begin with https:// (or http:// on a network of your own)", u)
	}
}
