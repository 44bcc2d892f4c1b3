package schema

import (
	"encoding/hex"
	"fmt"

	"github.com/cespare/xxhash/v2"
)

// MinIDPrefix is the minimum number of characters of an id's prefix that can be given instead of the id.
const MinIDPrefix = 6

// RunID is the id of a run. It prints as a UUID, so that it can be used in SQL and stored in
// 16 bytes.
type RunID [16]byte

// IsZero reports whether no run has been assigned.
func (id RunID) IsZero() bool { return id == RunID{} }

func (id RunID) String() string {
	var b [36]byte
	hex.Encode(b[:8], id[:4])
	b[8] = '-'
	hex.Encode(b[9:13], id[4:6])
	b[13] = '-'
	hex.Encode(b[14:18], id[6:8])
	b[18] = '-'
	hex.Encode(b[19:23], id[8:10])
	b[23] = '-'
	hex.Encode(b[24:], id[10:])
	return string(b[:])
}

func (id RunID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

func (id *RunID) UnmarshalText(text []byte) error {
	p, err := ParseRunID(string(text))
	if err == nil {
		*id = p
	}
	return err
}

// ParseRunID reads the form that String prints.
func ParseRunID(s string) (RunID, error) {
	var id RunID
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' {
		return id, fmt.Errorf("run id %q: want 8-4-4-4-12 hexadecimal digits", s)
	}
	if _, err := hex.Decode(id[:], []byte(s[:8]+s[9:13]+s[14:18]+s[19:23]+s[24:])); err != nil {
		return RunID{}, fmt.Errorf("run id %q: %w", s, err)
	}
	return id, nil
}

// GateKeySource is the RunKeySource of a run key that is the run id in an answer of the check.
const GateKeySource = "flyball_gate"

// NoTraceKeySource is the RunKeySource of a call for which the check saw neither a run key nor
// a trace. A trace in its row does not bind the call to a run.
const NoTraceKeySource = "flyball_receipt"

// RunKeyRule returns the rule by which a call's run key determines its run.
func (c *Call) RunKeyRule() RunRule {
	if c.RunKeySource == GateKeySource {
		return RunGate
	}
	return RunExplicit
}

// OwnRunKey returns the key of the run of a call with a run key. The run of a sub-agent is
// separate from the run of its parent agent under the same key.
func (c *Call) OwnRunKey() string {
	switch {
	case c.ParentAgent == "":
		return c.RunKey
	case c.AgentAsserted != "":
		return c.RunKey + "\x00" + c.AgentAsserted
	}
	return c.RunKey + "\x00" + c.AgentID
}

// ParentRunKeys returns the keys of the possible parents of a sub-agent's run: the run of the
// parent agent, and the run with the run key alone.
func (c *Call) ParentRunKeys() []string {
	if c.ParentAgent == "" {
		return nil
	}
	return []string{c.RunKey + "\x00" + c.ParentAgent, c.RunKey}
}

// RunIdentity contains the values from which a run id is computed. The credential is one of
// them, so that an id chosen by a caller never joins the calls of two credentials.
type RunIdentity struct {
	Tenant       string
	RoutingActor string
	Credential   string
	Rule         RunRule
	Key          string
	// Principal is set only for a run that was separated because calls of another verified
	// principal had the same key.
	Principal string
}

// ID returns two 64-bit XXH64 hashes with the version and variant bits of a custom (version 8,
// RFC 9562) UUID. It is an identity, not a secret.
func (r RunIdentity) ID() RunID {
	var id RunID
	for half, seed := range [2]byte{'f', 'b'} {
		h := xxhash.New()
		_, _ = h.Write([]byte{1, seed, byte(r.Rule)})
		for _, s := range [...]string{r.Tenant, r.RoutingActor, r.Credential, r.Key, r.Principal} {
			var n [4]byte
			n[0], n[1], n[2], n[3] = byte(len(s)), byte(len(s)>>8), byte(len(s)>>16), byte(len(s)>>24)
			_, _ = h.Write(n[:])
			_, _ = h.WriteString(s)
		}
		v := h.Sum64()
		for i := range 8 {
			id[half*8+i] = byte(v >> (56 - 8*i))
		}
	}
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}

// RunSnapshot is the state of a run after some number of its calls. Snapshots
// of one (run, segment) replace each other by Version; the runs view keeps the
// newest and sums segments.
type RunSnapshot struct {
	RunID      RunID
	OpenedDay  uint16 // FiledDay of the first call of the segment that was processed, at least 1; 0: opened by schema version 4
	Segment    int64
	Version    uint64 // 2 × calls applied, + 1 when closed
	CallsPart  int32
	RunKey     string
	Tenant     string
	Actor      string // routing actor
	Rule       RunRule
	Confidence uint8
	State      RunState

	AgentID         string
	AgentName       string
	AgentVersion    string
	AgentSource     string
	AgentTrust      Trust
	AgentAsserted   string
	CredentialID    string
	CredentialKind  CredentialKind
	PrincipalID     string
	PrincipalKind   PrincipalKind
	PrincipalSource string
	PrincipalTrust  Trust
	CallerKind      CallerKind
	TaskID          string
	TaskTrust       Trust
	ConversationID  string
	ParentRunID     RunID
	TraceID         [16]byte // the first trace seen

	StartedAt int64 // Unix ns of the earliest call
	LastAt    int64 // Unix ns of the latest call's start

	Calls             uint64
	Errors            uint64
	Denied            uint64
	Irreversible      uint64
	Unsafe            uint64 // calls that may have changed something
	BytesOut          uint64
	TokensIn          uint64
	TokensOut         uint64
	DistinctRoutes    uint32
	DistinctResources uint32
	LateCalls         uint64
	OverflowKeys      uint64 // overflow runs: minimum number of distinct keys that got no run
	SampledCalls      uint64

	Score float64 // 0: no score
	Level Level
}

// Touch is one row of the index from resources to runs. Touches of one (tenant, resource, run,
// effect) are merged to the earliest First and the latest Last.
type Touch struct {
	Tenant        string
	Resource      Resource
	RunID         RunID
	Actor         uint32 // HashActor of the run's actor
	Effect        Effect
	Reversibility Reversibility
	First, Last   int64
	Filed         uint16 // latest FiledDay of the calls
}

// StitchingCount is the number of calls of one producer that a rule bound in one hour.
type StitchingCount struct {
	Tenant    string
	Hour      int64 // Unix ns, start of the hour of event time
	Producer  string
	Format    string
	Rule      RunRule
	CallsPart int32
	// Segment is the calls offset of the first call since the counter was last given up. Counts of one
	// segment replace each other: the one with the most calls applies. Segments are added.
	Segment int64
	Calls   uint64

	// From and To are, in rows of schema version 4, the covered offsets of flyball.calls; they identify a repeat.
	From, To int64
}
