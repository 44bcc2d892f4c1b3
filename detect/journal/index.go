package journal

import (
	"hash/maphash"
	"net/netip"

	"flyball/schema"
	"flyball/schema/clickhouse"
)

const (
	// maxPostings is how many postings of a partition a generation remembers: both generations take 1 MiB.
	maxPostings = 1 << 15
	// maxIDs is the same of ids, which are seldom seen again after the calls of a trace: 256 KiB.
	maxIDs = 1 << 13
)

// index gathers the rows by which calls and runs are found: postings of their names, addresses, hosts and tools, and the ids of
// calls.
type index struct {
	postings *clickhouse.Block[schema.Posting]
	ids      *clickhouse.Block[schema.CallID]
	posted   memory
	known    memory // ids
	text     []byte // an address
}

func newIndex() index {
	return index{postings: clickhouse.PostingsTable.NewBlock(), ids: clickhouse.CallIDsTable.NewBlock(),
		posted: newMemory(maxPostings), known: newMemory(maxIDs)}
}

// addNames adds the postings of a call that were not written lately, also of the names that only its run has.
func (x *index) addNames(c *schema.Call, run *schema.RunSnapshot) {
	to := x.place(c.Tenant, c.ActorHash, schema.DayOf(c.Start), schema.FiledDay(c.Start, c.KafkaTime))
	x.post(&to, schema.PostingAgent, c.AgentID)
	x.post(&to, schema.PostingAsserted, c.AgentAsserted)
	x.post(&to, schema.PostingCredential, c.CredentialID)
	x.post(&to, schema.PostingPrincipal, c.PrincipalID)
	x.postAddress(&to, c.ClientIP)
	x.post(&to, schema.PostingHost, c.Host)
	x.post(&to, schema.PostingTool, c.ToolName)
	if run.AgentID != c.AgentID {
		x.post(&to, schema.PostingAgent, run.AgentID)
	}
	if run.AgentAsserted != c.AgentAsserted {
		x.post(&to, schema.PostingAsserted, run.AgentAsserted)
	}
	if run.CredentialID != c.CredentialID {
		x.post(&to, schema.PostingCredential, run.CredentialID)
	}
	if run.PrincipalID != c.PrincipalID {
		x.post(&to, schema.PostingPrincipal, run.PrincipalID)
	}
}

// addIDs adds the rows of the ids of calls that were not written lately.
func (x *index) addIDs(calls []*schema.Call) {
	for _, c := range calls {
		to := x.place(c.Tenant, c.ActorHash, schema.DayOf(c.Start), schema.FiledDay(c.Start, c.KafkaTime))
		if c.TraceID != [16]byte{} {
			x.identify(&to, schema.CallIDTrace, schema.HashCallID(c.TraceID[:]))
		}
		if c.RequestID != "" {
			x.identify(&to, schema.CallIDRequest, schema.HashCallID(c.RequestID))
		}
	}
}

// addRun adds the postings of the row of a run, which is on the day on which the run was opened. It may have names that none of
// its calls has: a binding of its trace can come after them.
func (x *index) addRun(run *schema.RunSnapshot) {
	if run.OpenedDay == 0 {
		return
	}
	to := x.place(run.Tenant, schema.HashActor(run.Actor), run.OpenedDay, run.OpenedDay)
	x.post(&to, schema.PostingAgent, run.AgentID)
	x.post(&to, schema.PostingAsserted, run.AgentAsserted)
	x.post(&to, schema.PostingCredential, run.CredentialID)
	x.post(&to, schema.PostingPrincipal, run.PrincipalID)
}

func (x *index) place(tenant string, actor uint32, day, filed uint16) place {
	return place{tenant: tenant, day: day, filed: filed, actor: actor, hash: mix(x.posted.hash(tenant), uint64(actor))}
}

// place is where rows are: the day and the actor of a tenant.
type place struct {
	tenant string
	day    uint16
	filed  uint16 // schema.FiledDay
	actor  uint32
	hash   uint64 // of tenant and actor
}

func (p *place) hashOf(kind uint8, value uint64) uint64 {
	return mix(mix(p.hash, value), uint64(kind)<<32|uint64(p.filed)<<16|uint64(p.day))
}

func (x *index) post(to *place, kind schema.PostingKind, value string) {
	if value != "" && x.posted.add(to.hashOf(uint8(kind), x.posted.hash(value))) {
		x.postings.AppendValue(schema.Posting{Tenant: to.tenant, Kind: kind, Value: value, Day: to.day, Actor: to.actor, Filed: to.filed})
	}
}

func (x *index) identify(to *place, kind schema.CallIDKind, id uint32) {
	if x.known.add(to.hashOf(uint8(kind), uint64(id))) {
		x.ids.AppendValue(schema.CallID{Tenant: to.tenant, Filed: to.filed, Day: to.day, Kind: kind, ID: id, Actor: to.actor})
	}
}

// postAddress adds the posting of an address, in the form of the column client_ip of calls.
func (x *index) postAddress(to *place, a netip.Addr) {
	if !a.IsValid() {
		return
	}
	x.text = a.Unmap().AppendTo(x.text[:0])
	if x.posted.add(to.hashOf(uint8(schema.PostingAddress), maphash.Bytes(x.posted.seed, x.text))) {
		x.postings.AppendValue(schema.Posting{Tenant: to.tenant, Kind: schema.PostingAddress, Value: string(x.text), Day: to.day,
			Actor: to.actor, Filed: to.filed})
	}
}
