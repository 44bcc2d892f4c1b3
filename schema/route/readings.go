package route

import (
	"slices"
	"strings"

	"flyball/schema"
)

// Attributes of a call that can be read in several ways.
const (
	// AttrReadings has the value ambiguous or unreadable.
	AttrReadings = "path_readings"
	// AttrMethodOverride holds the methods, other than its own, that the request names.
	AttrMethodOverride = "method_override"
	// Claims of a client's headers about MCP on a route that is not known to be MCP.
	attrClaimedMethod = "header.mcp-method"
	attrClaimedTool   = "header.mcp-name"
)

// Other is a call as classified by another possible reading.
type Other struct {
	Call schema.Call // its path is that of the reading
	// Ambiguous: see pathReading.
	Ambiguous bool
}

// Classify sets route, operation, effect, reversibility, resources and digests by the first
// reading of the call, and then the effect of the worst of all readings.
func (t *Table) Classify(c *schema.Call, in *Input) {
	others, readable := t.Readings(c, in)
	Worsen(c, others, readable)
}

// Readings classifies a call by its first reading and returns the other readings: by the other
// paths (see readPath), by each method that it names (MethodHeaders and the parameter
// _method), by the declared route that differs in case or in the ending of a format, and by
// the tools that its body or its headers name. readable is false when there are more readings
// than are computed.
func (t *Table) Readings(c *schema.Call, in *Input) (others []Other, readable bool) {
	readable = !in.PathCut
	path := c.Path
	var list []pathReading
	if !plainPath(path) {
		var ok bool
		list, ok = readPath(path)
		readable, path = readable && ok, list[0].Path
	}
	var arena [16]string
	segs := split(path, arena[:0])
	rule := t.find(segs, c.Method)
	var methods []string
	if in.MethodOverride != "" || in.RawQuery != "" || len(in.Form)+len(in.Args) > 0 {
		var ok bool
		methods, ok = otherMethods(c.Method, in)
		readable = readable && ok
	}
	words := len(in.RPC) > 0 || in.MCPSource == MCPClaimed && (c.MCPMethod != "" || c.ToolName != "")
	if len(list) < 2 && len(methods) == 0 && !words && !t.respelled(segs) {
		t.classify(c, in, segs, rule)
		return nil, readable
	}
	w := readings{t: t, in: in, base: *c, readable: readable}
	w.base.Resources = slices.Clip(w.base.Resources)
	w.first(c, segs, rule)
	w.base.Path = c.Path
	w.addMethod(c.Method, false, path, segs, list)
	for _, m := range methods {
		w.base.Path = c.Path
		w.addMethod(m, true, path, segs, list)
	}
	if len(methods) > 0 {
		c.SetAttr(AttrMethodOverride, strings.Join(methods, ","))
	}
	return w.others, w.readable
}

// addMethod adds the readings of the call by one method: by its first path (unless this is the
// call itself), by other spellings, and by the other paths.
func (w *readings) addMethod(m string, override bool, path string, segs []string, list []pathReading) {
	rule := w.t.find(segs, m)
	if override {
		w.add(m, segs, rule, false)
	}
	w.addSpellings(m, segs, rule)
	for _, r := range list[min(len(list), 1):] {
		var arena [16]string
		as := split(r.Path, arena[:0])
		other := w.t.find(as, m)
		w.base.Path = r.Path
		if r.Ambiguous && isDeclared(rule) && r.Path == strings.ReplaceAll(path, "%2F", "/") {
			// An encoded slash inside a declared parameter is part of its value.
			if isDeclared(other) && other != rule {
				w.add(m, as, other, false)
			}
			continue
		}
		w.add(m, as, other, r.Ambiguous)
		w.addSpellings(m, as, other)
	}
}

func isDeclared(r *Rule) bool { return r != nil && r.from == fromOperator }

// readings collects the readings of one call.
type readings struct {
	t        *Table
	in       *Input
	base     schema.Call // before any reading
	others   []Other
	readable bool
}

// first classifies the call by its first reading, and adds the readings by the MCP calls of
// its body or its headers.
func (w *readings) first(c *schema.Call, segs []string, rule *Rule) {
	mcp := rule != nil && rule.MCP
	switch in := w.in; {
	case len(in.RPC) > maxRPC:
		w.readable = false
	case len(in.RPC) > 0 && (mcp || !isDeclared(rule) && len(segs) > 0 && segs[len(segs)-1] == "mcp"):
		// MCP by the operator's rule, or by the conventional path of MCP servers.
		w.setMCP(&w.base, in.RPC[0])
		w.setMCP(c, in.RPC[0])
		one := *in
		one.Args = in.RPC[0].Args
		w.in = &one
		w.t.classify(c, &one, segs, rule)
		w.addRPC(in.RPC[1:], segs, rule)
		return
	case len(in.RPC) > 0:
		w.t.classify(c, in, segs, rule)
		w.addRPC(in.RPC, segs, rule)
		return
	case in.MCPSource == MCPClaimed && !mcp && (c.MCPMethod != "" || c.ToolName != ""):
		w.addClaimed(segs, rule)
		*c = w.base
	}
	w.t.classify(c, w.in, segs, rule)
}

// addClaimed adds the reading by the MCP headers of the client, and removes their values from the
// call itself, where they are stored as attributes.
func (w *readings) addClaimed(segs []string, rule *Rule) {
	claimed := w.base
	w.classify(&claimed, w.in, segs, rule, false)
	w.base.MCPMethod, w.base.ToolName = "", ""
	if w.base.OpKind == schema.OpMCP || w.base.OpKind == schema.OpTool {
		w.base.OpKind = schema.OpHTTP
	}
	for key, v := range map[string]string{attrClaimedMethod: claimed.MCPMethod, attrClaimedTool: claimed.ToolName} {
		if v != "" {
			w.base.SetAttr(key, v)
		}
	}
}

