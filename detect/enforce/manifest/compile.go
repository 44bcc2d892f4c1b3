package manifest

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"flyball/schema/route"
	"flyball/schema/schedule"
)

// compile checks a document and compiles it into a Manifest. The error lists everything that is
// wrong with the document; each line names the key, the value and the rule.
func compile(d *Document) (*Manifest, error) {
	var c compiler
	m := &Manifest{Document: *d, pattern: c.head(d), types: map[string]grants{}}
	m.grants = c.grants("scope", d.Grants)
	for name, g := range d.TaskTypes {
		if len(g.Routes)+len(g.Resources) == 0 {
			c.reject("task_types.%s: neither routes nor resources; a type must limit something", name)
		}
		m.types[name] = c.grants("task_types."+name, g)
	}
	for i, a := range d.Autonomy {
		m.autonomy = append(m.autonomy, c.autonomy(indexed("autonomy", i), a))
	}
	m.quotas = c.quotas(d.Quotas)
	for i, a := range m.autonomy { // amounts per run and per day are also quotas
		m.quotas = append(m.quotas, a.quotas(i)...)
	}
	if d.Hours != nil {
		m.hours = schedule.Compile("hours", *d.Hours, c.reject)
	}
	m.failure = c.failureMode(d.FailureMode)
	if len(c.errs) > 0 {
		return nil, fmt.Errorf("manifest of %q: %w", d.Agent, errors.Join(c.errs...))
	}
	return m, nil
}

// compiler collects the errors of a document.
type compiler struct{ errs []error }

func (c *compiler) reject(format string, args ...any) {
	c.errs = append(c.errs, fmt.Errorf(format, args...))
}

// head checks the fields before the lists, and reports whether the agent is a pattern.
func (c *compiler) head(d *Document) (pattern bool) {
	if d.Version != formatVersion {
		c.reject("version: %d; this binary reads %d", d.Version, formatVersion)
	}
	switch {
	case d.Agent == "":
		c.reject("agent: empty; a name, or a pattern as billing/*")
	case strings.ContainsAny(d.Agent, "*?["):
		if _, err := path.Match(d.Agent, ""); err != nil {
			c.reject("agent: %q: %v", d.Agent, err)
		}
		pattern = true
	}
	if d.Task != "" && d.Task != "required" && d.Task != "optional" {
		c.reject("task: %q; required or optional", d.Task)
	}
	return pattern
}

func (c *compiler) grants(key string, g Grants) grants {
	out := grants{key: key, routes: c.routes(key+".routes", g.Routes)}
	for i, r := range g.Resources {
		kind, _, ok := strings.Cut(r, ":")
		if _, err := path.Match(r, ""); !ok || kind == "" || err != nil {
			c.reject("%s.resources[%d]: %q; a kind and a pattern as order:*", key, i, r)
		}
		out.resources = append(out.resources, r)
	}
	return out
}

func (c *compiler) routes(key string, list []string) []route.Pattern {
	var out []route.Pattern
	for i, text := range list {
		p, err := route.ParsePattern(text)
		if err != nil {
			c.reject("%s[%d]: %v", key, i, err)
		}
		out = append(out, p)
	}
	return out
}

var currencyRule = regexp.MustCompile(`^[A-Z]{3}$`)

func (c *compiler) currency(key, currency string, required bool) {
	if currency == "" && required {
		c.reject("%s: empty; an amount needs its currency", key)
	} else if currency != "" && !currencyRule.MatchString(currency) {
		c.reject("%s: %q; three capital letters of ISO 4217", key, currency)
	}
}

// amounts checks that the numbers under a key fit into thousandths.
func (c *compiler) amounts(key string, amounts map[string]float64) {
	for name, v := range amounts {
		if v < 0 || v > 1e12 {
			c.reject("%s.%s: %v; between 0 and 10¹²", key, name, v)
		}
	}
}

