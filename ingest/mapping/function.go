package mapping

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"flyball/schema/identity"
)

var timeForms = []string{"rfc3339", "clf", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "haproxy", "gin", "sql"}

// textFunc is a function of an expression. It returns the empty string if it finds nothing.
type textFunc = func(string) string

// functions returns the compiled functions of an expression, in the order in which they run.
func (e *Expr) functions(f Field) (list string, chain []textFunc, err error) {
	if err := e.checkList(f); err != nil {
		return "", nil, err
	}
	for _, compile := range []func(Field) (textFunc, error){
		e.splitFunc, e.regexFunc, e.replaceFunc, e.trimFunc, e.lowerFunc, e.wordFunc, e.namedFunc, e.jwtFunc, e.notFunc, e.mapFunc,
	} {
		fn, err := compile(f)
		if err != nil {
			return "", nil, err
		}
		if fn != nil {
			chain = append(chain, fn)
		}
	}
	return e.List, chain, nil
}

func (e *Expr) checkList(f Field) error {
	switch {
	case e.List == "":
	case !slices.Contains([]string{"first", "last", "sum", "count"}, e.List):
		return fault("list", "%q is none of first, last, sum, count", e.List)
	case e.List == "sum" && !isDuration(f):
		return fault("list", "only durations can be summed")
	}
	return nil
}

func (e *Expr) splitFunc(Field) (textFunc, error) {
	if e.Split == nil {
		return nil, nil
	}
	sep, index, ok := splitArgs(e.Split)
	if !ok {
		return nil, fault("split", "%v: a separator and an index, as [\" \", 0] or [\"/\", -1]", e.Split)
	}
	return func(s string) string { return splitAt(s, sep, index) }, nil
}

// regexFunc returns the first group of a pattern, or the whole match if the pattern has no group.
func (e *Expr) regexFunc(Field) (textFunc, error) {
	if e.Regex == "" {
		return nil, nil
	}
	re, err := regexp.Compile(e.Regex)
	if err != nil {
		return nil, fault("regex", "%w", err)
	}
	return func(s string) string {
		m := re.FindStringSubmatch(s)
		if m == nil {
			return ""
		}
		return m[min(1, len(m)-1)]
	}, nil
}

func (e *Expr) replaceFunc(Field) (textFunc, error) {
	if e.Replace == nil {
		return nil, nil
	}
	if len(e.Replace) != 2 {
		return nil, fault("replace", "%v: a pattern and a text", e.Replace)
	}
	re, err := regexp.Compile(e.Replace[0])
	if err != nil {
		return nil, fault("replace", "%w", err)
	}
	with := e.Replace[1]
	return func(s string) string { return re.ReplaceAllString(s, with) }, nil
}

func (e *Expr) trimFunc(Field) (textFunc, error) {
	if e.Trim == "" {
		return nil, nil
	}
	cutset := e.Trim
	return func(s string) string { return strings.Trim(s, cutset) }, nil
}

func (e *Expr) lowerFunc(Field) (textFunc, error) {
	if !e.Lower {
		return nil, nil
	}
	return strings.ToLower, nil
}

// wordFunc removes the first word. A text of one word is not changed.
func (e *Expr) wordFunc(Field) (textFunc, error) {
	if !e.Word {
		return nil, nil
	}
	return func(s string) string {
		if _, rest, ok := strings.Cut(s, " "); ok {
			return rest
		}
		return s
	}, nil
}

func (e *Expr) namedFunc(Field) (textFunc, error) {
	if e.Func == "" {
		return nil, nil
	}
	return named(e.Func)
}

func (e *Expr) jwtFunc(f Field) (textFunc, error) {
	if e.JWT != "" && f != Token {
		return nil, fault("jwt", "set the field token to the logged token: its claims are read by the rules of identity, and only where "+
			"tokens are believed")
	}
	return nil, nil
}

func (e *Expr) notFunc(Field) (textFunc, error) {
	if len(e.Not) == 0 {
		return nil, nil
	}
	not := slices.Clone(e.Not)
	return func(s string) string {
		if slices.Contains(not, s) {
			return ""
		}
		return s
	}, nil
}

// mapFunc replaces a value by its entry in the map of the expression; "*" is the entry for all other values.
func (e *Expr) mapFunc(f Field) (textFunc, error) {
	if e.Map == nil {
		return nil, nil
	}
	for k, v := range e.Map {
		switch {
		case f == Outcome && !slices.Contains(outcomes, v):
			return nil, fault("map."+k, "%q is no outcome: %s", v, strings.Join(outcomes, ", "))
		case f == OpKind && !slices.Contains(opKinds, v):
			return nil, fault("map."+k, "%q is no op_kind: %s", v, strings.Join(opKinds, ", "))
		}
	}
	table, other := e.Map, e.Map["*"]
	return func(s string) string {
		if v, ok := table[s]; ok || s == "" {
			return v
		}
		return other
	}, nil
}

func splitArgs(args []any) (sep string, index int, ok bool) {
	if len(args) != 2 {
		return "", 0, false
	}
	sep, ok = args[0].(string)
	i, err := strconv.Atoi(fmt.Sprint(args[1]))
	return sep, i, ok && sep != "" && err == nil
}

func splitAt(s, sep string, index int) string {
	if index == 0 {
		first, _, _ := strings.Cut(s, sep)
		return first
	}
	if index == -1 {
		if i := strings.LastIndex(s, sep); i >= 0 {
			return s[i+len(sep):]
		}
		return s
	}
	parts := strings.Split(s, sep)
	if index < 0 {
		index += len(parts)
	}
	if index < 0 || index >= len(parts) {
		return ""
	}
	return parts[index]
}

// named returns the function with that name. baggage:KEY returns the member KEY of a W3C baggage.
func named(name string) (textFunc, error) {
	if key, ok := strings.CutPrefix(name, "baggage:"); ok && key != "" {
		return func(s string) (out string) {
			identity.ParseBaggage(s, func(k, v string) {
				if k == key {
					out = v
				}
			})
			return out
		}, nil
	}
	if fn := namedFunctions[name]; fn != nil {
		return fn, nil
	}
	return nil, fault("fn", "%q is none of xray, traceparent_trace, traceparent_span, baggage:KEY, uri_host, percent, percent_plus", name)
}

var namedFunctions = map[string]textFunc{
	"xray": func(s string) string { // 1-8-24, with or without Root=
		if _, ok := identity.ParseTraceID(s); ok {
			return s
		}
		return ""
	},
	"traceparent_trace": func(s string) string {
		if t, _, ok := identity.ParseTraceparent(s); ok {
			return fmt.Sprintf("%x", t)
		}
		return ""
	},
	"traceparent_span": func(s string) string {
		if _, p, ok := identity.ParseTraceparent(s); ok {
			return fmt.Sprintf("%x", p)
		}
		return ""
	},
	"percent": func(s string) string { // %20 is a space
		if d, err := url.PathUnescape(s); err == nil {
			return d
		}
		return s
	},
	"percent_plus": func(s string) string { // %20 and + are spaces
		if d, err := url.QueryUnescape(s); err == nil {
			return d
		}
		return s
	},
	"uri_host": func(s string) string {
		if _, rest, ok := strings.Cut(s, "://"); ok {
			s = rest
		}
		s, _, _ = strings.Cut(s, "/")
		return s
	},
}