// addRPC adds a reading for each MCP call.
func (w *readings) addRPC(list []RPC, segs []string, rule *Rule) {
	for _, r := range list {
		c, in := w.base, *w.in
		w.setMCP(&c, r)
		in.Args = r.Args
		w.classify(&c, &in, segs, rule, false)
	}
}

func (w *readings) setMCP(c *schema.Call, r RPC) {
	c.OpKind, c.MCPMethod, c.ToolName = schema.OpMCP, r.Method, r.Tool
}

// addSpellings adds the readings by declared routes that match when a server ignores case, or
// removes the ending of a format.
func (w *readings) addSpellings(method string, segs []string, rule *Rule) {
	if fold := w.t.root.findFold(segs, method); isDeclared(fold) && fold != rule {
		w.add(method, segs, fold, false)
	}
	if stem := withoutFormat(segs); stem != nil {
		if other := w.t.root.findFold(stem, method); isDeclared(other) && other != rule {
			w.add(method, stem, other, false)
		}
	}
}

func (w *readings) add(method string, segs []string, rule *Rule, ambiguous bool) {
	c := w.base
	c.Method = method
	w.classify(&c, w.in, segs, rule, ambiguous)
}

// classify classifies c and adds it to the readings, unless there are maxCombined already.
func (w *readings) classify(c *schema.Call, in *Input, segs []string, rule *Rule, ambiguous bool) {
	if len(w.others) >= maxCombined {
		w.readable = false
		return
	}
	w.t.classify(c, in, segs, rule)
	w.others = append(w.others, Other{*c, ambiguous})
}

// respelled reports whether segments may match a declared route although their spelling
// differs from it.
func (t *Table) respelled(segs []string) bool {
	if len(t.root.static) == 0 && t.root.param == nil && t.root.rest == nil {
		return false
	}
	if withoutFormat(segs) != nil {
		return true
	}
	return t.upper || slices.ContainsFunc(segs, hasUpper)
}

func hasUpper(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= 'A' && s[i] <= 'Z' {
			return true
		}
	}
	return false
}

// formats are endings by which servers let a client choose the format of a response.
var formats = []string{".json", ".xml", ".html", ".htm", ".csv", ".txt", ".yaml", ".yml", ".do", ".action"}

// withoutFormat returns the segments without the ending of a format, or nil when there is no
// such ending.
func withoutFormat(segs []string) []string {
	if len(segs) == 0 {
		return nil
	}
	last := segs[len(segs)-1]
	i := strings.LastIndexByte(last, '.')
	if i <= 0 || !slices.ContainsFunc(formats, func(f string) bool { return strings.EqualFold(f, last[i:]) }) {
		return nil
	}
	out := slices.Clone(segs)
	out[len(out)-1] = last[:i]
	return out
}

// severity orders reversibilities by the expected harm. An unknown one is worse than one that
// can be compensated.
var severity = [...]uint8{schema.ReadOnly: 0, schema.Reversible: 1, schema.Compensable: 2, schema.ReversibilityUnknown: 3,
	schema.Irreversible: 4}

// Worse reports whether a call does more harm than another.
func Worse(c, than *schema.Call) bool {
	return severity[c.Reversibility] > severity[than.Reversibility]
}

// Worsen sets the effect of a call to the worst of all its readings, and adds the resources
// that only an ambiguous reading names, so that reports contain them.
func Worsen(c *schema.Call, others []Other, readable bool) {
	ambiguous := false
	for i := range others {
		o := &others[i].Call
		if Worse(o, c) {
			c.Effect, c.EffectSource, c.Reversibility, c.ReversibilitySource = o.Effect, o.EffectSource, o.Reversibility, o.ReversibilitySource
		}
		if others[i].Ambiguous {
			ambiguous = true
			addResources(c, o.Resources)
		}
	}
	switch {
	case !readable:
		c.SetAttr(AttrReadings, "unreadable")
		if c.Reversibility != schema.ReadOnly {
			addUnknownResource(c)
		}
		if c.Reversibility != schema.ReadOnly && severity[c.Reversibility] < severity[schema.ReversibilityUnknown] {
			c.Effect, c.EffectSource = schema.EffectUnknown, schema.ProvenanceNone
			c.Reversibility, c.ReversibilitySource = schema.ReversibilityUnknown, schema.ProvenanceNone
		}
	case ambiguous:
		c.SetAttr(AttrReadings, "ambiguous")
	}
}

// addUnknownResource adds that a call may be of a resource that is not read, so that reports with it are incomplete.
func addUnknownResource(c *schema.Call) {
	kind := "object"
	if n := len(c.Resources); n > 0 {
		kind = c.Resources[n-1].Type
	}
	out := resourceList{list: slices.Clip(c.Resources)}
	out.add(kind, "?", schema.ProvenanceNotLogged)
	c.Resources = out.list
}

// addResources adds the named resources that the call does not have yet.
func addResources(c *schema.Call, list []schema.Resource) {
	for _, r := range list {
		known := slices.ContainsFunc(c.Resources, func(have schema.Resource) bool { return have.Type == r.Type && have.ID == r.ID })
		if !known && r.ID != "?" && r.ID != "*" && len(c.Resources) < maxResources {
			c.Resources = append(slices.Clip(c.Resources), r)
		}
	}
}
