package config

import (
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"flyball/schema"
	"flyball/schema/route"
)

// Validate checks the configuration as far as this is possible without a connection. The error
// joins all problems; each contains the key, the value and the rule. roles are the roles to
// start; without roles, only settings that all roles share are checked.
func (c Config) Validate(roles ...string) error {
	var p problems
	p.noPages = len(roles) > 0 && !slices.Contains(roles, "up") && !slices.Contains(roles, "alert")
	if c.Tenant == "" {
		p.add("tenant: empty; name the tenant that calls belong to")
	}
	if c.Tenant == schema.CanaryTenant {
		p.add("tenant: %q is the tenant of flyball canary; choose another", c.Tenant)
	}
	c.validateCanary(&p)
	c.Kafka.validate(&p)
	c.validateInputs(&p)
	c.ClickHouse.validate(&p)
	c.ClickHouse.Retention.validate(&p, c.Learn.Window, c.ClickHouse.Cluster)
	c.validateListeners(&p)
	c.validateDecisions(&p)
	c.Control.validate(&p)
	c.Check.validate(&p)
	c.Learn.validate(&p)
	c.Alerts.validate(&p)
	c.SIEM.validate(&p, c.Kafka.Inputs)
	c.Disk.validate(&p)
	c.Kafka.Retention.validate(&p, len(c.Kafka.Brokers) == 0)
	for i, r := range c.Routes {
		r.validate(&p, i)
	}
	c.validateFiles(&p)
	for _, role := range roles {
		c.validateRole(&p, role)
	}
	return p.err()
}

// ValidateDetect checks only the settings for the detector's decisions. It is for commands
// that do not start a role.
func (c Config) ValidateDetect() error {
	var p problems
	c.validateDecisions(&p)
	c.Control.validate(&p)
	c.Learn.validate(&p)
	return p.err()
}

func (c Config) validateDecisions(p *problems) {
	c.Detect.validate(p)
	c.validateAgents(p)
}

func (k Kafka) validate(p *problems) {
	if k.Partitions < 1 || k.Partitions > maxPartitions {
		p.add("kafka.partitions: %d is not within 1 and %d", k.Partitions, maxPartitions)
	}
	k.SASL.validate(p)
	k.TLS.validate(p, "kafka.tls", false)
	k.SchemaRegistry.validate(p)
	if k.MinFreeMiB < 0 {
		p.add("kafka.min_free_mib: %d is below 0", k.MinFreeMiB)
	}
	if len(k.Brokers) > 0 {
		for i, addr := range k.Brokers {
			p.remoteAddress(fmt.Sprintf("kafka.brokers[%d]", i), addr, "kafka.tls")
		}
		if k.Sync {
			p.add("kafka.sync is true and kafka.brokers is set: sync is about the embedded broker, which does not start; remove one")
		}
		return
	}
	if m := k.SASL.Mechanism; m != "" && m != "PLAIN" {
		p.add("kafka.sasl.mechanism: %q; the embedded broker takes PLAIN (kafka.brokers is empty)", m)
	}
	if k.SASL.Mechanism != "" && (k.SASL.User == "" || k.SASL.User == "flyball") {
		p.add("kafka.sasl.user: %q; shippers of the embedded broker need a name other than flyball, which is Flyball's own", k.SASL.User)
	}
	if k.TLS != (TLS{}) {
		p.add("kafka.tls is set and kafka.brokers is empty: the embedded broker speaks no TLS; remove one")
	}
}

const (
	maxPartitions = 4096
	// maxTrustedHops is the maximum of the trusted_hops settings.
	maxTrustedHops = 32
)

func (c Config) validateInputs(p *problems) {
	if len(c.Kafka.Inputs) == 0 {
		p.add("kafka.inputs: empty; name at least one topic to read")
	}
	formats := c.formatNames(p)
	seen := map[string]bool{}
	for i, in := range c.Kafka.Inputs {
		at := fmt.Sprintf("kafka.inputs[%d]", i)
		switch {
		case in.Topic == "":
			p.add("%s.topic: empty", at)
		case !topicForm.MatchString(in.Topic):
			p.add("%s.topic: %q must be of at most 249 letters, digits, ., _ and -", at, in.Topic)
		case strings.HasPrefix(in.Topic, "flyball."):
			p.add("%s.topic: %s is a topic of Flyball's own", at, in.Topic)
		case seen[in.Topic]:
			p.add("%s.topic: %s is read twice", at, in.Topic)
		}
		seen[in.Topic] = true
		if in.Format == "" || !slices.Contains(formats, in.Format) {
			p.add("%s.format: %q is none of %s, and no file of mappings has that name", at, in.Format, strings.Join(formats, ", "))
		}
		trustedHops(p, at+".trusted_hops", in.TrustedHops)
		p.oneOf(at+".signal", in.Signal, signals...)
		if _, err := time.LoadLocation(in.Timezone); err != nil {
			p.add("%s.timezone: %q is not a time zone such as UTC or Europe/Berlin", at, in.Timezone)
		}
	}
}

