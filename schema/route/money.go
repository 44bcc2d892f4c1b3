package route

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"flyball/schema"
)

// Attributes of a call that hold the amount and the currency, as they were logged.
const (
	AttrAmount   = "amount"
	AttrCurrency = "currency"
)

// locator is the place of a value in a call: "arg:payment.amount", "path:amount",
// "query:amount", "header:x-amount", "field:amount" (a field that the gateway logged).
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

// parseCurrency reads the place of a currency, or a fixed currency.
func parseCurrency(s string) (locator, error) {
	if len(s) == 3 && !strings.ContainsFunc(s, func(r rune) bool { return r < 'A' || r > 'Z' }) {
		return locator{"always", s}, nil
	}
	l, err := parseLocator(s)
	if err != nil {
		err = fmt.Errorf("%w, or three capital letters of ISO 4217", err)
	}
	return l, err
}

// setMoney sets the attributes of amount and currency, from the places that the operator
// declared. A value that occurs twice in the call is left out, because it is unknown which of
// the two the service uses.
func setMoney(c *schema.Call, in *Input, r *Rule, segs []string) {
	if amount := r.amount.find(c, in, r, segs); isDecimal(amount) {
		c.SetAttr(AttrAmount, amount)
	}
	if currency := r.currency.find(c, in, r, segs); len(currency) == 3 {
		c.SetAttr(AttrCurrency, strings.ToUpper(currency))
	}
}

func (l locator) find(c *schema.Call, in *Input, r *Rule, segs []string) string {
	switch l.kind {
	case "always":
		return l.name
	case "path":
		for i, s := range strings.Split(strings.Trim(normalise(r.Template), "/"), "/") {
			if s == "{"+l.name+"}" && i < len(segs) {
				return segs[i]
			}
		}
	case "query":
		if _, err := url.ParseQuery(in.RawQuery); err != nil {
			return ""
		}
		return single(append(values(in.RawQuery, l.name), values(string(in.Form), l.name)...))
	case "arg":
		if name, _, _ := strings.Cut(l.name, "."); len(values(in.RawQuery, name)) > 0 {
			return "" // a framework that merges query and body can use either of them
		}
		return argument(in.Args, l.name)
	case "header", "field":
		name := l.name
		if l.kind == "header" {
			name = "header." + name
		}
		var found []string
		for _, a := range c.Attrs {
			if strings.EqualFold(strings.ReplaceAll(a.Key, "_", "-"), strings.ReplaceAll(name, "_", "-")) {
				found = append(found, a.Value)
			}
		}
		return single(found)
	}
	return ""
}

// single returns the value of a list with one element; otherwise "".
func single(list []string) string {
	if len(list) != 1 {
		return ""
	}
	return list[0]
}

// argument returns the value at a dotted path in arguments. It returns "" when a member of the
// path is missing or occurs twice, in any case.
func argument(args []byte, path string) string {
	if !json.Valid(args) {
		return ""
	}
	for name := range strings.SplitSeq(path, ".") {
		value, n := jsonMember(args, name)
		if n != 1 {
			return ""
		}
		args = value
	}
	var text string
	if json.Unmarshal(args, &text) == nil {
		return text
	}
	return string(args)
}

// isDecimal reports whether s is an amount: 1 to 18 digits with at most one point.
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
