package route

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"slices"
	"strings"
	"sync"

	"flyball/schema"
)

// Input is the part of a record that classification needs beside the fields of the call. It is
// not stored.
type Input struct {
	RawQuery     string
	Args         []byte // body or tool arguments as JSON, if they were logged
	SourceRoute  string // template in the record of the source
	LoggedDigest string // digest of the arguments, computed by the source
	BodyLogged   bool
	// PathCut reports that the call's path is only the beginning of the path that was sent.
	PathCut bool
	// MCPSource is the origin of the call's MCPMethod and ToolName.
	MCPSource MCPSource
	// RPC are the ways to read a JSON body as MCP calls; see ReadBody.
	RPC []RPC
	// MethodOverride is the values of the request's MethodHeaders, comma-separated.
	MethodOverride string
	// Form is a body that is not JSON or that was cut, as far as it is known.
	Form []byte
}

// MCPSource is the origin of a call's MCPMethod and ToolName.
type MCPSource uint8

const (
	// MCPParsed: the source read them from the body of a protocol that it supports.
	MCPParsed MCPSource = iota
	// MCPClaimed: they come from headers of the client. They can only make the effect of a
	// call worse, except on routes that the operator declared as MCP.
	MCPClaimed
)

// Rule is the operator's description of a route or of a tool, written by hand or in an OpenAPI
// document. A rule written by hand has priority.
type Rule struct {
	Method   string // empty: any
	Template string
	Tool     string // name of a tool (MCP and similar protocols), instead of a template
	// MCP reports that an MCP server serves the template: the tool named in a request's body,
	// or in a header that the server compares with the body, is the tool that is called.
	MCP           bool
	Effect        schema.Effect
	Reversibility schema.Reversibility
	// Resources maps parameters and query keys to types: "order_id:order".
	Resources []string
	// Amount and Currency are the places of the money: "arg:amount", "query:amount",
	// "path:amount", "header:x-amount", "field:amount". Currency may also be a fixed one for
	// the route: "EUR".
	Amount, Currency string
	// CompensatedBy is the method and template of the call that undoes a call of the route: "POST /v1/refunds/{id}/cancel".
	CompensatedBy string
	Source        schema.Provenance // source of the rule; none means the operator

	amount, currency locator
	from             origin
	// route and key are the names that calls get; operation, too, if the rule is of one method.
	route, key, operation string
}

// origin is where a rule comes from. The effect of a rule that the operator did not declare is
// not declared either.
type origin uint8

const (
	fromOperator origin = iota // written by hand, or in an OpenAPI document
	fromLearning               // made by Learned.Rules
	fromPin                    // made by Orders.Rules: the order pins the template
	fromUndo                   // made by Orders.Rules: the paths of the template are read as words
	fromFormer                 // made by Orders.Rules: the order is cleared, the template names no route
)

// Options configure a table.
type Options struct {
	Version   string
	Operator  []Rule
	DigestKey []byte
}

// Table holds the rules of routes and tools. It is immutable and safe for concurrent use.
type Table struct {
	moneyHeaders []string
	version      string
	root         *node // the operator's routes
	names        naming
	tools        map[string]*Rule
	upper        bool // at least one template contains capital letters
	macs         sync.Pool
}

// NewTable compiles the operator's routes. The key of digests must have at least 16 bytes. An
// error names the rule that is not valid.
func NewTable(o Options) (*Table, error) {
	if len(o.DigestKey) < 16 {
		return nil, errors.New("secret_key_file: the deployment's key must have at least 16 bytes")
	}
	t := &Table{version: o.Version, root: &node{}, tools: map[string]*Rule{}}
	t.macs.New = func() any { return &mac{h: hmac.New(sha256.New, append([]byte("args\x00"), o.DigestKey...))} }
	for i := range o.Operator {
		r := &o.Operator[i]
		var err error
		if r.amount, err = parseLocator(r.Amount); err != nil {
			return nil, fmt.Errorf("routes[%d].amount: %w", i, err)
		}
		if r.currency, err = parseCurrency(r.Currency); err != nil {
			return nil, fmt.Errorf("routes[%d].currency: %w", i, err)
		}
		if r.CompensatedBy != "" {
			if err = CheckCompensation(r.CompensatedBy); err != nil {
				return nil, fmt.Errorf("routes[%d].compensated_by: %w", i, err)
			}
		}
		for _, l := range [...]locator{r.amount, r.currency} {
			if name := strings.ToLower(l.name); l.kind == "header" && !slices.Contains(t.moneyHeaders, name) {
				t.moneyHeaders = append(t.moneyHeaders, name)
			}
		}
		if r.Source == schema.ProvenanceNone {
			r.Source = schema.ProvenanceOperator
		}
		if r.Tool != "" && r.Template != "" {
			return nil, fmt.Errorf("routes[%d].tool: %q and template %q: a route is one or the other", i, r.Tool, r.Template)
		}
		if r.Tool != "" {
			if t.tools[r.Tool] == nil {
				t.tools[r.Tool] = r
			}
			continue
		}
		if !strings.HasPrefix(r.Template, "/") {
			return nil, fmt.Errorf("routes[%d].template: %q must start with /", i, r.Template)
		}
		r.setNames()
		if r.from != fromOperator {
			t.names.add(r)
			continue
		}
		t.upper = t.upper || hasUpper(Key(normalise(r.Template)))
		t.root.add(strings.Split(strings.Trim(normalise(r.Template), "/"), "/"), r)
	}
	return t, nil
}

