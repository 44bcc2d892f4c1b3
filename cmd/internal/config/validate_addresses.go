package config

import (
	"fmt"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// maxPort is the highest port.
const maxPort = 65535

// splitAddress returns host and port of an address. The error says how to write it.
func splitAddress(addr string) (host string, port int, err error) {
	if scheme, rest, found := strings.Cut(addr, "://"); found {
		return "", 0, fmt.Errorf("%q has a scheme (%s://); write %s", addr, scheme, strings.TrimRight(rest, "/"))
	}
	host, text, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, fmt.Errorf("%q is not host:port", addr)
	}
	if port, err = strconv.Atoi(text); err != nil || port < 0 || port > maxPort {
		return "", 0, fmt.Errorf("%q is not host:port: the port must be 0 to %d", addr, maxPort)
	}
	return host, port, nil
}

// remoteAddress reports an address to connect to that is not host:port.
func (p *problems) remoteAddress(key, addr, tlsKey string) {
	host, port, err := splitAddress(addr)
	switch {
	case err != nil && strings.HasPrefix(addr, "https://"):
		p.add("%s: %w, and set %s (ca: FILE, or cert and key)", key, err, tlsKey)
	case err != nil:
		p.add("%s: %w", key, err)
	case host == "" || port == 0:
		p.add("%s: %q must name a host and a port above 0", key, addr)
	}
}

// validate checks the login of Kafka's clients, or of shippers.
func (s SASL) validate(p *problems) {
	if s == (SASL{}) {
		return
	}
	switch {
	case s.Mechanism == "":
		p.add("kafka.sasl.mechanism: empty, and kafka.sasl.user or kafka.sasl.password_file is set: there would be no login; one of %s",
			strings.Join(SASLMechanisms, ", "))
	default:
		p.mustBeOneOf("kafka.sasl.mechanism", s.Mechanism, SASLMechanisms...)
	}
	if s.User == "" {
		p.add("kafka.sasl.user: empty; %s needs a user", s.Mechanism)
	}
	if s.PasswordFile == "" {
		p.add("kafka.sasl.password_file: empty; name the file that holds the password")
	}
}

// SASLMechanisms are the mechanisms of the login to Kafka.
var SASLMechanisms = []string{"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}

// validate checks that certificate and key are both set or neither. listener is set for a section that
// serves TLS: that needs a certificate.
func (t TLS) validate(p *problems, key string, listener bool) {
	switch {
	case t.Cert == "" && t.Key != "":
		p.add("%s.key is set and %s.cert is empty: set both or neither", key, key)
	case t.Key == "" && t.Cert != "":
		p.add("%s.cert is set and %s.key is empty: set both or neither", key, key)
	case listener && t.CA != "" && t.Cert == "":
		p.add("%s.ca is set and %s.cert is empty: a listener that asks for certificates needs one of its own", key, key)
	}
}

var (
	// identifierForm is the form of names in ClickHouse that need no quotes.
	identifierForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	// topicForm is the form of names of Kafka's topics.
	topicForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,249}$`)
)

// identifier reports a name that ClickHouse cannot take as it is. An empty name is allowed.
func (p *problems) identifier(key, name string) {
	if name != "" && !identifierForm.MatchString(name) {
		p.add("%s: %q must be of letters, digits and _, and not begin with a digit", key, name)
	}
}

// within reports a duration outside of a range.
func within(p *problems, key string, d Duration, low, high time.Duration) {
	if v := time.Duration(d); v < low || v > high {
		p.add("%s: %s is not within %s and %s", key, d, low, high)
	}
}
