package plugin

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"flyball/schema"
)

// settings are what an administrator enters, or a file of provisioning holds. Password, token and certificate authority are
// secure values: Grafana keeps them encrypted and shows them to nobody.
type settings struct {
	Addr     string `json:"addr"` // host:port of ClickHouse's HTTP interface
	Database string `json:"database"`
	User     string `json:"user"`
	// Tenant binds the data source: every question and every action is of this tenant. Empty: all tenants.
	Tenant        string `json:"tenant"`
	TLS           bool   `json:"tls"` // ClickHouse's interface speaks HTTPS
	TLSSkipVerify bool   `json:"tlsSkipVerify"`
	// ControlURL is the address of the control API, to which actions go. Empty: actions are off.
	ControlURL string `json:"controlUrl"`
	// Roles maps the roles of Grafana to what its users may do: none, see, respond, bypass.
	Roles map[string]string `json:"roles"`
	// SQL is what a user must be allowed to do to run statements: see (also empty), respond, bypass; none: nobody runs any.
	SQL string `json:"sql"`

	password, controlToken schema.Secret
	caCert                 string // PEM; empty: the authorities of the system
	access                 map[string]access
	sqlNeeds               access // accessNone: nobody runs statements
}

// secureMembers are the names of secure values. They must not be in the open settings, which every user can read.
var secureMembers = []string{"password", "controlToken", "caCert"}

// readSettings reads and checks the settings of a data source. Errors name the member, its value and what to do.
func readSettings(in backend.DataSourceInstanceSettings) (*settings, error) {
	s := &settings{Addr: "127.0.0.1:8123", Database: "flyball"}
	if len(in.JSONData) > 0 {
		var members map[string]json.RawMessage
		if err := errors.Join(json.Unmarshal(in.JSONData, &members), json.Unmarshal(in.JSONData, s)); err != nil {
			return nil, fmt.Errorf("jsonData: %w", err)
		}
		for _, name := range secureMembers {
			if _, open := members[name]; open {
				return nil, fmt.Errorf("%s: it is in jsonData, which every user can read: put it into secureJsonData, and change the secret", name)
			}
		}
	}
	s.User = cmp.Or(s.User, "default")
	secure := in.DecryptedSecureJSONData
	s.password, s.caCert = schema.Secret(secure["password"]), strings.TrimSpace(secure["caCert"])
	s.controlToken = schema.Secret(strings.TrimSpace(secure["controlToken"]))
	return s, s.validate()
}

func (s *settings) validate() error {
	if err := checkAddr(s.Addr); err != nil {
		return fmt.Errorf("addr: %w", err)
	}
	if s.Database == "" {
		return errors.New("database: empty; name the database of Flyball's tables, usually flyball")
	}
	if s.caCert != "" && s.TLSSkipVerify {
		return errors.New("tlsSkipVerify, caCert: with the first, certificates are not verified and the second has no effect; leave one out")
	}
	if s.caCert != "" && !x509.NewCertPool().AppendCertsFromPEM([]byte(s.caCert)) {
		return errors.New("caCert: no certificate in it; it must begin with -----BEGIN CERTIFICATE-----")
	}
	if s.ControlURL != "" {
		if err := s.checkControlURL(); err != nil {
			return fmt.Errorf("controlUrl: %w", err)
		}
	}
	var err error
	if s.access, err = readRoles(s.Roles); err != nil {
		return err
	}
	level := slices.Index(accessWords, cmp.Or(s.SQL, accessSee.String()))
	if level < 0 {
		return fmt.Errorf("sql: %q is none of %s", s.SQL, strings.Join(accessWords, ", "))
	}
	s.sqlNeeds = access(level)
	return nil
}

// checkAddr returns an error unless the address is host:port. It does not repeat what may be a password.
func checkAddr(addr string) error {
	if scheme, _, is := strings.Cut(addr, "://"); is {
		u, err := url.Parse(addr)
		if err != nil || u.Host == "" {
			return fmt.Errorf("it begins with %s://; write host:port of ClickHouse's HTTP interface, such as 127.0.0.1:8123", scheme)
		}
		want := u.Host
		if u.Port() == "" {
			want += map[bool]string{true: ":8443", false: ":8123"}[scheme == "https"]
		}
		advice := "write " + want
		if scheme == "https" {
			advice += " and set tls"
		}
		return fmt.Errorf("it begins with %s://, and must be host:port: %s", scheme, advice)
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil || host == "" || port == "" || strings.ContainsAny(addr, "/@") {
		return fmt.Errorf("%q is not host:port of ClickHouse's HTTP interface, such as 127.0.0.1:8123", addr)
	}
	return nil
}

// checkControlURL checks the address of the control API and removes a slash at its end.
func (s *settings) checkControlURL() error {
	u, err := url.Parse(s.ControlURL)
	switch {
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return errors.New("it must be http:// or https:// and a host, such as https://flyball.example:7171")
	case u.User != nil:
		return errors.New("a user or password is in it: put a token into secureJsonData.controlToken")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("it must end with the host, the port or a path")
	case u.Scheme == "http" && s.controlToken != "" && !isLoopback(u.Hostname()):
		return fmt.Errorf("http:// sends the token in clear text to %s; use https://, and caCert if its authority is your own", u.Hostname())
	}
	s.ControlURL = strings.TrimSuffix(s.ControlURL, "/")
	return nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// tlsConfig returns the TLS configuration of connections to ClickHouse and to the control API.
func (s *settings) tlsConfig() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: s.TLSSkipVerify}
	if s.caCert != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		pool.AppendCertsFromPEM([]byte(s.caCert))
		c.RootCAs = pool
	}
	return c
}
