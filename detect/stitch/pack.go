package stitch

import (
	"fmt"
	"slices"

	"flyball/schema/wire"
)

// A frozen run is packed: all of it is kept in one string without pointers, as it is stored, and the strings that many runs have in
// common once for all of them. So a run that waits for silence costs a collection of garbage two small objects, and neither its
// fields nor its tables. Its next call, its closing and its eviction decode it. Packing loses nothing.

// names are the strings of a run that many runs have in common.
type names struct {
	tenant, credential, keyCredential          string
	agentID, agentName, agentVersion           string
	agentSource, agentAsserted                 string
	principalID, principalSource, keyPrincipal string
}

// maxNames bounds the names that are kept to be found again. A full list begins again: packed runs keep their names, and share
// them no longer with later ones.
const maxNames = 4096

// packer encodes and decodes packed runs. It reuses its memory.
type packer struct {
	coder  wire.Coder
	value  []byte
	known  map[names]*names
	last   *names // that were shared last
	stored storedRun
}

func (k *packer) names(n names) *names {
	if known := k.known[n]; known != nil {
		return known
	}
	if k.known == nil || len(k.known) >= maxNames {
		k.known = make(map[names]*names)
	}
	kept := &n
	k.known[n] = kept
	return kept
}

// takeNames returns the run's names, and removes them from the run.
func (r *Run) takeNames() (n names) {
	n = names{r.Tenant, r.CredentialID, r.bind.Credential, r.AgentID, r.AgentName, r.AgentVersion, r.AgentSource, r.AgentAsserted,
		r.PrincipalID, r.PrincipalSource, r.bind.Principal}
	r.setNames(&names{})
	return n
}

func (r *Run) setNames(n *names) {
	r.Tenant, r.CredentialID, r.bind.Credential = n.tenant, n.credential, n.keyCredential
	r.AgentID, r.AgentName, r.AgentVersion, r.AgentSource, r.AgentAsserted = n.agentID, n.agentName, n.agentVersion, n.agentSource,
		n.agentAsserted
	r.PrincipalID, r.PrincipalSource, r.bind.Principal = n.principalID, n.principalSource, n.keyPrincipal
}

// canPack reports whether nothing but its slot refers to a run, and its state is complete in what codePacked encodes.
func (r *Run) canPack() bool {
	return (r.frozen != "" || r.Attached == nil && len(r.sightings) == 0) && !r.unstored && !r.changed && !r.waiting() && !r.evicted &&
		r.TrippedAt == 0 && r.refused == nil
}

// waiting reports whether a row of the check waits for its line.
func (r *Run) waiting() bool {
	return r.waits || slices.ContainsFunc(r.pending, func(q pendingRow) bool { return q.row != nil })
}

// pack packs a run, which must not be used afterwards.
func (f *freezer) pack(r *Run) {
	if !r.canPack() {
		return
	}
	s, k := r.slot, &f.packer
	if s.inPartition >= 0 {
		f.queues.updateDue(s)
	}
	r.isNoticed()
	s.names = k.names(r.takeNames())
	k.coder.StartWriting(k.value[:0], wire.KindState, StateVersion)
	codePacked(&k.coder, r)
	k.value = k.coder.Bytes()
	s.packed, s.run = string(k.value), nil
}

// unpack decodes a packed run. Its tail stays encoded until the run changes.
func (f *freezer) unpack(s *slot) {
	r := f.packer.decode(s)
	s.run, s.packed, s.names = r, "", nil
	f.letCool(r)
}

// decode returns a packed run without changing its slot.
func (k *packer) decode(s *slot) *Run {
	r := &Run{slot: s}
	k.decodeInto(s, r)
	r.ownStrings()
	s.nameRun(r)
	return r
}

// decodeInto decodes a packed run without its names into an empty one. Its strings alias what is packed.
func (k *packer) decodeInto(s *slot, r *Run) {
	c := &k.coder
	err := c.StartReadingString(s.packed, wire.KindState, StateVersion)
	if err == nil {
		codePacked(c, r)
		err = c.Err
	}
	if err != nil {
		panic(fmt.Sprintf("run %s: what this process has encoded cannot be read: %v", s.id, err))
	}
}

// nameRun gives a decoded run its names.
func (s *slot) nameRun(r *Run) {
	r.setNames(s.names)
	r.Actor, r.CallsPart = s.actor.Key, s.actor.part.part
}

func codePacked(c *wire.Coder, r *Run) {
	codeIdentity(c, r)
	codeTotals(c, r)
	codeAlarm(c, r)
	codePending(c, r)
	c.Text(&r.frozen)
}

// each passes the actor's runs to f, packed ones decoded for the time of the call.
func (a *Actor) each(f func(*Run)) {
	for s := range a.runs.slots {
		if s.run != nil {
			f(s.run)
		} else {
			f(a.part.freezer.packer.look(s))
		}
	}
}