// MoneyHeaders returns the request headers, in lower case, that hold amounts and currencies
// according to the operator's rules.
func (t *Table) MoneyHeaders() []string { return t.moneyHeaders }

// Version returns the version of the table.
func (t *Table) Version() string { return t.version }

// find returns the rule of a path: the operator's, else that of an order or of learning, else nil.
func (t *Table) find(segs []string, method string) *Rule {
	if r := t.root.find(segs, method); r != nil {
		return r
	}
	return t.names.find(segs, method)
}

// classify sets the fields of a call by one reading of its path.
func (t *Table) classify(c *schema.Call, in *Input, segs []string, rule *Rule) {
	if tool := t.tools[c.ToolName]; tool != nil && c.ToolName != "" {
		rule = tool
	}
	plain := "" // the operation of a call that is nothing but a request
	switch {
	case c.RouteSource == schema.RouteFromSource && c.Route != "", in.SourceRoute != "":
		if in.SourceRoute != "" {
			c.Route = in.SourceRoute
		}
		c.Route, c.RouteSource = normalise(c.Route), schema.RouteFromSource
		c.RouteKey = Key(c.Route)
	case rule != nil && rule.Template != "":
		c.Route, c.RouteKey, c.RouteSource = rule.route, rule.key, schema.RouteFromConfig
		if rule.from != fromOperator {
			c.RouteSource = schema.RouteOverflow
		}
		if rule.Method == c.Method {
			plain = rule.operation
		}
	case c.Path != "":
		plain, c.Route, c.RouteKey = namesOf(c.Method, segs)
		c.RouteSource = schema.RouteHeuristic
	default:
		c.RouteKey = Key(c.Route)
	}
	switch {
	case c.Operation != "":
	case plain != "" && c.Method != "" && c.MCPMethod == "" && c.ToolName == "":
		c.Operation = plain
	default:
		c.Operation = operationOf(c)
	}
	setEffect(c, in, rule, segs)
	c.Resources = resourcesOf(c, in, rule, segs)
	if rule != nil && (rule.amount != locator{} || rule.currency != locator{}) {
		setMoney(c, in, rule, segs)
	}
	t.digest(c, in)
}

// setNames sets the names that calls of the rule get.
func (r *Rule) setNames() {
	r.route = normalise(r.Template)
	r.key, r.operation = Key(r.route), ""
	if r.Method != "" {
		r.operation = r.Method + " " + r.route
	}
}

func operationOf(c *schema.Call) string {
	switch {
	case c.MCPMethod != "" && c.ToolName != "":
		return c.MCPMethod + " " + c.ToolName
	case c.MCPMethod != "":
		return c.MCPMethod
	case c.ToolName != "":
		return c.ToolName
	case c.Method != "" && c.Route != "":
		return c.Method + " " + c.Route
	}
	return c.Method
}

type mac struct {
	h   hash.Hash
	sum []byte
	buf []byte
}

// digest sets the keyed digests of a call's arguments and result. HMAC-SHA-256 costs about 0.4
// µs here; with an unkeyed or weak hash, a reader of the table could test guesses of small
// arguments.
func (t *Table) digest(c *schema.Call, in *Input) {
	m := t.macs.Get().(*mac)
	m.h.Reset()
	m.buf = append(m.buf[:0], byte(c.OpKind))
	if in.LoggedDigest != "" {
		m.buf = append(append(m.buf, 'L', 0), in.LoggedDigest...)
		c.ArgsDigestBasis = schema.DigestLogged
	} else if c.Path != "" || c.ToolName != "" || len(in.Args) > 0 {
		c.ArgsDigestBasis = schema.DigestURL
		for _, s := range [...]string{c.Method, c.Path, in.RawQuery, c.ToolName, c.MCPMethod} {
			m.buf = append(append(m.buf, s...), 0)
		}
		if len(in.Args)+len(in.Form) > 0 {
			m.buf = append(append(m.buf, in.Args...), in.Form...)
			c.ArgsDigestBasis = schema.DigestBody
		}
	}
	if c.ArgsDigestBasis != schema.DigestNone {
		_, _ = m.h.Write(m.buf)
		m.sum = m.h.Sum(m.sum[:0])
		c.ArgsDigest = binary.BigEndian.Uint64(m.sum)
	}
	t.macs.Put(m)
	if c.ResultDigestBasis == schema.DigestNone {
		// The result was not logged: outcome and size represent it.
		c.ResultDigest = uint64(c.Outcome)<<56 ^ uint64(c.Status)<<40 ^ c.BytesOut
		c.ResultDigestBasis = schema.DigestOutcome
	}
}

// Digest returns a digest of a text, with the key of argument digests.
func (t *Table) Digest(text string) uint64 {
	m := t.macs.Get().(*mac)
	m.h.Reset()
	m.buf = append(append(m.buf[:0], "text\x00"...), text...)
	_, _ = m.h.Write(m.buf)
	m.sum = m.h.Sum(m.sum[:0])
	sum := binary.BigEndian.Uint64(m.sum)
	t.macs.Put(m)
	return sum
}
