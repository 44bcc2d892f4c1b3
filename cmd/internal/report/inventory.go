package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
	"flyball/schema/wording"
)

// Inventory holds the agents with calls, and the problems with their identities. Its JSON form
// is the list of agents, each with its problems.
type Inventory struct {
	Agents  []query.AgentRow
	Hygiene []query.Hygiene
}

// MarshalJSON adds each problem to the agent to which it applies.
func (v Inventory) MarshalJSON() ([]byte, error) {
	type agent struct {
		query.AgentRow
		Hygiene []query.Hygiene `json:"hygiene"`
	}
	out := []agent{}
	for _, a := range v.Agents {
		one := agent{a, []query.Hygiene{}}
		for _, h := range v.Hygiene {
			if h.Subject == a.AgentID || slices.Contains(a.Credentials, h.Subject) || slices.Contains(h.Evidence, a.AgentID) {
				one.Hygiene = append(one.Hygiene, h)
			}
		}
		out = append(out, one)
	}
	return json.Marshal(out)
}

// noCalls is printed in place of a table about calls that has no rows.
const noCalls = "No calls in this period. --since goes further back; flyball status shows whether calls arrive."

// Agents prints the agents, then the problems.
func Agents(w io.Writer, v Inventory) error {
	if len(v.Agents) == 0 {
		err := Printf(w, "%s\n", noCalls)
		return err
	}
	err := Table(
		w,
		"AGENT | TRUST?? | OWNER | ARMED | BASELINE??? | ACQUAINTANCE? | UNTIL IT IS KNOWN???? | VERSION??? | CREDENTIALS????? | "+
			"RUNS? | CALLS | IRREVERSIBLE | FIRST????? | LAST",
		func(row func(...any)) {
			for _, a := range v.Agents {
				armed := cmp.Or(a.Enforcement, "unknown")
				credentials := Dash(strings.Join(a.Credentials[:min(len(a.Credentials), 2)], " "))
				if a.CredentialN > 2 {
					credentials += fmt.Sprintf(" +%d", a.CredentialN-2)
				}
				row(
					a.AgentID,
					a.Trust,
					Dash(a.Owner),
					armed,
					Dash(a.Baseline),
					acquaintance(a.Learned),
					wait(a.Learned),
					Dash(a.Version),
					credentials,
					a.Runs,
					a.Calls,
					Count(a.Irreversible),
					Minute(a.FirstAt),
					Minute(a.LastAt),
				)
			}
		},
	)
	if err != nil || len(v.Hygiene) == 0 {
		return err
	}
	fmt.Fprintln(w)
	return Hygiene(w, v.Hygiene)
}

// acquaintance returns the class of an agent for a table.
func acquaintance(l *schema.Learned) string {
	if l == nil {
		return "unknown"
	}
	return l.Acquaintance.String()
}

// wait returns what is missing until an agent is known, for a table.
func wait(l *schema.Learned) string {
	if l == nil {
		return Dash("")
	}
	return Dash(wording.Wait(l))
}

// Hygiene prints the problems that an operator should correct, with reasons.
func Hygiene(w io.Writer, v []query.Hygiene) error {
	if len(v) == 0 {
		err := Printf(w, "Nothing is wrong with who calls.\n")
		return err
	}
	said := map[string]string{}
	err := Table(w, "WHAT | OF | CALLS? | LAST? | EVIDENCE", func(row func(...any)) {
		for _, h := range v {
			said[h.Kind] = h.Advice
			row(Word(h.Kind), h.Subject, h.Calls, Minute(h.LastAt), Dash(short(h.Evidence)))
		}
	})
	if err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, kind := range sorted(said) {
		Printf(w, "%s: %s\n", kind, said[kind])
	}
	return nil
}

