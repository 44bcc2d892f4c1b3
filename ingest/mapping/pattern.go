package mapping

import (
	"regexp"
	"regexp/syntax"
	"strings"
	"unicode/utf8"
)

// pattern matches lines with the semantics of package regexp: of all possible matches, the preferred one. Log lines nearly always match
// with the preferred choice at each step, so this is tried first, without backtracking. Only if it fails, package regexp is used.
type pattern struct {
	re    *regexp.Regexp
	first step // nil if the pattern contains an operator that steps does not support
	// literals are texts that every match contains, in this order: most lines of other formats lack one.
	literals []string
}

// step matches at s[i:] and returns the index after the match, or -1.
type step func(s string, i int, caps []int) int

func compilePattern(text string) (*pattern, error) {
	re, err := regexp.Compile(text)
	if err != nil {
		return nil, err
	}
	tree, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, err
	}
	tree = tree.Simplify()
	return &pattern{re: re, first: steps(tree, nil), literals: literalsOf(tree, nil)}, nil
}

// literalsOf appends the literals that every match of a tree contains, in their order.
func literalsOf(t *syntax.Regexp, into []string) []string {
	switch t.Op {
	case syntax.OpLiteral:
		if t.Flags&syntax.FoldCase == 0 {
			into = append(into, string(t.Rune))
		}
	case syntax.OpConcat, syntax.OpCapture:
		for _, sub := range t.Sub {
			into = literalsOf(sub, into)
		}
	}
	return into
}

// mayMatch reports whether s contains all literals of the pattern.
func (p *pattern) mayMatch(s string) bool {
	for _, text := range p.literals {
		i := strings.Index(s, text)
		if i < 0 {
			return false
		}
		s = s[i+len(text):]
	}
	return true
}

// match fills caps as FindStringSubmatchIndex does and reports whether s matches.
func (p *pattern) match(s string, caps []int) ([]int, bool) {
	n := 2 * (p.re.NumSubexp() + 1)
	if p.first != nil {
		for len(caps) < n {
			caps = append(caps, -1)
		}
		caps = caps[:n]
		for i := range caps {
			caps[i] = -1
		}
		if end := p.first(s, 0, caps); end == len(s) {
			caps[0], caps[1] = 0, end
			return caps, true
		}
	}
	if !p.mayMatch(s) {
		return nil, false
	}
	at := p.re.FindStringSubmatchIndex(s)
	return at, at != nil
}

// steps compiles a tree. next is the expression after it, which a lazy repetition needs. It returns nil if the tree cannot be matched
// without backtracking.
func steps(t *syntax.Regexp, next *syntax.Regexp) step {
	switch t.Op {
	case syntax.OpEmptyMatch:
		return func(_ string, i int, _ []int) int { return i }
	case syntax.OpBeginText:
		return at(func(string) int { return 0 })
	case syntax.OpEndText:
		return at(func(s string) int { return len(s) })
	case syntax.OpLiteral:
		return literal(t)
	case syntax.OpCharClass, syntax.OpAnyCharNotNL, syntax.OpAnyChar:
		return oneOf(t)
	case syntax.OpCapture:
		return capture(t, next)
	case syntax.OpConcat:
		return concat(t.Sub, next)
	case syntax.OpAlternate:
		return alternate(t.Sub, next)
	case syntax.OpQuest:
		return optional(t, next)
	case syntax.OpStar, syntax.OpPlus:
		return repeat(t, next)
	}
	return nil
}

// at matches the empty string at one position of the text.
func at(place func(s string) int) step {
	return func(s string, i int, _ []int) int {
		if i == place(s) {
			return i
		}
		return -1
	}
}

func literal(t *syntax.Regexp) step {
	if t.Flags&syntax.FoldCase != 0 {
		return nil
	}
	text := string(t.Rune)
	return func(s string, i int, _ []int) int {
		if strings.HasPrefix(s[i:], text) {
			return i + len(text)
		}
		return -1
	}
}

// oneOf matches one character of a class.
func oneOf(t *syntax.Regexp) step {
	in := compileClass(t)
	if in == nil {
		return nil
	}
	return func(s string, i int, _ []int) int {
		if i < len(s) && in[s[i]] {
			return i + width(s, i)
		}
		return -1
	}
}

func capture(t *syntax.Regexp, next *syntax.Regexp) step {
	sub, at := steps(t.Sub[0], next), 2*t.Cap
	if sub == nil {
		return nil
	}
	return func(s string, i int, caps []int) int {
		end := sub(s, i, caps)
		if end >= 0 {
			caps[at], caps[at+1] = i, end
		}
		return end
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// width returns the number of bytes of the character at s[i]; an invalid byte is one character.
func width(s string, i int) int {
	if s[i] < utf8.RuneSelf {
		return 1
	}
	_, n := utf8.DecodeRuneInString(s[i:])
	return n
}

// compileClass returns a class as a table of first bytes. It returns nil unless the characters beyond ASCII are either all in the class
// or all outside.
func compileClass(t *syntax.Regexp) *[256]bool {
	in := &[256]bool{}
	above := false
	switch t.Op {
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		for i := range in {
			in[i] = i != '\n' || t.Op == syntax.OpAnyChar
		}
		return in
	case syntax.OpCharClass:
		for i := 0; i+1 < len(t.Rune); i += 2 {
			from, to := t.Rune[i], t.Rune[i+1]
			if to >= utf8.RuneSelf {
				if from > utf8.RuneSelf || to != utf8.MaxRune {
					return nil
				}
				above = true
			}
			for r := from; r <= to && r < utf8.RuneSelf; r++ {
				in[r] = true
			}
		}
	default:
		return nil
	}
	for i := utf8.RuneSelf; i < 256; i++ {
		in[i] = above
	}
	return in
}

func concat(subs []*syntax.Regexp, next *syntax.Regexp) step {
	var all []step
	for i, sub := range subs {
		after := next
		if i+1 < len(subs) {
			after = subs[i+1]
		}
		s := steps(sub, after)
		if s == nil {
			return nil
		}
		all = append(all, s)
	}
	return func(s string, i int, caps []int) int {
		for _, step := range all {
			if i = step(s, i, caps); i < 0 {
				return -1
			}
		}
		return i
	}
}

func alternate(subs []*syntax.Regexp, next *syntax.Regexp) step {
	var all []step
	for _, sub := range subs {
		s := steps(sub, next)
		if s == nil {
			return nil
		}
		all = append(all, s)
	}
	return func(s string, i int, caps []int) int {
		for _, step := range all {
			if end := step(s, i, caps); end >= 0 {
				return end
			}
		}
		return -1
	}
}

// optional matches its expression if possible. If the expression does not match, its captures are cleared.
func optional(t *syntax.Regexp, next *syntax.Regexp) step {
	sub := steps(t.Sub[0], next)
	if sub == nil || t.Flags&syntax.NonGreedy != 0 {
		return nil
	}
	first, last := captures(t.Sub[0])
	return func(s string, i int, caps []int) int {
		if end := sub(s, i, caps); end >= 0 {
			return end
		}
		for c := first; c <= last; c++ {
			caps[2*c], caps[2*c+1] = -1, -1
		}
		return i
	}
}

// captures returns the first and the last capture group in a tree.
func captures(t *syntax.Regexp) (first, last int) {
	first, last = 1<<30, -1
	if t.Op == syntax.OpCapture {
		first, last = t.Cap, t.Cap
	}
	for _, sub := range t.Sub {
		f, l := captures(sub)
		first, last = min(first, f), max(last, l)
	}
	return first, last
}
