package playbook

import (
	"maps"
	"slices"
	"strings"

	"flyball/schema"
	"flyball/schema/wording"
)

// Entry is the text about a family of findings for a responder.
type Entry struct {
	Means   string   `json:"means"` // what a finding of the family means
	Benign  []string `json:"benign_causes"`
	Check   []string `json:"check"`
	Contain []string `json:"contain"`
	Close   string   `json:"close"`
	// Judge is the command that records a person's verdict; set by For.
	Judge string `json:"judge,omitempty"`
}

// Subject is the finding that an entry is filled in for. Empty members are not known.
type Subject struct {
	Program                                  string // command line of this program
	Finding, Run, Agent, Version, Credential string
}

// For returns the entry with the ids of a finding in its commands. A line that needs an id that is
// not known says so instead of the command.
func (e Entry) For(s Subject) Entry {
	fill := s.replacer()
	lines := func(of []string) []string {
		out := make([]string, len(of))
		for i, l := range of {
			out[i] = fill(l)
		}
		return out
	}
	e.Check, e.Contain, e.Close = lines(e.Check), lines(e.Contain), fill(e.Close)
	e.Judge = fill("flyball findings verdict ID true --reason '…' (or benign, or test)")
	return e
}

// replacer returns the function that puts the subject's ids into a line.
func (s Subject) replacer() func(string) string {
	version := ""
	if s.Agent != "" && s.Version != "" {
		version = s.Agent + "@" + s.Version
	}
	ids := []struct{ placeholder, id, missing string }{
		{"AGENT@VERSION", version, "the version of the agent is not known"},
		{"CREDENTIAL", s.Credential, "the credential of the run is not known"},
		{"AGENT", s.Agent, "the agent has no name"},
		{"RUN", s.Run, "the run is not known"},
		{"ID", s.Finding, "the finding has no id"},
	}
	return func(line string) string {
		words := strings.Fields(line)
		for i, w := range words {
			bare := strings.TrimRight(w, ":,.;")
			for _, x := range ids {
				if bare != x.placeholder {
					continue
				}
				if x.id == "" {
					return "(" + x.missing + ") " + line
				}
				words[i] = wording.ShellWord(x.id) + w[len(bare):]
			}
		}
		line = strings.Join(words, " ")
		if rest, ok := strings.CutPrefix(line, "flyball "); ok && s.Program != "" {
			line = s.Program + " " + rest
		}
		return line
	}
}

const (
	runEnds = "It closes when the run has made no call for its gap. A breaker closes by itself, half open first, or by flyball breakers reset."
	seeRun  = "flyball run RUN: the calls in order, and what the score stands on"
	seeAll  = "flyball touched RUN: what it changed, the irreversible first"
)

