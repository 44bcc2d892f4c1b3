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

// AcquaintanceOf is Acquaintance for the stored name of a class; an unknown name is printed with spaces for
// underscores.
func AcquaintanceOf(name string) string {
	var v schema.Acquaintance
	if v.UnmarshalText([]byte(name)) != nil {
		return strings.ReplaceAll(name, "_", " ")
	}
	return Acquaintance(v)
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

// Wait returns what is missing until an agent is known: "8 more clean runs, about 5 days". It is empty when nothing is.
func Wait(l *schema.Learned) string {
	if l.WaitRuns == 0 {
		return ""
	}
	text := Figure(float64(l.WaitRuns), Runs)
	text = strings.Replace(text, " ", " more clean ", 1)
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
