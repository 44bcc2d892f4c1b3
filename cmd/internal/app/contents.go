package app

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"

	"flyball/cmd/internal/config"
	"flyball/detect/enforce/api"
)

// Contents says what a valid configuration holds.
type Contents struct {
	// File is the absolute path of the file that was read; empty: there is none, and the defaults apply.
	File        string   `json:"file"`
	Tenant      string   `json:"tenant"`
	Mode        string   `json:"mode"` // detect.mode
	Armed       []string `json:"armed"`
	Agents      int      `json:"agents"`
	Identifiers int      `json:"identifiers"` // credentials, SPIFFE ids and consumers of the agents
	Routes      int      `json:"routes"`      // declared in the file
	OpenAPI     int      `json:"openapi_documents"`
	Operations  int      `json:"openapi_operations"`
	Mappings    int      `json:"mappings"`
	Inputs      []string `json:"inputs"` // topic and format
	Receivers   []string `json:"receivers"`
	AlertRoutes int      `json:"alert_routes"`
	Policy      int      `json:"policy_rules"`
	Exceptions  int      `json:"exceptions"`
	// Tokens are the numbers of tokens of operators, by role.
	Tokens     map[string]int `json:"tokens"`
	OIDC       string         `json:"oidc,omitempty"` // the issuer of other tokens of operators, and its groups with a role
	Gateways   string         `json:"gateways"`       // how gateways authenticate
	Kafka      string         `json:"kafka"`          // where it is
	ClickHouse string         `json:"clickhouse"`     // where it is
}

// ReadContents returns what a configuration holds. It reads the OpenAPI documents.
func ReadContents(c config.Config) (Contents, error) {
	out := Contents{Tenant: c.Tenant, Mode: c.Detect.Mode, Armed: append([]string{}, c.Detect.Armed...), Mappings: len(c.Mappings),
		Inputs: []string{}, Receivers: []string{}, AlertRoutes: len(c.Alerts.Routes), Policy: len(c.Detect.Policy),
		Exceptions: len(c.Detect.Exceptions), Tokens: map[string]int{}, Gateways: gateways(c.Check),
		Kafka: where(c.Kafka.Brokers, c.Kafka.Listen), ClickHouse: where(c.ClickHouse.Addr, c.ClickHouse.Listen)}
	var err error
	if c.File != "" {
		if out.File, err = filepath.Abs(c.File); err != nil {
			return out, err
		}
	}
	agents := map[string]bool{}
	for _, a := range c.Agents {
		agents[a.ID] = true
		for _, id := range []string{a.Credential, a.SPIFFE, a.Consumer} {
			if id != "" {
				out.Identifiers++
			}
		}
	}
	out.Agents = len(agents)
	rules, err := operatorRoutes(c)
	if err != nil {
		return out, err
	}
	for _, r := range c.Routes {
		if r.OpenAPI != "" {
			out.OpenAPI++
		}
	}
	out.Routes = len(c.Routes) - out.OpenAPI
	out.Operations = len(rules) - out.Routes
	for _, in := range c.Kafka.Inputs {
		out.Inputs = append(out.Inputs, in.Topic+" ("+in.Format+")")
	}
	for _, r := range c.Alerts.Receivers {
		out.Receivers = append(out.Receivers, r.Name+" ("+r.Kind()+")")
	}
	for _, t := range c.Control.Tokens {
		out.Tokens[t.Role]++
	}
	if o := c.Control.OIDC; o.Issuer != "" {
		out.OIDC = fmt.Sprintf("%s, client %s, %d groups with a role", o.Issuer, o.ClientID, len(o.Roles))
		if o.RedirectURL == "" {
			out.OIDC += "; pages want no sign-in"
		}
	}
	return out, nil
}

func where(addrs []string, listen string) string {
	if len(addrs) > 0 {
		return strings.Join(addrs, ", ")
	}
	return "embedded, on " + listen
}

func gateways(c config.Check) string {
	var by []string
	if c.TLS.CA != "" {
		by = append(by, "client certificates (check.tls.ca)")
	}
	if c.TokenFile != "" {
		by = append(by, "a token (check.token_file)")
	}
	if by == nil {
		return "no authentication, on loopback"
	}
	return strings.Join(by, " and ")
}

// Lines returns the contents for people, as pairs of a name and a value.
func (c Contents) Lines() [][2]string {
	file := c.File
	if file == "" {
		file = "none (there is no flyball.yaml in the working directory): the defaults apply"
	}
	armed := "nothing"
	if len(c.Armed) > 0 {
		armed = strings.Join(c.Armed, ", ")
	}
	var tokens []string
	for _, role := range api.Roles {
		if n := c.Tokens[string(role)]; n > 0 {
			tokens = append(tokens, fmt.Sprintf("%d %s", n, role))
		}
	}
	return [][2]string{
		{"file", file}, {"tenant", c.Tenant}, {"mode", c.Mode + "; armed: " + armed},
		{"agents", fmt.Sprintf("%d, with %d identifiers", c.Agents, c.Identifiers)},
		{"routes", fmt.Sprintf("%d, and %d operations of %d OpenAPI documents", c.Routes, c.Operations, c.OpenAPI)},
		{"policy", fmt.Sprintf("%d rules, %d exceptions", c.Policy, c.Exceptions)},
		{"inputs", strings.Join(c.Inputs, ", ")}, {"mappings", fmt.Sprint(c.Mappings)},
		{"receivers", orNone(c.Receivers) + fmt.Sprintf("; %d routes", c.AlertRoutes)},
		{"tokens", orNone(tokens)}, {"oidc", cmp.Or(c.OIDC, "none")}, {"gateways", c.Gateways}, {"kafka", c.Kafka}, {"clickhouse", c.ClickHouse},
	}
}

func orNone(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
