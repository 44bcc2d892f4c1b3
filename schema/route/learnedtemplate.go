package route

import (
	"strings"

	"flyball/schema"
)

// A shape is what a learned template compares at a position: a word, or the key of an identifier's placeholder ({},
// cus_{}). A placeholder in a learned template stands for identifiers only, since no words were counted there; {slug}
// stands for any segment.

// anyIdentifier is the shape of an identifier without a prefix or an ending.
const anyIdentifier = "{}"

// shapesOf appends the shapes of the segments of a path.
func shapesOf(segs, into []string) []string {
	for i, s := range segs {
		if i == maxSegments-1 && len(segs) > maxSegments {
			return append(into, segs[i:]...) // {*} takes them
		}
		t, isParameter := classify(s)
		if isParameter {
			t = shapeOfTemplate(t)
		}
		into = append(into, t)
	}
	return into
}

// shapeOfTemplate returns the shape of a segment of a template.
func shapeOfTemplate(seg string) string {
	if i := strings.IndexByte(seg, '}'); i > 0 && i == len(seg)-1 && seg[0] == '{' && seg != "{*}" {
		return anyIdentifier
	}
	return Key(seg)
}

// addLearned adds a learned template. Its positions of {slug} take anything.
func (n *node) addLearned(segs []string, r *Rule) {
	for i, s := range segs {
		if s == "{*}" {
			n.add(segs[i:], r)
			return
		}
		if s == slug {
			if n.param == nil {
				n.param = &node{}
			}
			n = n.param
			continue
		}
		shape := shapeOfTemplate(s)
		if n.static == nil {
			n.static = map[string]*node{}
		}
		if n.static[shape] == nil {
			n.static[shape] = &node{}
		}
		n = n.static[shape]
	}
	n.rules = append(n.rules, r)
}

// hidesOperation reports whether the effect of a path is that of its last word, and the template has a parameter in place
// of that word. Under the name of the template the call would be one of those that do something else.
// Words that are joined to others (refund-all) are left to joinedOperation: there are as many as a client likes.
func hidesOperation(r *Rule, shapes []string, method string) bool {
	last := lastWord(shapes)
	if last < 0 {
		return false
	}
	word := strings.ToLower(shapes[last])
	if _, ok := wordMeanings[singular(word)]; !ok {
		return false
	}
	var arena [8]string
	if words := wordsOf(shapes[last], arena[:0]); len(words) != 1 || len(words[0]) < len(singular(word)) {
		return false
	}
	if _, source := byMethod(method, shapes); source != schema.ProvenanceFromWords {
		return false
	}
	return segmentAt(r.Template, last) == slug
}

// lastWord returns the position of the last word of a path; -1: there is none, or {*} takes it.
func lastWord(shapes []string) int {
	last := len(shapes) - 1
	for last >= 0 && (strings.HasSuffix(shapes[last], "}") || isVersion(shapes[last])) {
		last--
	}
	if last >= maxSegments {
		return -1
	}
	return last
}

// joinedOperation returns the rule under which a path is counted that fits a learned template, and whose last word has a
// part that says that the call pays, sends, grants or deletes: refund-{slug} in place of {slug} for refund-all, bulk_refund
// and refundAll. There are as many such names of a template as wordMeanings has words, whatever clients join to them. For
// other paths it returns the rule itself.
func joinedOperation(r *Rule, shapes []string, method string) *Rule {
	last := lastWord(shapes)
	if last < 0 || segmentAt(r.Template, last) != slug {
		return r
	}
	m, source := byMethod(method, shapes)
	if source != schema.ProvenanceFromWords || m.reversibility != schema.Irreversible && m.effect != schema.EffectGrant {
		return r
	}
	var arena [8]string
	for _, w := range wordsOf(shapes[last], arena[:0]) {
		if wordMeanings[w] != m {
			continue
		}
		segs := strings.Split(strings.Trim(r.Template, "/"), "/")
		segs[last] = w + "-" + slug
		out := &Rule{Method: r.Method, Template: "/" + strings.Join(segs, "/"), Source: r.Source, from: r.from}
		out.setNames()
		return out
	}
	return r
}

// segmentAt returns the segment of a template at a position; empty: it is shorter.
func segmentAt(template string, n int) string {
	for seg := range strings.SplitSeq(strings.Trim(template, "/"), "/") {
		if n == 0 {
			return seg
		}
		n--
	}
	return ""
}

// templates holds learned templates as shapes, in which {slug} stays.
type templates []shapedTemplate

type shapedTemplate struct {
	method string
	shapes []string
}

func shaped(s Slot) shapedTemplate {
	segs := strings.Split(strings.Trim(s.Template, "/"), "/")
	for i, seg := range segs {
		if seg != slug && seg != "{*}" {
			segs[i] = shapeOfTemplate(seg)
		}
	}
	return shapedTemplate{s.Method, segs}
}

// overlaps reports whether a path may exist that both templates fit.
func (t shapedTemplate) overlaps(other shapedTemplate) bool {
	if t.method != other.method {
		return false
	}
	a, b := t.shapes, other.shapes
	for i := 0; ; i++ {
		switch {
		case i < len(a) && a[i] == "{*}", i < len(b) && b[i] == "{*}":
			return true
		case i == len(a) || i == len(b):
			return len(a) == len(b)
		case a[i] != b[i] && a[i] != slug && b[i] != slug:
			return false
		}
	}
}

// learn adds a template and reports true if it can be learned beside the others: an operator can undo it, and no path fits more
// templates than the route of a call has other names.
func (t *templates) learn(s Slot) bool {
	if _, err := ParseSlot(s.String()); err != nil {
		return false
	}
	next, n := shaped(s), 0
	for _, other := range *t {
		if next.overlaps(other) {
			n++
		}
	}
	if n >= maxLearnedSpellings {
		return false
	}
	*t = append(*t, next)
	return true
}
