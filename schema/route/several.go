package route

import (
	"cmp"
	"strings"

	"flyball/schema"
)

// pagingStems are types of keys (typeOfKey) that say where a page of a list begins: after_id=77 reads the items after item 77, and not
// item 77.
var pagingStems = wordSet("after before next prev previous since start starting end ending last min max offset page cursor continuation")

// isPaging reports whether a key of a query says where a page begins.
func isPaging(key string) bool { return pagingStems[typeOfKey(key)] }

// spreadKeys are parameters by which a change reaches further than what it names, unless their value is one of notSpread.
var (
	spreadKeys = wordSet("recursive recurse cascade subtree")
	notSpread  = wordSet("false 0 no off none orphan")
)

// addFurther adds a mark if a change also changes what it does not name: the members of a batch whose arguments nobody logged, or, by
// the query, what is inside its target. kind is the type of the last collection of the path; it returns that of the batch.
func (l *resourceList) addFurther(kind string, in *Input, segs []string) string {
	last := lastOf(segs)
	if isBatch(last) && len(in.Args) == 0 {
		if of, _, custom := strings.Cut(last, ":"); custom { // items:batchCreate
			kind = singular(strings.ToLower(of))
		} else {
			kind = collectionOf(segs)
		}
		l.add(kind, "?", schema.ProvenanceNotLogged)
	} else if spreads(in.RawQuery) {
		l.add(cmp.Or(kind, "object"), "?", schema.ProvenanceNotLogged)
	}
	return kind
}

// spreads reports whether a query asks for a change of all that is inside the target.
func spreads(query string) bool {
	for key, value := range queryParameters(query) {
		if spreadKeys[strings.ToLower(key)] && len(value) <= maxWord && !notSpread[strings.ToLower(unescaped(value))] {
			return true
		}
	}
	return false
}

// isBatch reports whether a name is that of an operation on several members: batch, $batch, bulk-delete, items:batchCreate.
func isBatch(name string) bool {
	if len(name) > 64 {
		return false
	}
	var arena [8]string
	for _, w := range wordsOf(strings.TrimPrefix(name, "$"), arena[:0]) {
		if w == "batch" || w == "bulk" {
			return true
		}
	}
	return false
}

// addNamed adds the resources that a segment of a path names: one, or those of a list of ids, 7,8,9. Parts without a digit, or with
// a point, are no ids: a list may be a name, or a place on the earth.
func (l *resourceList) addNamed(kind, segment string) {
	isID := func(part string) bool {
		return strings.ContainsAny(part, "0123456789") && !strings.ContainsFunc(part, func(r rune) bool {
			return r != '-' && r != '_' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
		})
	}
	if !strings.Contains(segment, ",") {
		l.add(kind, segment, schema.ProvenancePath)
		return
	}
	for part := range strings.SplitSeq(segment, ",") {
		if !isID(part) {
			l.add(kind, segment, schema.ProvenancePath)
			return
		}
	}
	for part := range strings.SplitSeq(segment, ",") {
		l.add(kind, part, schema.ProvenancePath)
	}
}