func trustedHops(p *problems, key string, n int) {
	if n < 0 || n > maxTrustedHops {
		p.add("%s: %d must be 0 to %d", key, n, maxTrustedHops)
	}
}

func (ch ClickHouse) validate(p *problems) {
	if ch.Cluster != "" && len(ch.Addr) == 0 {
		p.add("clickhouse.cluster is %q and clickhouse.addr is empty: the embedded engine is no cluster; set clickhouse.addr", ch.Cluster)
	}
	if ch.Database == "" {
		p.add("clickhouse.database: empty; name a database")
	}
	p.identifier("clickhouse.database", ch.Database)
	p.identifier("clickhouse.cluster", ch.Cluster)
	for i, addr := range ch.Addr {
		p.remoteAddress(fmt.Sprintf("clickhouse.addr[%d]", i), addr, "clickhouse.tls")
	}
	ch.TLS.validate(p, "clickhouse.tls", false)
	if ch.TLS != (TLS{}) && len(ch.Addr) == 0 {
		p.add("clickhouse.tls is set and clickhouse.addr is empty: the embedded engine speaks no TLS; remove one")
	}
	if ch.PasswordFile != "" && ch.User == "" {
		p.add("clickhouse.password_file is set and clickhouse.user is empty: name the user whose password it is")
	}
}

func (c Check) validate(p *problems) {
	trustedHops(p, "check.trusted_hops", c.TrustedHops)
	c.TLS.validate(p, "check.tls", true)
}

func (r Route) validate(p *problems, i int) {
	key := func(name string) string { return fmt.Sprintf("routes[%d].%s", i, name) }
	if r.Effect.err != nil {
		p.add("%s: %q is none of %s", key("effect"), r.Effect, strings.Join(schema.EffectWords, ", "))
	}
	if r.Reversibility.err != nil {
		p.add("%s: %q is none of %s", key("reversibility"), r.Reversibility, strings.Join(schema.ReversibilityWords, ", "))
	}
	if r.OpenAPI != "" {
		described := r.Method + r.Template + r.Tool + r.Effect.text + r.Reversibility.text + r.Amount + r.Currency + r.CompensatedBy
		if described != "" || len(r.Resources) > 0 || r.MCP {
			p.add("%s: stands alone, with base: what it says of a route stands in the document, as x-flyball-effect", key("openapi"))
		}
		return
	}
	if r.MCP && r.Tool != "" {
		p.add("%s: is of a template, not of a tool", key("mcp"))
	}
	if r.CompensatedBy != "" {
		if err := route.CheckCompensation(r.CompensatedBy); err != nil {
			p.add("%s: %v", key("compensated_by"), err)
		}
		if r.Tool != "" {
			p.add("%s: is of a template, not of a tool", key("compensated_by"))
		}
	}
	if r.Tool != "" && r.Template == "" {
		return
	}
	if !strings.HasPrefix(r.Template, "/") {
		p.add("%s: %q must start with /", key("template"), r.Template)
	}
}

// validateFiles opens the files that settings name.
func (c Config) validateFiles(p *problems) {
	p.readable("secret_key_file", c.SecretKeyFile)
	p.readable("kafka.sasl.password_file", c.Kafka.SASL.PasswordFile)
	p.readable("kafka.schema_registry.password_file", c.Kafka.SchemaRegistry.PasswordFile)
	p.readable("clickhouse.password_file", c.ClickHouse.PasswordFile)
	p.readable("check.token_file", c.Check.TokenFile)
	if info, err := os.Stat(c.Data); c.Data == "" || err == nil && !info.IsDir() {
		p.add("data: %q is not a folder", c.Data)
	}
	for section, t := range map[string]TLS{"kafka.tls": c.Kafka.TLS, "clickhouse.tls": c.ClickHouse.TLS, "control.tls": c.Control.TLS,
		"check.tls": c.Check.TLS, "siem.tls": c.SIEM.TLS, "kafka.schema_registry.tls": c.Kafka.SchemaRegistry.TLS} {
		p.readable(section+".ca", t.CA)
		p.readable(section+".cert", t.Cert)
		p.readable(section+".key", t.Key)
	}
}

