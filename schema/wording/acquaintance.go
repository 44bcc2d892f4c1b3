package wording

import (
	"fmt"
	"math"
	"strings"

	"flyball/schema"
)

// acquaintances are the texts of the classes of acquaintance, as a caller's description.
var acquaintances = map[schema.Acquaintance]string{
	schema.NothingLearned: "a stranger: nothing has been learned yet",
	schema.NewPopulation:  "a stranger: nobody has learned this population yet",
	schema.NewAgent:       "new: too few runs of it are known, and it is compared with its peers",
	schema.KnownAgent:     "known: it is compared with its own past",
}

// Acquaintance describes a caller by how well the baseline knows it. It is empty for a class that was not recorded.
func Acquaintance(v schema.Acquaintance) string { return acquaintances[v] }

// AcquaintanceOf is Acquaintance for the stored name of a class; an unknown name is printed with spaces for underscores.
func AcquaintanceOf(name string) string {
	var v schema.Acquaintance
	if v.UnmarshalText([]byte(name)) != nil {
		return strings.ReplaceAll(name, "_", " ")
	}
	return Acquaintance(v)
}

// uncalibrated are the texts of the named reasons why a class has no thresholds of its own.
var uncalibrated = map[string]string{
	"few_held_out_runs": "too few clean runs of the class were held out to raise its thresholds: they are the common ones of known " +
		"agents and new agents, and a peer group can raise them",
	"few_populations": "it abstains from trips, and alerts later: too few groups are known to say what is usual for a new one",
	"populations_differ": "it abstains from trips, and alerts later: the known groups differ so much that too many of their runs " +
		"exceed even a threshold that is ten times as rare",
	"earlier_release": "an earlier release made the baseline: all classes have the same thresholds",
	"nothing_learned": "it abstains: without runs in a baseline no score reaches a level",
}

// Uncalibrated returns a named reason why a class has no thresholds of its own, for people.
func Uncalibrated(why string) string {
	if text, ok := uncalibrated[why]; ok {
		return text
	}
	return strings.ReplaceAll(why, "_", " ")
}

// OwnRuns returns how many runs of an agent are known, of how many it takes: "12 of 20".
func OwnRuns(l *schema.Learned) string { return ofNeeded(l.Runs, l.RunsNeeded) }

// PeerRuns returns how many runs and agents of its peers are known, of how many it takes.
func PeerRuns(l *schema.Learned) string {
	if l.Group == "" && l.PeerRuns == 0 {
		return "no peers"
	}
	return ofNeeded(l.PeerRuns, l.PeerRunsNeeded) + " runs, " + ofNeeded(l.PeerAgents, l.PeerAgentsNeeded) + " agents"
}

func ofNeeded(n, needed uint64) string {
	if n >= needed {
		return grouped(fmt.Sprint(n))
	}
	return fmt.Sprintf("%d of %d", n, needed)
}

// Wait returns what is missing until an agent is known: "8 more clean runs (2 in quarantine), about 5 days". It is empty when nothing is.
func Wait(l *schema.Learned) string {
	if l.WaitRuns == 0 {
		return ""
	}
	text := strings.Replace(Figure(float64(l.WaitRuns), Runs), " ", " more clean ", 1)
	if l.PendingRuns >= l.WaitRuns {
		text += " (in quarantine already)"
	} else if l.PendingRuns > 0 {
		text += fmt.Sprintf(" (%d in quarantine)", l.PendingRuns)
	}
	if l.WaitDays.IsZero() {
		return text
	}
	return text + ", about " + days(float64(l.WaitDays))
}

// days returns a number of days for people: whole, rounded up.
func days(n float64) string {
	if n <= 1 {
		return "a day"
	}
	return grouped(fmt.Sprint(int64(math.Ceil(min(n, 1e6))))) + " days"
}

// What bounds an agent that nobody knows, or would: the words of programs.
const (
	GuardRepeats      = "repeats"
	GuardRetries      = "failing_retries"
	GuardIrreversible = "irreversible_calls"
	GuardResources    = "new_resources"
	GuardManifest     = "manifest"
	GuardQuotas       = "quotas"
	GuardGates        = "gates"
	GuardAsk          = "ask_without_manifest"
	GuardArming       = "arming"
	GuardRuns         = "clean_runs"
)

var guards = map[string]string{
	GuardRepeats:      "repeats of one call",
	GuardRetries:      "failing retries",
	GuardIrreversible: "the count of deletions and of calls that cannot be undone",
	GuardResources:    "calls that walk through new resources",
	GuardManifest:     "a manifest",
	GuardQuotas:       "quotas",
	GuardGates:        "gates: a person approves",
	GuardAsk:          "without a manifest a person approves what cannot be undone",
	GuardArming:       "arming (trips are enforced)",
}

// Guard describes what bounds an agent that nobody knows.
func Guard(word string) string {
	if text, ok := guards[word]; ok {
		return text
	}
	return strings.ReplaceAll(word, "_", " ")
}

// WouldGuard describes what would bound a stranger, and the command for it. l is what is known of the agent.
func WouldGuard(word, agent string, l *schema.Learned) string {
	agent = ShellWord(agent)
	switch word {
	case GuardManifest:
		return "a manifest: flyball manifest learn --agent " + agent + " proposes one, flyball manifest apply declares it"
	case GuardQuotas, GuardGates:
		return word + " in its manifest: flyball manifest show " + agent
	case GuardArming:
		return "arming, or what is found is only recorded: flyball arm " + agent
	case GuardRuns:
		return "acquaintance: " + Wait(l)
	}
	return Guard(word)
}
