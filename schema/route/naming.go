package route

import "strings"

// naming holds the rules of orders and of learning: they name the routes of paths that the operator
// did not declare. Those of former templates name none.
type naming struct {
	ordered, learned, former *node // nil: there are none
}

func (n *naming) add(r *Rule) {
	at := &n.ordered
	switch r.from {
	case fromLearning:
		at = &n.learned
	case fromFormer:
		at = &n.former
	}
	if *at == nil {
		*at = &node{}
	}
	segs := strings.Split(strings.Trim(r.Template, "/"), "/")
	if r.from == fromLearning {
		(*at).addLearned(segs, r)
		return
	}
	(*at).add(segs, r)
}

// find returns the rule that names a path, or nil: the path is named by the forms of its words.
func (n *naming) find(segs []string, method string) *Rule {
	if n.ordered != nil {
		if r := n.ordered.find(segs, method); r != nil {
			if r.from == fromUndo {
				return nil
			}
			return r
		}
	}
	if n.learned != nil {
		var arena [16]string
		return n.findLearned(shapesOf(segs, arena[:0]), method)
	}
	return nil
}

// findLearned returns the learned template of shapes, or nil if there is none, or if it would hide an operation. If it would hide an
// operation in a word that is joined to others, it returns a template with the operation; see joinedOperation.
func (n *naming) findLearned(shapes []string, method string) *Rule {
	r := n.learned.find(shapes, method)
	if r == nil || hidesOperation(r, shapes, method) {
		return nil
	}
	return joinedOperation(r, shapes, method)
}

func (n *naming) isEmpty() bool { return n.ordered == nil && n.learned == nil && n.former == nil }