// validateRole checks the settings that a role in a separate process needs.
func (c Config) validateRole(p *problems, role string) {
	if role == "up" {
		return
	}
	if len(c.Kafka.Brokers) == 0 {
		p.add("kafka.brokers: empty; the role %s alone needs an outside Kafka (flyball up starts an embedded one)", role)
	}
	switch role {
	case "store", "learn":
		if len(c.ClickHouse.Addr) == 0 {
			p.add("clickhouse.addr: empty; the role %s alone needs an outside ClickHouse (flyball up starts an embedded one)", role)
		}
	case "alert":
		if len(c.Alerts.Receivers) == 0 {
			p.add("alerts.receivers: empty; the role alert has nobody to send pages to")
		}
	case "ingest", "control":
		if c.SecretKeyFile == "" {
			p.add("secret_key_file: empty; the role %s alone needs the deployment's key (flyball up makes one at %s/secret.key)", role, c.Data)
		}
	}
}

// validateListeners checks that all addresses are different, and that listeners on addresses
// other than loopback require authentication.
func (c Config) validateListeners(p *problems) {
	listeners := map[string]string{"control.listen": c.Control.Listen, "check.listen": c.Check.Listen, "check.grpc": c.Check.GRPC,
		"metrics.listen": c.Metrics.Listen}
	if len(c.Kafka.Brokers) == 0 {
		listeners["kafka.listen"] = c.Kafka.Listen
	}
	if len(c.ClickHouse.Addr) == 0 {
		listeners["clickhouse.listen"] = c.ClickHouse.Listen
		if c.ClickHouse.ReadListen != "" {
			listeners["clickhouse.read_listen"] = c.ClickHouse.ReadListen
		}
	}
	for key, addr := range map[string]string{"kafka.listen": c.Kafka.Listen, "clickhouse.listen": c.ClickHouse.Listen,
		"clickhouse.read_listen": c.ClickHouse.ReadListen} {
		// An address that is not used now is used once its part is embedded.
		if _, _, err := splitAddress(addr); err != nil && listeners[key] == "" && addr != "" {
			p.add("%s: %w", key, err)
		}
	}
	taken := map[int][]listening{} // by port
	for _, key := range sortedKeys(listeners) {
		addr := listeners[key]
		host, port, err := splitAddress(addr)
		if err != nil {
			p.add("%s: %w", key, err)
			continue
		}
		for _, other := range taken[port] {
			switch {
			case port == 0:
			case other.addr == addr:
				p.add("%s and %s are both %s: each needs an address of its own", other.key, key, addr)
			case sameHost(other.host, host):
				p.add("%s and %s are %s and %s, which is the same address: each needs one of its own", other.key, key, other.addr, addr)
			}
		}
		taken[port] = append(taken[port], listening{key, addr, host})
		if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			c.validateReachable(p, key, addr)
		}
	}
}

// listening is the address of a listener.
type listening struct{ key, addr, host string }

// sameHost reports whether two listeners with one port and these hosts exclude each other.
func sameHost(a, b string) bool {
	if a == "localhost" {
		a = "127.0.0.1"
	}
	if b == "localhost" {
		b = "127.0.0.1"
	}
	every := func(host string) bool {
		ip := net.ParseIP(host)
		return host == "" || ip != nil && ip.IsUnspecified()
	}
	return a == b || every(a) || every(b)
}

// validateReachable checks that a listener on an address other than loopback requires
// authentication.
func (c Config) validateReachable(p *problems, key, addr string) {
	switch {
	case strings.HasPrefix(key, "check.") && c.Check.TokenFile == "" && c.Check.TLS.CA == "":
		p.add("%s: %s is not loopback, and neither check.tls.ca nor check.token_file is set: gateways must authenticate", key, addr)
	case key == "kafka.listen" && c.Kafka.SASL.Mechanism == "":
		p.add("kafka.listen: %s is not loopback, and kafka.sasl is empty: who ships records from elsewhere must authenticate", addr)
	case key == "control.listen" && (len(c.Control.Tokens) == 0 && c.Control.OIDC.Issuer == "" || c.Control.TLS.Cert == ""):
		p.add("%s: %s is not loopback, and control.tokens or control.tls is empty (control.oidc can stand for tokens): "+
			"whoever reaches it could open and close breakers", key, addr)
	}
}
