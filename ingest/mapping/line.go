package mapping

import (
	"flyball/ingest/fields"
	"strings"
)

// Match splits a line of text into members. It returns false if the line does not match the pattern. The members are valid until the next
// use of m.
func (p *Program) Match(line string, m *Memory) ([]fields.Pair, bool) {
	at, ok := p.pattern.match(line, m.caps)
	if !ok {
		return nil, false
	}
	m.caps = at
	m.lines = m.lines[:0]
	for i, name := range p.groups {
		from, to := at[2*i], at[2*i+1]
		if name == "" || from < 0 {
			continue
		}
		text := line[from:to]
		if i == p.logfmt {
			m.lines = logfmt(text, &m.keys, m.lines)
			continue
		}
		m.lines = append(m.lines, fields.Pair{Name: name, Key: name, Val: fields.Plain(unescaped(text))})
	}
	return m.lines, true
}

// unescaped decodes \" and \\ in a quoted part.
func unescaped(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(s)
}

// logfmt reads k=v and k="v w" pairs and appends them to into.
func logfmt(s string, keys *fields.Keys, into []fields.Pair) []fields.Pair {
	for s = strings.TrimLeft(s, " \t"); s != ""; s = strings.TrimLeft(s, " \t") {
		key, rest, ok := strings.Cut(s, "=")
		if !ok || strings.ContainsAny(key, " \t") {
			_, s, _ = strings.Cut(s, " ")
			continue
		}
		var v string
		if strings.HasPrefix(rest, `"`) {
			end := 1
			for end < len(rest) && rest[end] != '"' {
				if rest[end] == '\\' {
					end++
				}
				end++
			}
			end = min(end, len(rest))
			v, s = unescaped(rest[1:end]), rest[min(end+1, len(rest)):]
		} else {
			end := strings.IndexAny(rest, " \t")
			if end < 0 {
				end = len(rest)
			}
			v, s = rest[:end], rest[end:]
		}
		if len(into) < maxPairs {
			into = append(into, fields.Pair{Name: key, Key: keys.Canonical([]byte(key)), Val: fields.Plain(v)})
		}
	}
	return into
}

const maxPairs = 512
