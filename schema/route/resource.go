package route

import (
	"cmp"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"flyball/schema"
)

// maxResources is the maximum number of resources of one call.
const maxResources = 16

// maxNamedSegments is the maximum number of segments of a path in which resources are looked for.
const maxNamedSegments = 2 * maxSegments

// qualifiers are words that follow a collection and do not name one of its members.
var qualifiers = wordSet("search query list all count me self current today status new latest direct onestop summary batch " +
	"bulk export import default health stats send append cancel delete update create info details history preview completions")

// resourcesOf returns the resources that a call names: in path parameters, and as identifiers in
// the query and in logged arguments. Unknown resources are marked: "type:?" for a change whose
// target was not logged, "type:*" for a list.
func resourcesOf(c *schema.Call, in *Input, rule *Rule, segs []string) []schema.Resource {
	out := resourceList{list: c.Resources, names: operatorNames(rule)}
	kind, named := out.addPath(c, segs)
	if len(segs) > maxNamedSegments && c.Effect != schema.EffectRead {
		out.add(cmp.Or(kind, "object"), "?", schema.ProvenanceNotLogged) // the segments after them may name others
	}
	if c.Effect != schema.EffectRead {
		kind = out.addFurther(kind, in, segs)
	}
	known := len(out.list)
	out.addQuery(c.Effect, in.RawQuery)
	out.addArguments(in.Args)
	if named || namesOne(out.list[known:]) || c.OpKind == schema.OpLLM || c.OpKind == schema.OpAgentInvoke {
		return out.list
	}
	kind = unnamedKind(c, kind, segs)
	nothing := !namesOne(out.list)
	switch {
	case c.Effect == schema.EffectRead && nothing, c.Effect == schema.EffectRead && isPlural(lastOf(segs)):
		out.add(kind, "*", schema.ProvenanceNotLogged)
	case c.Effect != schema.EffectRead && (nothing || isPlural(lastOf(segs))):
		if leadingVerbs[kind] != (meaning{}) && len(segs) > 1 {
			kind = collectionOf(segs)
		}
		out.add(kind, "?", schema.ProvenanceNotLogged)
	}
	return out.list
}

// namesOne reports whether a resource of a list is known.
func namesOne(list []schema.Resource) bool {
	return slices.ContainsFunc(list, func(r schema.Resource) bool { return r.ID != "?" })
}

// unnamedKind returns the type of the resource of a call that names no resource.
func unnamedKind(c *schema.Call, kind string, segs []string) string {
	if kind == "" {
		kind = cmp.Or(toolNoun(c.ToolName), "object")
	} else if c.ToolName != "" {
		kind = cmp.Or(toolNoun(c.ToolName), kind)
	}
	if last := strings.ToLower(lastOf(segs)); c.ToolName == "" && (qualifiers[last] || strings.HasPrefix(last, "by-")) {
		kind = collectionOf(segs)
	}
	return kind
}

// resourceList collects the resources of a call, each once and at most maxResources.
type resourceList struct {
	list  []schema.Resource
	names map[string]string // by parameter or key: the type that the operator declared for it
}

func (l *resourceList) add(kind, value string, source schema.Provenance) {
	if value == "" || kind == "" {
		return
	}
	if len(value) > schema.MaxID {
		value, source = "?", schema.ProvenanceNotLogged // named, but too long to be stored
	}
	for i := range l.list {
		if r := &l.list[i]; r.Type == kind && r.ID == value {
			if source == schema.ProvenanceNotLogged {
				r.Source = source // the stricter one of two holes
			}
			return
		}
	}
	if len(l.list) >= maxResources {
		// The report must show that the call names more resources than are stored.
		l.list[maxResources-1] = schema.Resource{Type: kind, ID: "?", Source: schema.ProvenanceNotLogged}
		return
	}
	l.list = append(l.list, schema.Resource{Type: kind, ID: value, Source: source})
}

// addPath adds the resources in the path. kind is the type of the last collection, and named
// reports whether the path names a member of it.
func (l *resourceList) addPath(c *schema.Call, segs []string) (kind string, named bool) {
	if c.RouteSource != schema.RouteHeuristic {
		if template := strings.Split(strings.Trim(c.Route, "/"), "/"); len(template) == len(segs) {
			return l.addDeclared(template, segs[:min(len(segs), maxNamedSegments)])
		}
	}
	segs = segs[:min(len(segs), maxNamedSegments)]
	before := "" // the previous segment that is not a version
	for i, s := range segs {
		if isVersion(s) {
			continue
		}
		_, param := classify(s)
		follows := kind != "" && !named && isPlural(before)
		before = s
		if param || follows && (countBytes(s).digits > 0 || isMember(s, i, segs)) {
			l.addNamed(cmp.Or(kind, "object"), s)
			named = true
			continue
		}
		kind, named = singular(strings.ToLower(s)), false
	}
	return kind, named
}

