package identity

import (
	_ "embed"
	"strings"
)

// product is what a User-Agent contains about its program: weak evidence, because a client
// chooses it.
type product struct {
	name                                      string
	agent, library, browser, crawler, monitor bool
}

// products.tsv: product, kind. A product matches at the start of a
// User-Agent, or as a word of it.
//
//go:embed products.tsv
var productTable string

var known = func() map[string]product {
	out := map[string]product{}
	for line := range strings.SplitSeq(productTable, "\n") {
		name, kind, ok := strings.Cut(line, "\t")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		p := product{name: name}
		switch kind {
		case "agent":
			p.agent = true
		case "library":
			p.library = true
		case "crawler":
			p.crawler = true
		case "monitor":
			p.monitor = true
		}
		out[strings.ToLower(name)] = p
	}
	return out
}()

// product classifies a User-Agent. A bounded number of results is cached.
func (r *Resolver) product(ua string) product {
	if ua == "" {
		return product{}
	}
	p, ok := r.products.get(ua)
	if !ok {
		p = classify(ua)
		r.products.put(ua, p)
	}
	return p
}

func classify(ua string) product {
	lower := strings.ToLower(ua)
	for _, word := range strings.FieldsFunc(lower, func(c rune) bool { return c == ' ' || c == ';' || c == '(' || c == ')' || c == ',' }) {
		name, _, _ := strings.Cut(word, "/")
		if p, ok := known[name]; ok {
			return p
		}
	}
	for name, p := range known {
		if strings.Contains(name, " ") && strings.Contains(lower, name) {
			return p
		}
	}
	name, _, _ := strings.Cut(ua, "/")
	name, _, _ = strings.Cut(name, " ")
	if len(name) > 40 {
		name = name[:40]
	}
	name = id(name)
	if strings.HasPrefix(ua, "Mozilla/") {
		return product{name: "browser", browser: true}
	}
	return product{name: strings.Clone(name)}
}