func sorted(m map[string]string) []string {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func short(list []string) string {
	if len(list) > 3 {
		return strings.Join(list[:3], ", ") + fmt.Sprintf(" and %d more", len(list)-3)
	}
	return strings.Join(list, ", ")
}

// Routes prints the routes with calls; "!" marks those that seem unsafe and are undeclared.
func Routes(w io.Writer, rows []query.RouteRow) error {
	if len(rows) == 0 {
		err := Printf(w, "%s\n", noCalls)
		return err
	}
	undeclared := 0
	err := Table(
		w,
		"  | ROUTE | EFFECT?? | REVERSIBILITY | SAID BY??? | ROUTE BY???? | AGENTS?? | CALLS | ERRORS? | DENIED | LAST",
		func(row func(...any)) {
			for _, r := range rows {
				mark := " "
				if r.Undeclared {
					mark = "!"
					undeclared++
				}
				row(
					mark,
					routeName(r.Method, r.Route, r.Tool),
					r.Effect,
					Undo(r.Reversibility),
					r.ReversibilitySource,
					cmp.Or(r.NamedBy, r.RouteSource),
					r.Agents,
					r.Calls,
					r.Errors,
					Count(r.Denied),
					Minute(r.LastAt),
				)
			}
		},
	)
	if err == nil && undeclared > 0 {
		err = Printf(
			w,
			"\n! %d change something, and only words or a method say what: declare them under routes (template or tool, effect, "+
				"reversibility), or in an OpenAPI document (x-flyball-effect).\n",
			undeclared,
		)
	}
	return err
}

func routeName(method, route, tool string) string {
	if tool != "" {
		return "tool " + tool
	}
	return strings.TrimSpace(method + " " + route)
}

// StartHere prints the uses of irreversible routes that should be protected first, and the strangers.
func StartHere(w io.Writer, all []query.StartRow) error {
	if err := irreversibleUses(w, slices.DeleteFunc(slices.Clone(all), func(u query.StartRow) bool { return !u.HasRoute() })); err != nil {
		return err
	}
	return strangers(w, all)
}

// strangers prints the agents that no baseline knows, what bounds each of them already, and what would.
func strangers(w io.Writer, rows []query.StartRow) error {
	seen := map[string]bool{}
	for i := range rows {
		u := &rows[i]
		if u.Learned == nil || !u.Learned.Acquaintance.IsStranger() || seen[u.AgentID] {
			continue
		}
		if len(seen) == 0 {
			Printf(w, "\nStrangers: neither they nor their peers are known, so what is only unusual does not stop them:\n")
		}
		seen[u.AgentID] = true
		Printf(w, "  %s is %s (own runs %s; peers %s)\n", Dash(u.AgentID), wording.Acquaintance(u.Learned.Acquaintance),
			wording.OwnRuns(u.Learned), wording.PeerRuns(u.Learned))
		if why := u.Learned.Uncalibrated; why != "" {
			Printf(w, "    calibrated   no: %s\n", wording.Uncalibrated(why))
		}
		Printf(w, "    guarded by   %s\n", guardsText(u.GuardedBy))
		if len(u.AlertsOnly) > 0 {
			Printf(w, "    alerts only  %s\n", guardsText(u.AlertsOnly))
		}
		for i, word := range u.WouldGuard {
			lead := "    would guard  "
			if i > 0 {
				lead = strings.Repeat(" ", len(lead))
			}
			Printf(w, "%s%s\n", lead, wording.WouldGuard(word, u.AgentID, u.Learned))
		}
	}
	return nil
}

// guardsText returns what bounds an agent for people.
func guardsText(words []string) string {
	out := make([]string, len(words))
	for i, word := range words {
		out[i] = wording.Guard(word)
	}
	return Dash(strings.Join(out, ", "))
}

func irreversibleUses(w io.Writer, rows []query.StartRow) error {
	if len(rows) == 0 {
		err := Printf(w, "No agent did anything that cannot be undone in that time.\n")
		return err
	}
	err := Table(w, "AGENT | TRUST??? | DOES | EFFECT?? | CALLS | RUNS? | LAST? | WITHOUT", func(row func(...any)) {
		for _, r := range rows {
			row(
				r.AgentID,
				r.Trust,
				routeName(r.Method, r.Route, r.Tool),
				r.Effect,
				r.Calls,
				r.Runs,
				Minute(r.LastAt),
				strings.Join(r.Missing, ", "),
			)
		}
	})
	if err != nil {
		return err
	}
	Printf(w, "\nBegin with the first line:\n")
	for i, step := range nextSteps(&rows[0]) {
		Printf(w, "  %d. %-20s %s\n", i+1, step.what, step.how)
	}
	return nil
}

// step is something to do about an agent, and the line of configuration or the command that does it.
type step struct{ what, how string }

// nextSteps returns what an agent's use of an irreversible route lacks, in the order in which it is
// done.
func nextSteps(r *query.StartRow) []step {
	lacks := func(what string) bool { return slices.Contains(r.Missing, what) }
	var out []step
	add := func(missing bool, what, how string, args ...any) {
		if missing {
			out = append(out, step{what, fmt.Sprintf(how, args...)})
		}
	}
	where := fmt.Sprintf("{method: %s, template: %q, effect: %s, reversibility: irreversible}", r.Method, r.Route, r.Effect)
	if r.Tool != "" {
		where = fmt.Sprintf("{tool: %s, effect: %s, reversibility: irreversible}", yamlWord(r.Tool), r.Effect)
	}
	agent := wording.ShellWord(r.AgentID)
	if credential, is := strings.CutPrefix(r.AgentID, "cred:"); is { // it has no name yet
		add(lacks("owner"), "say whose it is", "agents: [{id: …, credential: %s, owner: …}]", yamlWord(credential))
	} else {
		add(lacks("owner"), "say whose it is", "agents: [{id: %s, consumer: …, owner: …}]", yamlWord(r.AgentID))
	}
	add(lacks("declaration"), "say what it does", "routes: [%s]", where)
	add(lacks("check"), "ask about its calls", "put the check in the path at %s: deploy/gateways has a file for each gateway",
		strings.Join(r.Unasked, ", "))
	add(lacks("manifest"), "propose a manifest", "flyball manifest learn --agent %s > manifest.yaml; "+
		"flyball manifest apply manifest.yaml --reason '…'", agent)
	add(lacks("gate") && !lacks("manifest"), "let a person approve", "autonomy of its manifest: flyball manifest show %s, "+
		"then flyball manifest apply", agent)
	unarmed := slices.ContainsFunc(r.Missing, func(m string) bool { return strings.HasPrefix(m, "arming") })
	add(unarmed, "see a day of it", "flyball backtest --since 24h")
	add(unarmed, "then arm it", "flyball arm %s --reason '…'", agent)
	add(len(out) == 0, "nothing is missing", "flyball manifest review %s shows what people approved", agent)
	return out
}

var plainName = regexp.MustCompile(`^[a-z][a-z0-9_-]*/[a-z][a-z0-9_-]*$`)

// yamlWord returns a name as one value of YAML. Agents choose it, and people paste it into a configuration.
func yamlWord(s string) string {
	// A name with a slash is none of YAML's words for numbers, times and truth.
	if plainName.MatchString(s) {
		return s
	}
	text, err := json.Marshal(s) // which is YAML, too
	if err != nil {
		return `"…"`
	}
	return string(text)
}

// DeadLetters prints the records that could not be read, with the newest record of each kind.
func DeadLetters(w io.Writer, rows []query.DeadLetterRow) error {
	if len(rows) == 0 {
		err := Printf(w, "Everything could be read.\n")
		return err
	}
	err := Table(w, "ID | TOPIC? | REASON | DEAD LETTERS | BYTES??? | LAST | NEWEST?? | WHY", func(row func(...any)) {
		for _, r := range rows {
			row(r.DeadOffset, Dash(r.Topic), r.Reason, r.Letters, r.Bytes, Minute(r.LastAt), r.Sample, r.Detail)
		}
	})
	if err == nil {
		err = Printf(w,
			"\nThe newest of a kind: flyball dead-letters show ID. After a fix (a mapping, a format): flyball dead-letters replay --dry-run\n")
	}
	return err
}
