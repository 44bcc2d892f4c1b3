package route

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"flyball/schema"
)

// Money is kept as attributes of a call, as it was logged.
const (
	AttrAmount   = "amount"
	AttrCurrency = "currency"
)

// locator says where in a call a value stands: "arg:payment.amount", "path:amount",
// "query:amount", "header:x-amount", "field:amount" (one that the gateway logged).
type locator struct{ kind, name string }

var locatorKinds = []string{"arg", "path", "query", "header", "field"}

func parseLocator(s string) (locator, error) {
	if s == "" {
		return locator{}, nil
	}
	kind, name, ok := strings.Cut(s, ":")
	if !ok || name == "" || !slices.Contains(locatorKinds, kind) {
		return locator{}, fmt.Errorf("%q: one of arg:NAME, path:NAME, query:NAME, header:NAME, field:NAME", s)
	}
	return locator{kind, name}, nil
}

// money notes what a call moves, where the operator said how to tell.
func money(c *schema.Call, in *Input, r *Rule, segs []string) {
	if amount := r.amount.find(c, in, r, segs); isDecimal(amount) {
		c.Note(AttrAmount, amount)
	}
	if currency := r.currency.find(c, in, r, segs); len(currency) == 3 {
		c.Note(AttrCurrency, strings.ToUpper(currency))
	}
}

func (l locator) find(c *schema.Call, in *Input, r *Rule, segs []string) string {
	switch l.kind {
	case "path":
		for i, s := range strings.Split(strings.Trim(Normalise(r.Template), "/"), "/") {
			if s == "{"+l.name+"}" && i < len(segs) {
				return segs[i]
			}
		}
	case "query":
		if v, err := url.ParseQuery(in.RawQuery); err == nil {
			return v.Get(l.name)
		}
	case "arg":
		return argument(in.Args, l.name)
	case "header", "field":
		name := l.name
		if l.kind == "header" {
			name = "header." + name
		}
		for _, a := range c.Attrs {
			if strings.EqualFold(strings.ReplaceAll(a.Key, "_", "-"), strings.ReplaceAll(name, "_", "-")) {
				return a.Value
			}
		}
	}
	return ""
}

// argument is the value at a dotted path in logged arguments.
func argument(args []byte, path string) string {
	for _, name := range strings.Split(path, ".") {
		var m map[string]json.RawMessage
		if json.Unmarshal(args, &m) != nil {
			return ""
		}
		args = m[name]
	}
	var text string
	if json.Unmarshal(args, &text) == nil {
		return text
	}
	return string(args)
}

// isDecimal tells an amount: digits, with a point perhaps.
func isDecimal(s string) bool {
	point, digits := 0, 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] >= '0' && s[i] <= '9':
			digits++
		case s[i] == '.':
			point++
		default:
			return false
		}
	}
	return digits > 0 && digits <= 18 && point <= 1
}
