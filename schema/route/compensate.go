package route

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Compensation is the route that undoes the calls of another one, as the operator declares it.
type Compensation struct {
	Method, Template string // of the calls; an empty method: any
	By               string // method and template of the call that undoes one: "POST /v1/refunds/{id}/cancel"
}

// Compensations returns what the rules declare, in their order.
func Compensations(rules []Rule) (out []Compensation) {
	for i := range rules {
		if r := &rules[i]; r.CompensatedBy != "" && r.Template != "" {
			out = append(out, Compensation{r.Method, normalise(r.Template), r.CompensatedBy})
		}
	}
	return out
}

var byRoute = regexp.MustCompile(`^([A-Z]{3,10}) (/[A-Za-z0-9._~{}:@*$&+,;=/-]*)$`)

// CheckCompensation returns an error unless a text names a route as compensated_by does.
func CheckCompensation(by string) error {
	if m := byRoute.FindStringSubmatch(by); m == nil || m[1] == "GET" || m[1] == "HEAD" || m[1] == "OPTIONS" || strings.Contains(m[2], "//") {
		return fmt.Errorf("%q: want a method that changes something and a template, as in POST /v1/refunds/{id}/cancel", by)
	}
	for segment := range strings.SplitSeq(by, "/") {
		if _, ok := parameter(segment); !ok && strings.ContainsAny(segment, "{}") {
			return fmt.Errorf("%q: a parameter is a whole segment, as in /refunds/{id}, and %q is not", by, segment)
		}
	}
	return nil
}

// FindCompensation returns the first of some compensations that is for a route; nil: none is declared.
func FindCompensation(all []Compensation, method, route string) *Compensation {
	key := Key(normalise(route))
	for i := range all {
		if c := &all[i]; (c.Method == "" || c.Method == method) && Key(c.Template) == key {
			return c
		}
	}
	return nil
}

// For returns the method and the path of the call that undoes a call with a path. Parameters of the same name have the values of the
// path; if both templates have a single one, its name does not matter. missing are the parameters without a value, which stand in the path
// as {name}: the path does not tell them, or has a value that a program could read as another path, such as .. . Clients choose paths.
func (c *Compensation) For(path string) (method, undo string, missing []string) {
	method, template, _ := strings.Cut(c.By, " ")
	values := parameters(c.Template, path)
	segs := strings.Split(normalise(template), "/")
	names := namesIn(segs)
	own := namesIn(strings.Split(c.Template, "/"))
	for i, s := range segs {
		name, ok := parameter(s)
		if !ok {
			continue
		}
		v, known := values[name]
		if !known && len(names) == 1 && len(own) == 1 {
			v, known = values[own[0]]
		}
		if !known || !plainSegment(v) {
			if !slices.Contains(missing, name) {
				missing = append(missing, name)
			}
			continue
		}
		segs[i] = url.PathEscape(v)
	}
	return method, strings.Join(segs, "/"), missing
}

// parameters returns the values of a template's parameters in a path, decoded.
func parameters(template, path string) map[string]string {
	path, _, _ = strings.Cut(path, "?")
	t, p := strings.Split(strings.Trim(template, "/"), "/"), strings.Split(strings.Trim(path, "/"), "/")
	out := map[string]string{}
	if len(t) != len(p) {
		return out
	}
	for i := range t {
		name, ok := parameter(t[i])
		if !ok {
			if !strings.EqualFold(t[i], p[i]) {
				return map[string]string{}
			}
			continue
		}
		v, err := url.PathUnescape(p[i])
		if err != nil {
			v = p[i]
		}
		out[name] = v
	}
	return out
}

// parameter returns the name of a segment that is a parameter.
func parameter(segment string) (string, bool) {
	if len(segment) < 3 || segment[0] != '{' || segment[len(segment)-1] != '}' {
		return "", false
	}
	return strings.TrimRight(segment[1:len(segment)-1], "*"), segment != "{*}"
}

func namesIn(segs []string) (out []string) {
	for _, s := range segs {
		if name, ok := parameter(s); ok && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// plainSegment reports whether every server reads a value as one segment of a path.
func plainSegment(v string) bool {
	if v == "" || strings.Trim(v, ".") == "" || strings.ContainsAny(v, `/\;?#%`) || strings.Contains(v, "..") {
		return false
	}
	for _, r := range v {
		if r < ' ' || r == 0x7f {
			return false
		}
	}
	return true
}
