package mapping

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"flyball/schema/identity"
)

var timeForms = []string{"rfc3339", "clf", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns", "haproxy", "gin", "sql"}

// functions compiles the chain of an expression, in its documented order. A
// function that has nothing to say returns "".
func (e *Expr) functions(f Field) (list string, chain []func(string) string, err error) {
	add := func(fn func(string) string) { chain = append(chain, fn) }
	if e.List != "" {
		if list = e.List; !slices.Contains([]string{"first", "last", "sum", "count"}, list) {
			return "", nil, fault("list", "%q is none of first, last, sum, count", list)
		}
		if list == "sum" && f != Duration && f != UpstreamNs {
			return "", nil, fault("list", "only durations can be summed")
		}
	}
	if e.Split != nil {
		sep, index, ok := splitArgs(e.Split)
		if !ok {
			return "", nil, fault("split", "%v: a separator and an index, as [\" \", 0] or [\"/\", -1]", e.Split)
		}
		add(func(s string) string { return splitAt(s, sep, index) })
	}
	if e.Regex != "" {
		re, err := regexp.Compile(e.Regex)
		if err != nil {
			return "", nil, fault("regex", "%w", err)
		}
		add(func(s string) string {
			m := re.FindStringSubmatch(s)
			if m == nil {
				return ""
			}
			return m[min(1, len(m)-1)]
		})
	}
	if e.Replace != nil {
		if len(e.Replace) != 2 {
			return "", nil, fault("replace", "%v: a pattern and a text", e.Replace)
		}
		re, err := regexp.Compile(e.Replace[0])
		if err != nil {
			return "", nil, fault("replace", "%w", err)
		}
		with := e.Replace[1]
		add(func(s string) string { return re.ReplaceAllString(s, with) })
	}
	if e.Trim != "" {
		cutset := e.Trim
		add(func(s string) string { return strings.Trim(s, cutset) })
	}
	if e.Lower {
		add(strings.ToLower)
	}
	if e.Word {
		add(func(s string) string {
			if _, rest, ok := strings.Cut(s, " "); ok {
				return rest
			}
			return s
		})
	}
	if e.Func != "" {
		fn, err := named(e.Func)
		if err != nil {
			return "", nil, err
		}
		add(fn)
	}
	if e.JWT != "" && f != Token {
		return "", nil, fault("jwt", "set the field token to the logged token: its claims are read by the rules of identity, and only where "+
			"tokens are believed")
	}
	if len(e.Not) > 0 {
		not := slices.Clone(e.Not)
		add(func(s string) string {
			if slices.Contains(not, s) {
				return ""
			}
			return s
		})
	}
	if e.Map != nil {
		table, err := e.table(f)
		if err != nil {
			return "", nil, err
		}
		add(table)
	}
	return list, chain, nil
}

func (e *Expr) table(f Field) (func(string) string, error) {
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

// named are the functions that have a name of their own.
func named(name string) (func(string) string, error) {
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
	switch name {
	case "xray":
		return func(s string) string { // 1-8-24, with or without Root=
			if _, ok := identity.ParseTraceID(s); ok {
				return s
			}
			return ""
		}, nil
	case "traceparent_trace":
		return func(s string) string {
			if t, _, ok := identity.ParseTraceparent(s); ok {
				return fmt.Sprintf("%x", t)
			}
			return ""
		}, nil
	case "traceparent_span":
		return func(s string) string {
			if _, p, ok := identity.ParseTraceparent(s); ok {
				return fmt.Sprintf("%x", p)
			}
			return ""
		}, nil
	case "uri_host":
		return func(s string) string {
			if _, rest, ok := strings.Cut(s, "://"); ok {
				s = rest
			}
			s, _, _ = strings.Cut(s, "/")
			return s
		}, nil
	}
	return nil, fault("fn", "%q is none of xray, traceparent_trace, traceparent_span, baggage:KEY, uri_host", name)
}
