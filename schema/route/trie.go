package route

import "strings"

// node is a node of the trie of the operator's routes. A static child has priority over a
// parameter, and a parameter over the rest.
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

// all calls each with every rule that matches, the most specific first, also with those that a more specific
// one precedes.
func (n *node) all(segs []string, method string, each func(*Rule)) {
	switch {
	case n == nil:
	case len(segs) == 0:
		for _, r := range n.rules {
			if r.Method == method {
				each(r)
			}
		}
	default:
		n.static[segs[0]].all(segs[1:], method, each)
		n.param.all(segs[1:], method, each)
		n.rest.all(nil, method, each)
	}
}

// findFold finds a rule without regard to case.
func (n *node) findFold(segs []string, method string) *Rule {
	if len(segs) == 0 {
		return n.find(nil, method)
	}
	for name, next := range n.static {
		if strings.EqualFold(name, segs[0]) {
			if r := next.findFold(segs[1:], method); r != nil {
				return r
			}
		}
	}
	if n.param != nil {
		if r := n.param.findFold(segs[1:], method); r != nil {
			return r
		}
	}
	if n.rest != nil {
		return n.rest.find(nil, method)
	}
	return nil
}
