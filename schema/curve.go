package schema

// Counters count calls, each once whoever observed it: see Call.Counted.
type Counters struct {
	Outcomes [OutcomeAborted + 1]uint64 // by Outcome
	// Done counts the calls that were carried out, as far as it is known (outcome ok or unknown), by
	// Reversibility.
	Done                          [Irreversible + 1]uint64
	BytesOut, TokensIn, TokensOut uint64
}

// Calls returns the number of calls.
func (n *Counters) Calls() (sum uint64) {
	for _, k := range n.Outcomes {
		sum += k
	}
	return sum
}

// Add counts a call.
func (n *Counters) Add(c *Call) {
	n.Outcomes[c.Outcome]++
	if c.Outcome == OutcomeOK || c.Outcome == OutcomeUnknown {
		n.Done[c.Reversibility]++
	}
	n.BytesOut += c.BytesOut
	n.TokensIn += uint64(c.TokensIn)
	n.TokensOut += uint64(c.TokensOut)
}

// MinuteCount counts the calls of a minute in one partition of flyball.calls. Counts of one (tenant,
// minute, partition, segment) replace each other: the one with the most calls applies. Segments are
// added.
type MinuteCount struct {
	Tenant    string
	Minute    int64 // start, Unix ns
	CallsPart int32
	Segment   int64 // calls offset of the first call since the counter was last given up
	Counters
}

// HourCount counts the calls that an agent made in an hour under one routing actor. Counts of one
// (tenant, hour, agent, actor, partition, segment) replace each other: the one with the most calls
// applies. Segments are added.
type HourCount struct {
	Tenant    string
	Hour      int64 // start, Unix ns
	AgentID   string
	Actor     uint32 // HashActor
	CallsPart int32
	Segment   int64  // calls offset of the first call since the counter was last given up
	Runs      uint64 // runs that began with a call of this hour
	Counters
}