// addDeclared adds the parameters of a declared template. The results are those of addPath.
func (l *resourceList) addDeclared(template, segs []string) (kind string, named bool) {
	for i, s := range segs {
		switch t := template[i]; {
		case strings.HasPrefix(t, "{"):
			param := strings.Trim(t, "{}*")
			k := l.names[param]
			if k == "" {
				k = cmp.Or(kind, typeOfKey(param))
			}
			l.addNamed(k, s)
			named = true
		case !isVersion(s):
			kind, named = singular(strings.ToLower(s)), false
		}
	}
	return kind, named
}

func lastOf(segs []string) string {
	if len(segs) == 0 {
		return ""
	}
	return segs[len(segs)-1]
}

// collectionOf returns the last plural segment, for routes that end in a verb; without a plural
// segment, the last segment.
func collectionOf(segs []string) string {
	for i := len(segs) - 1; i >= 0; i-- {
		if isPlural(segs[i]) {
			return singular(strings.ToLower(segs[i]))
		}
	}
	return singular(strings.ToLower(segs[len(segs)-1]))
}

func isPlural(s string) bool {
	l := strings.ToLower(s)
	return len(l) > 3 && singular(l) != l
}

// isMember reports whether a word after a plural names a member of the collection: yes in
// /channels/general/messages, no in /files/search or /hotels/prices.
func isMember(s string, i int, segs []string) bool {
	if qualifiers[strings.ToLower(s)] || strings.HasPrefix(s, "by-") || isPlural(s) || leadingVerbs[strings.ToLower(s)] != (meaning{}) {
		return false
	}
	return i < len(segs)-1 || strings.ContainsAny(s, " .#_") || s != "" && s[0] >= 'A' && s[0] <= 'Z'
}

// operatorNames returns the types that a rule declares for parameters and keys.
func operatorNames(rule *Rule) map[string]string {
	if rule == nil || len(rule.Resources) == 0 {
		return nil
	}
	out := make(map[string]string, len(rule.Resources))
	for _, r := range rule.Resources {
		if param, kind, ok := strings.Cut(r, ":"); ok {
			out[param] = kind
		}
	}
	return out
}

// typeOfKey returns the type that a key names: order for order_id, orderId and order. A key without
// the ending of an identifier is returned in lower case.
func typeOfKey(key string) string {
	l := strings.ToLower(key)
	for _, suffix := range [...]string{"_ids", "_id", "-id", ".id", "_key", "_uuid", "_number", "_no"} {
		if s, ok := strings.CutSuffix(l, suffix); ok && s != "" {
			return singular(s)
		}
	}
	if strings.HasSuffix(key, "Id") && len(key) > 2 || strings.HasSuffix(key, "ID") && len(key) > 2 {
		return singular(strings.ToLower(key[:len(key)-2]))
	}
	return l
}

var identifying = wordSet("id uuid email phone recipient account iban username user channel file path url")

func isIdentifierKey(key string) bool {
	l := strings.ToLower(key)
	return identifying[l] || typeOfKey(key) != l
}

// addQuery adds the identifiers in the query of a call of an effect.
func (l *resourceList) addQuery(effect schema.Effect, raw string) {
	for key, value := range queryParameters(raw) {
		kind := l.names[key]
		if value != "" && kind == "" && strings.EqualFold(key, severalIDs) {
			l.add("object", "?", schema.ProvenanceQuery)
		}
		if value == "" || kind == "" && (!isIdentifierKey(key) || effect == schema.EffectRead && isPaging(key)) || isSensitive(key) {
			continue
		}
		v, err := url.QueryUnescape(value)
		if err == nil && len(v) <= 128 && utf8.ValidString(v) {
			l.add(cmp.Or(kind, typeOfKey(key)), v, schema.ProvenanceQuery)
		} else { // the service may read what is not read here
			l.add(cmp.Or(kind, typeOfKey(key)), "?", schema.ProvenanceNotLogged)
		}
	}
}

// severalIDs is a key whose values are ids of a type that it does not name.
const severalIDs = "ids"

func isSensitive(key string) bool {
	l := strings.ToLower(key)
	for _, w := range [...]string{"token", "secret", "password", "api_key", "apikey", "key", "signature", "session", "auth", "code"} {
		if strings.Contains(l, w) && !strings.HasSuffix(l, "_id") {
			return true
		}
	}
	return strings.Contains(l, "session") || strings.Contains(l, "token")
}

// toolNoun returns the object of a tool: its name without the leading verb.
func toolNoun(tool string) string {
	var arena [8]string
	words := wordsOf(tool, arena[:0])
	for len(words) > 1 && (leadingVerbs[words[0]] != (meaning{}) || isConjunction(words[0])) {
		words = words[1:]
	}
	return strings.Join(words, "_")
}

// wordSet returns the set of the words of a text.
func wordSet(text string) map[string]bool {
	out := map[string]bool{}
	for w := range strings.FieldsSeq(text) {
		out[w] = true
	}
	return out
}
