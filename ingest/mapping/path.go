package mapping

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flyball/ingest/fields"
)

// node is a node of the tree of paths: it describes what is read from a member and from the members inside it.
type node struct {
	kids    map[string]*node // by the canonical name of the member (fields.Keys)
	items   map[int]*node    // by index in a list
	slots   []place
	headers bool // the member is an object of request headers
	attr    string
}

// place is a slot that a member fills. If a record contains two spellings of one path (a name with dots, and nested members), the one
// with the higher rank is used.
type place struct {
	slot int
	rank uint8
}

func (n *node) kid(key string) *node {
	if n.kids == nil {
		n.kids = map[string]*node{}
	}
	k := n.kids[key]
	if k == nil {
		k = &node{}
		n.kids[key] = k
	}
	return k
}

func (n *node) item(i int) *node {
	if n.items == nil {
		n.items = map[int]*node{}
	}
	k := n.items[i]
	if k == nil {
		k = &node{}
		n.items[i] = k
	}
	return k
}

const maxSegments = 6

// segments splits a path at its dots, but not at \. ; [n] is an index, [] the first element of a list.
func segments(path string) ([]string, error) {
	var out []string
	var cur strings.Builder
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '\\' && i+1 < len(path):
			i++
			cur.WriteByte(path[i])
		case c == '.' && i > 0:
			out = append(out, cur.String())
			cur.Reset()
		default:
			cur.WriteByte(c)
		}
	}
	out = append(out, cur.String())
	if slices.Contains(out, "") {
		return nil, fmt.Errorf("path %q: an empty name between dots", path)
	}
	if len(out) > maxSegments {
		return nil, fmt.Errorf("path %q: more than %d names", path, maxSegments)
	}
	return out, nil
}

// reach calls each with the nodes at which a path may end. There is one for each interpretation of its dots: nested members, or names
// with dots, which have a higher rank.
func (n *node) reach(path string, each func(end *node, rank uint8)) error {
	segs, err := segments(path)
	if err != nil {
		return err
	}
	var walk func(at *node, rest []string, rank uint8) error
	walk = func(at *node, rest []string, rank uint8) error {
		if len(rest) == 0 {
			each(at, rank)
			return nil
		}
		for take := len(rest); take >= 1; take-- {
			name, index, has, err := indexed(strings.Join(rest[:take], "."))
			if err != nil {
				return fmt.Errorf("path %q: %w", path, err)
			}
			next := at.kid(fields.Canonical([]byte(name)))
			if has {
				next = next.item(index)
			}
			if err := walk(next, rest[take:], rank+uint8(take-1)); err != nil {
				return err
			}
		}
		return nil
	}
	return walk(n, segs, 0)
}

// indexed splits [n] from a name.
func indexed(s string) (name string, index int, has bool, err error) {
	open := strings.LastIndexByte(s, '[')
	if open <= 0 || !strings.HasSuffix(s, "]") {
		return s, 0, false, nil
	}
	in := s[open+1 : len(s)-1]
	if in == "" {
		return s[:open], 0, true, nil
	}
	index, err = strconv.Atoi(in)
	if err != nil || index < 0 || index > 63 {
		return "", 0, false, fmt.Errorf("[%s] is no index from 0 to 63", in)
	}
	return s[:open], index, true, nil
}