func (c *compiler) autonomy(key string, a Autonomy) autonomy {
	if len(a.Routes) == 0 {
		c.reject("%s.routes: empty; name the routes that it is about", key)
	}
	amounts := a.AloneBelow != 0 || a.PerRun != 0 || a.PerDay != 0
	switch {
	case !slices.Contains([]string{"", "always", "never"}, a.Ask):
		c.reject("%s.ask: %q; always or never", key, a.Ask)
	case a.Ask == "" && !amounts:
		c.reject("%s: neither ask nor an amount; write ask: always, ask: never, or alone_below", key)
	case a.Ask != "" && amounts:
		c.reject("%s.ask: %q and amounts contradict each other; leave one out", key, a.Ask)
	}
	c.amounts(key, map[string]float64{"alone_below": a.AloneBelow, "per_run": a.PerRun, "per_day": a.PerDay})
	c.currency(key+".currency", a.Currency, amounts)
	return autonomy{Autonomy: a, key: key, routes: c.routes(key+".routes", a.Routes), below: thousandths(a.AloneBelow)}
}

const day = 24 * time.Hour

// quotas returns the quotas that result from amounts per run and per day.
func (a *autonomy) quotas(i int) []quota {
	var out []quota
	add := func(name, of string, amount float64) {
		if amount > 0 {
			q := Quota{Name: fmt.Sprintf("autonomy%d_%s", i, name), Of: of, Routes: a.Routes, Amount: amount, Currency: a.Currency,
				Per: Duration(day), Over: "ask"}
			out = append(out, quota{Quota: q, key: a.key + "." + name, routes: a.routes, limit: thousandths(amount), autonomousOnly: true})
		}
	}
	add("per_run", "run", a.PerRun)
	add("per_day", "agent", a.PerDay)
	return out
}

func (c *compiler) quotas(list []Quota) []quota {
	var out []quota
	names := map[string]bool{}
	for i, q := range list {
		key := indexed("quotas", i)
		if names[q.Name] {
			c.reject("%s.name: %q is there twice", key, q.Name)
		}
		names[q.Name] = true
		out = append(out, c.quota(key, q))
	}
	return out
}

var quotaName = regexp.MustCompile(`^[a-z0-9_.-]{1,40}$`)

func (c *compiler) quota(key string, q Quota) quota {
	if !quotaName.MatchString(q.Name) {
		c.reject("%s.name: %q; 1 to 40 of a-z 0-9 _ . -", key, q.Name)
	}
	if q.Of == "" {
		q.Of = "agent"
	}
	if !slices.Contains([]string{"agent", "run", "principal"}, q.Of) {
		c.reject("%s.of: %q; agent, run or principal", key, q.Of)
	}
	if q.Over == "" {
		q.Over = "deny"
	}
	if q.Over != "deny" && q.Over != "ask" {
		c.reject("%s.over: %q; deny or ask", key, q.Over)
	}
	units := map[string]float64{"calls": float64(q.Calls), "irreversible": float64(q.Irreversible), "bytes": float64(q.Bytes),
		"amount": q.Amount}
	c.amounts(key, units)
	set := 0
	for _, v := range units {
		if v > 0 {
			set++
		}
	}
	if set != 1 {
		c.reject("%s: %d of calls, irreversible, bytes and amount are set; exactly one", key, set)
	}
	c.currency(key+".currency", q.Currency, q.Amount > 0)
	if d := time.Duration(q.Per); d < 10*time.Second || d > 31*day {
		c.reject("%s.per: %s; between 10s and 744h", key, d)
	}
	limit := max(q.Calls, q.Irreversible, q.Bytes)
	if q.Amount > 0 {
		limit = thousandths(q.Amount)
	}
	return quota{Quota: q, key: key, routes: c.routes(key+".routes", q.Routes), limit: limit}
}

func (c *compiler) failureMode(f *FailureMode) FailureMode {
	out := defaultFailureMode
	if f == nil {
		return out
	}
	for _, p := range [...]struct {
		key  string
		from string
		to   *string
	}{{"reads", f.Reads, &out.Reads}, {"writes", f.Writes, &out.Writes}, {"irreversible", f.Irreversible, &out.Irreversible}} {
		switch p.from {
		case "":
		case "allow", "deny":
			*p.to = p.from
		default:
			c.reject("failure_mode.%s: %q; allow or deny", p.key, p.from)
		}
	}
	return out
}