var entries = map[string]Entry{
	schema.FamilyLoop: {
		Means: "The run makes the same call with the same answer again and again, at once or in a cycle of calls.",
		Benign: []string{
			"polling a job whose answer does not change yet",
			"a client that fetches the same page for every item of a list",
			"a retry library that repeats calls which succeeded",
		},
		Check: []string{
			seeRun,
			"whether the result ever changes: polling whose result changes is no loop",
			"whether other runs of the same agent version do the same since a deployment",
		},
		Contain: []string{
			"flyball breakers trip run RUN --for 15m --reason '…'",
			"flyball breakers trip version AGENT@VERSION --for 1h --reason '…' if a deployment did it",
		},
		Close: runEnds},
	schema.FamilyRetry: {
		Means:  "The run goes on calling what fails, with the same arguments.",
		Benign: []string{"an outage of the API: then peers fail too", "a token that has expired", "a validation rule that was changed"},
		Check: []string{
			seeRun,
			"errors of other agents on the same route",
			"whether the retries back off and succeed in the end: those are no runaway",
		},
		Contain: []string{
			"flyball breakers trip run RUN --for 15m --reason '…'",
			"detect.policy: {family: runaway.retry, action: throttle}",
		},
		Close: runEnds},
	schema.FamilySweep: {
		Means:  "The run walks through resources one after another on one route, far longer than its runs do.",
		Benign: []string{"a nightly export or reconciliation that is run by the agent", "a task that names many items", "a migration"},
		Check: []string{
			seeAll,
			"flyball manifest show AGENT: was it declared for this?",
			"whether the ids are guessed: failures and gaps among them",
		},
		Contain: []string{"flyball breakers trip run RUN --for 15m --reason '…'", "a quota on the route in its manifest"},
		Close:   runEnds},
	schema.FamilyDestroy: {
		Means:  "The run deletes, more than its peers do.",
		Benign: []string{"a declared clean-up", "tests that remove what they made"},
		Check: []string{
			seeAll,
			"who asked for it: the principal and the task of the run",
			"whether what is gone can be restored, and until when",
		},
		Contain: []string{
			"flyball breakers trip credential CREDENTIAL --for 1h --reason '…'",
			"a gate: autonomy with ask: always for the route",
		},
		Close: runEnds},
	schema.FamilyFlood: {
		Means:   "The run makes far more calls than runs of this agent and its peers, altogether, as writes or on one route.",
		Benign:  []string{"a task of another size than any before", "a new version that makes more calls for the same work"},
		Check:   []string{seeRun, "flyball runs --agent AGENT: are all of its runs longer since then?"},
		Contain: []string{"detect.policy: {family: runaway.flood, action: throttle}", "a quota in its manifest"},
		Close:   runEnds},
	schema.FamilyExfiltration: {
		Means:  "The run is given far more data than runs of this agent and its peers are.",
		Benign: []string{"an export that somebody asked for", "a route whose answers have grown since a deployment"},
		Check: []string{
			seeAll,
			"where the answers go: the address and the user agent of the caller",
			"whether the resources belong to the task",
		},
		Contain: []string{
			"flyball breakers trip credential CREDENTIAL --for 1h --reason '…'",
			"a quota by bytes or calls on the routes that gave most",
		},
		Close: runEnds},
	schema.FamilyFanout: {
		Means:  "The run calls one route after another in an order that neither this agent nor its peers use: it tries what there is.",
		Benign: []string{"a new feature whose calls nobody has learned yet", "a person who explores with the agent's credential"},
		Check: []string{
			seeRun,
			"denied and failed calls among them: what was it not allowed to do?",
			"flyball reach --agent AGENT: what could it still do?",
		},
		Contain: []string{
			"a manifest: writes outside its scope then ask",
			"flyball breakers trip run RUN --for 15m --reason '…'",
		},
		Close: runEnds},
	schema.FamilySplit: {
		Means: "The agent does over several short runs what would be a runaway in one: the same call, new resources of one route, deletions " +
			"or failing retries fill its latest 48 calls, or many of its runs in a row lean the same way.",
		Benign: []string{
			"a scheduler that starts the same small task many times",
			"one agent id that many workers share",
			"a batch that somebody cut into small tasks on purpose",
		},
		Check: []string{
			"flyball runs --agent AGENT: what its latest runs have in common",
			"flyball touched --agent AGENT --since 1h",
			"whether the run ids are made by the agent itself",
		},
		Contain: []string{
			"flyball breakers trip credential CREDENTIAL --for 15m --reason '…': a run's breaker does not hold who changes runs",
			"a quota of: principal in its manifest",
		},
		Close: "It closes when the run in which it was found has made no call for its gap; the count began anew with the alarm."},
	schema.FamilyHijack: {
		Means: "The run writes on several routes on which its peers hardly ever write, some of it to targets that nobody has named before.",
		Benign: []string{
			"a task of a new kind",
			"a person who works with the agent's credential",
			"a feature whose routes nobody has learned yet",
		},
		Check: []string{
			seeAll,
			"what the run had read just before: instructions in a page, a mail or a file",
			"the task that it was given: flyball task list",
		},
		Contain: []string{
			"flyball breakers trip run RUN --for 15m --reason '…'",
			"a manifest: writes outside its scope then ask before they happen",
		},
		Close: runEnds},
	schema.FamilyBorrowed: {
		Means: "A session in a person's name looks more like a machine's than like people's: an agent or a script may be using the person's " +
			"credential. It is a suspicion: as many sessions of the tenant's people as its expected rate says look the same. In its evidence, " +
			"humans is what is usual for the tenant's people. Where none of their sessions were learned there is no such finding.",
		Benign: []string{
			"a person with a tool of their own: a script, a command line, an export",
			"a browser extension or a page that polls",
			"somebody who works through a long list at speed",
			"a screen reader or another assistive program: pages without their images",
		},
		Check: []string{
			"the person: was it you, and with what?",
			seeRun,
			"address and user agent of the session against the person's others",
			seeAll,
		},
		Contain: []string{
			"give the agent a credential of its own: then it has a manifest, a baseline and a breaker",
			"detect.policy: {family: borrowed_credential, action: gate} asks before what cannot be undone; nothing harder is taken",
			"flyball breakers trip credential CREDENTIAL --for 1h --reason '…' once you know",
		},
		Close: "It closes when the run has made no call for its gap. flyball findings verdict ID true --reason '…' keeps its run out of what " +
			"people are compared with."},
	schema.FamilyPace: {
		Means: "The caller, over all its runs, makes far more calls in a quarter of an hour than it, or its peers if it is new, do in that " +
			"hour of the week. Where nothing was learned of both there is no such finding.",
		Benign: []string{
			"work that was put off: the first day after a holiday, a backlog after an outage",
			"a job that runs once a month, or for the first time at this hour",
			"the week after clocks were changed, where its hours are people's",
		},
		Check: []string{
			seeRun,
			"flyball runs --agent AGENT: many short runs, or one long one?",
			"whether its peers call as much now: then it is the hour, not the caller",
		},
		Contain: []string{
			"nothing by itself: it never trips",
			"detect.policy: {family: pace, action: throttle}",
			"flyball breakers trip credential CREDENTIAL --for 15m --reason '…'",
		},
		Close: runEnds},
	schema.FamilyAfterTask: {
		Means:  "A run key is used after the task that it was declared for has ended.",
		Benign: []string{"an orchestrator that ends tasks before the last call has returned", "a run that is reused for the next task"},
		Check:  []string{"flyball task list: when did it end, and by whom?", seeRun},
		Contain: []string{
			"nothing: the calls are denied where the agent is armed",
			"flyball breakers trip credential CREDENTIAL --for 1h --reason '…' if the key was stolen",
		},
		Close: "It closes when the run key was not used for ten minutes."},
	schema.FamilyScope: {
		Means: "The run writes on a route, or to a target, that runs of its task have not used, or sends to another site: what a hijacked " +
			"agent does, which by its counts looks like any other.",
		Benign: []string{
			"a task whose scope was learned from few runs: the finding says how many, and whose",
			"a new step in the task, by a new version",
			"a target that is new by nature: judged only where such targets have come back before",
		},
		Check: []string{
			seeRun,
			"whose runs taught the scope, and how many",
			"what the run read just before: a page or a message may have told it to",
		},
		Contain: []string{
			"flyball arm family:scope --reason '…': asks before each such call, until it is disarmed",
			"flyball breakers trip run RUN --for 15m --reason '…'",
			"a manifest: what it declares stands above what was learned",
		},
		Close: "It closes when the run has made no call for its gap. flyball findings verdict ID benign --reason '…' lets the run teach what " +
			"it did; two runs that agree do so by themselves."},
	schema.FamilyIdentity: {
		Means: "An established identity and another word about the run disagree: the caller calls itself something else than its credential " +
			"says, or two verified principals use one run key.",
		Benign: []string{
			"a name that was never set right: then every run of the agent has this",
			"agents that share a credential: flyball agents --hygiene",
			"an orchestrator that hands one run key to several people",
		},
		Check: []string{
			"flyball agents --hygiene: who shares what",
			seeRun,
			"whether the name it gives itself belongs to another agent that has credentials of its own",
		},
		Contain: []string{
			"flyball breakers trip credential CREDENTIAL --for 1h --reason '…' if it was stolen",
			"nothing more is needed for safety: what is only asserted is never enforced on others, and teaches nobody",
		},
		Close: "It closes when the run has made no call for its gap."},
}

// Find returns the entry of a family. It returns false when the family has no entry.
func Find(family string) (Entry, bool) {
	c, ok := entries[family]
	return c, ok
}

// Families returns the families that have an entry, sorted.
func Families() []string { return slices.Sorted(maps.Keys(entries)) }
