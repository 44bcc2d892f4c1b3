package mapping

import (
	"regexp/syntax"
	"strings"
)

// repeat matches a repetition as long as possible, or, if it is lazy, until the literal that follows.
func repeat(t *syntax.Regexp, next *syntax.Regexp) step {
	sub := t.Sub[0]
	if _, last := captures(sub); last >= 0 {
		return nil
	}
	minimum := btoi(t.Op == syntax.OpPlus)
	in := compileClass(sub)
	switch {
	case t.Flags&syntax.NonGreedy != 0:
		return repeatLazily(in, minimum, next)
	case in != nil:
		return repeatClass(in, minimum)
	}
	return repeatStep(sub, minimum)
}

// repeatLazily returns nil unless a class is repeated and a literal follows.
func repeatLazily(in *[256]bool, minimum int, next *syntax.Regexp) step {
	for next != nil && (next.Op == syntax.OpConcat || next.Op == syntax.OpCapture) {
		next = next.Sub[0]
	}
	if in == nil || next == nil || next.Op != syntax.OpLiteral || next.Flags&syntax.FoldCase != 0 {
		return nil
	}
	return lazily(in, minimum, string(next.Rune))
}

func repeatClass(in *[256]bool, minimum int) step {
	return func(s string, i int, _ []int) int {
		from := i
		for i < len(s) && in[s[i]] {
			i++
		}
		if i-from < minimum {
			return -1
		}
		return i
	}
}

func repeatStep(sub *syntax.Regexp, minimum int) step {
	one := steps(sub, nil)
	if one == nil {
		return nil
	}
	run := &[256]bool{} // class at the beginning of an alternation
	if sub.Op == syntax.OpAlternate {
		if c := compileClass(sub.Sub[0]); c != nil {
			run = c
		}
	}
	return func(s string, i int, caps []int) int {
		n := 0
		for {
			for i < len(s) && run[s[i]] {
				i, n = i+1, n+1
			}
			end := one(s, i, caps)
			if end < 0 || end == i {
				break
			}
			i, n = end, n+1
		}
		if n < minimum {
			return -1
		}
		return i
	}
}

func lazily(in *[256]bool, minimum int, until string) step {
	return func(s string, i int, _ []int) int {
		for n := 0; ; n++ {
			if n >= minimum && strings.HasPrefix(s[i:], until) {
				return i
			}
			if i >= len(s) || !in[s[i]] {
				return -1
			}
			i += width(s, i)
		}
	}
}
