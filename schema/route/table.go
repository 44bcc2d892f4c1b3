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

// Input is what a record says beside the call's own fields; it is not kept.
type Input struct {
	RawQuery     string
	Args         []byte // body or tool arguments as JSON, if they were logged
	SourceRoute  string // template that the source named
	LoggedDigest string // digest of the arguments that the source computed
	BodyLogged   bool
	// PathCut: the call's path is only the beginning of what was sent.
	PathCut bool
	// Words says how far the call's tool and method of MCP may be believed.
	Words Words
	// RPC are the calls of MCP that a JSON body may be read as; see Arguments.
	RPC []RPC
	// MethodOverride is what the request's MethodHeaders name, comma-joined.
	MethodOverride string
	// Form is a body that is not JSON, or that was cut, as far as it was shown.
	Form []byte
}

// Words says where a call's MCPMethod and ToolName come from.
type Words uint8

const (
	// WordsParsed were read by the source from the body of a protocol that it speaks.
	WordsParsed Words = iota
	// WordsClaimed stand in headers of the client. They make a call worse, never
	// milder, but on routes that the operator declared as MCP.
	WordsClaimed
)

// Rule is what an operator says of a route or of a tool, by hand or by an
// OpenAPI document. By hand comes first.
type Rule struct {
	Method   string // empty: any
	Template string
	Tool     string // of MCP and the like, instead of a template
	// MCP says that an MCP server answers the template: what a request's body, or a
	// header that the server checks against it, calls its tool is what it calls.
	MCP           bool
	Effect        schema.Effect
	Reversibility schema.Reversibility
	// Resources names what parameters and query keys hold: "order_id:order".
	Resources []string
	// Amount and Currency say where the money stands: "arg:amount", "query:amount",
	// "path:amount", "header:x-amount", "field:amount". A currency may also be one that
	// every amount of the route has: "EUR".
	Amount, Currency string
	Source           schema.Provenance // of what it says; none is the operator

	amount, currency locator
	learned          bool // by the guard of cardinality: its effect is not declared
}

// Options of a table.
type Options struct {
	Version   string
	Operator  []Rule
	DigestKey []byte
}

// Table is immutable and safe for concurrent use.
type Table struct {
	moneyHeaders []string
	version      string
	root         *node
	tools        map[string]*Rule
	upper        bool // a template has capitals
	macs         sync.Pool
}

// NewTable compiles the operator's routes.
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
		t.upper = t.upper || hasUpper(Key(Normalise(r.Template)))
		t.root.add(strings.Split(strings.Trim(Normalise(r.Template), "/"), "/"), r)
	}
	return t, nil
}

// MoneyHeaders are the request headers, in lower case, that amounts and
// currencies stand in by the operator's word.
func (t *Table) MoneyHeaders() []string { return t.moneyHeaders }

// Version of the table.
func (t *Table) Version() string { return t.version }

// classify fills in a call by one reading of its path.
func (t *Table) classify(c *schema.Call, in *Input, segs []string, rule *Rule) {
	if tool := t.tools[c.ToolName]; tool != nil && c.ToolName != "" {
		rule = tool
	}
	switch {
	case c.RouteSource == schema.RouteFromSource && c.Route != "", in.SourceRoute != "":
		if in.SourceRoute != "" {
			c.Route = in.SourceRoute
		}
		c.Route, c.RouteSource = Normalise(c.Route), schema.RouteFromSource
	case rule != nil && rule.Template != "":
		c.Route, c.RouteSource = Normalise(rule.Template), schema.RouteFromConfig
		if rule.learned {
			c.RouteSource = schema.RouteOverflow
		}
	case c.Path != "":
		c.Route, c.RouteSource = templateOf(segs), schema.RouteHeuristic
	}
	c.RouteKey = Key(c.Route)
	if c.Operation == "" {
		c.Operation = operation(c)
	}
	decide(c, in, rule, segs)
	c.Resources = resources(c, in, rule, segs)
	if rule != nil && (rule.amount != locator{} || rule.currency != locator{}) {
		money(c, in, rule, segs)
	}
	t.digest(c, in)
}

func operation(c *schema.Call) string {
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

// digest keys what was asked and what came back. HMAC-SHA-256 costs about
// 0.4 µs here; an unkeyed or weak hash would let whoever reads the table test
// guesses of small arguments.
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
		// Outcome and size stand for a result that nobody logged.
		c.ResultDigest = uint64(c.Outcome)<<56 ^ uint64(c.Status)<<40 ^ c.BytesOut
		c.ResultDigestBasis = schema.DigestOutcome
	}
}

// Digest is a digest of a text, keyed as those of arguments are.
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

// node of the trie of operator's routes: static before parameter before rest.
type node struct {
	static map[string]*node
	param  *node
	rest   *node
	rules  []*Rule
}

func (n *node) add(segs []string, r *Rule) {
	if len(segs) == 0 || len(segs) == 1 && segs[0] == "" {
		n.rules = append(n.rules, r)
		return
	}
	var next *node
	switch s := segs[0]; {
	case s == "{*}":
		if n.rest == nil {
			n.rest = &node{}
		}
		n.rest.rules = append(n.rest.rules, r)
		return
	case strings.HasPrefix(s, "{"):
		if n.param == nil {
			n.param = &node{}
		}
		next = n.param
	default:
		if n.static == nil {
			n.static = map[string]*node{}
		}
		if n.static[s] == nil {
			n.static[s] = &node{}
		}
		next = n.static[s]
	}
	next.add(segs[1:], r)
}

func (n *node) find(segs []string, method string) *Rule {
	if len(segs) == 0 {
		var any *Rule
		for _, r := range n.rules {
			if r.Method == method {
				return r
			}
			if r.Method == "" && any == nil {
				any = r
			}
		}
		return any
	}
	if next := n.static[segs[0]]; next != nil {
		if r := next.find(segs[1:], method); r != nil {
			return r
		}
	}
	if n.param != nil {
		if r := n.param.find(segs[1:], method); r != nil {
			return r
		}
	}
	if n.rest != nil {
		return n.rest.find(nil, method)
	}
	return nil
}
