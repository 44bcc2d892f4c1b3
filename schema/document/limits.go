package document

import (
	"errors"
	"fmt"
	"io"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/scanner"
	"github.com/goccy/go-yaml/token"
)

// Limits of a document. The parser takes time and memory in the square of the depth, and repeats the
// value of an anchor at each alias, so they are checked before it runs.
const (
	maxBytes = 4 << 20 // of the text
	maxDepth = 32      // of lists and mappings within each other
	maxNames = 1000    // anchors, aliases and tags
	// maxExpanded is the size of the document after each alias has been replaced by its value:
	// bytes of the scalars, and nodeBytes for each node.
	maxExpanded = 8 << 20
	nodeBytes   = 16
)

// checkLimits returns an error if a text is too large, is nested too deep, or becomes too large by
// its aliases. It takes time in proportion to the text.
func checkLimits(text []byte) error {
	if len(text) > maxBytes {
		return fmt.Errorf("the document has %d bytes; at most %d: divide it", len(text), maxBytes)
	}
	var s scanner.Scanner
	s.Init(string(text))
	var tokens token.Tokens
	var c shape
	for {
		some, err := s.Scan()
		if errors.Is(err, io.EOF) {
			break
		}
		if tokens.Add(some...); err != nil {
			return nil //nolint:nilerr // the parser reports it
		}
		for _, t := range some {
			if err := c.add(t); err != nil {
				return err
			}
		}
	}
	if !c.aliases {
		return nil
	}
	file, err := parser.Parse(tokens, 0)
	if err != nil {
		return nil //nolint:nilerr // the reader parses again and reports it
	}
	e := expansion{anchors: map[string]int{}}
	for _, d := range file.Docs {
		if e.size(d.Body); e.err != nil {
			return e.err
		}
	}
	return nil
}

// shape follows the depth and the names of a document along its tokens.
type shape struct {
	flow    int   // open brackets and braces
	columns []int // of the indicators of the block lists and mappings around, increasing
	before  int   // column of the token before
	names   int
	aliases bool
}

// add returns an error at the first token beyond a limit.
func (n *shape) add(t *token.Token) error {
	n.nest(t)
	n.before = t.Position.Column
	switch t.Type {
	case token.AliasType, token.AnchorType, token.TagType:
		n.names++
		n.aliases = n.aliases || t.Type == token.AliasType
	}
	switch {
	case n.flow+len(n.columns) > maxDepth:
		return fmt.Errorf("[%d:%d] lists and mappings are nested more than %d deep; make it flatter", t.Position.Line, t.Position.Column,
			maxDepth)
	case n.names > maxNames:
		return fmt.Errorf("[%d:%d] more than %d anchors, aliases and tags; write the values out", t.Position.Line, t.Position.Column, maxNames)
	}
	return nil
}

func (n *shape) nest(t *token.Token) {
	switch t.Type {
	case token.SequenceStartType, token.MappingStartType:
		n.flow++
	case token.SequenceEndType, token.MappingEndType:
		n.flow = max(n.flow-1, 0)
	case token.SequenceEntryType, token.MappingKeyType:
		n.block(t.Position.Column)
	case token.MappingValueType:
		n.block(n.before) // the key's
	case token.DocumentHeaderType, token.DocumentEndType:
		n.flow, n.columns = 0, n.columns[:0]
	}
}

func (n *shape) block(column int) {
	if n.flow > 0 {
		return // a key within braces
	}
	for len(n.columns) > 0 && n.columns[len(n.columns)-1] > column {
		n.columns = n.columns[:len(n.columns)-1]
	}
	if len(n.columns) == 0 || n.columns[len(n.columns)-1] < column {
		n.columns = append(n.columns, column)
	}
}

// expansion computes the size of a document whose aliases are replaced by their values.
type expansion struct {
	anchors map[string]int
	total   int // of what has been seen
	err     error
}

// size returns the size of a node, at most maxExpanded.
func (e *expansion) size(n ast.Node) int {
	size := nodeBytes
	switch n := n.(type) {
	case nil:
		return 0
	case *ast.AnchorNode:
		size += e.size(n.Value)
		e.anchors[n.Name.GetToken().Value] = size
	case *ast.AliasNode:
		name := n.Value.GetToken()
		of, known := e.anchors[name.Value]
		if !known {
			e.fail(name, fmt.Sprintf("alias %q names nothing that ends before it; write the value out", name.Value))
		}
		size += of
		e.add(of, name)
	case *ast.MappingNode:
		for _, v := range n.Values {
			size += e.size(v)
		}
	case *ast.MappingValueNode:
		size += e.size(n.Key) + e.size(n.Value)
	case *ast.SequenceNode:
		for _, v := range n.Values {
			size += e.size(v)
		}
	case *ast.TagNode:
		size += e.size(n.Value)
	default:
		if t := n.GetToken(); t != nil {
			size += len(t.Value)
			e.add(len(t.Value)+nodeBytes, t)
		}
	}
	return min(size, maxExpanded)
}

func (e *expansion) add(size int, at *token.Token) {
	if e.total += size; e.total > maxExpanded {
		e.fail(at, fmt.Sprintf("with its aliases replaced by their values the document has more than %d bytes; write fewer aliases", maxExpanded))
	}
}

func (e *expansion) fail(at *token.Token, why string) {
	if e.err == nil {
		e.err = fmt.Errorf("[%d:%d] %s", at.Position.Line, at.Position.Column, why)
	}
}
