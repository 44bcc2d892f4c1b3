package stitch

import (
	"flyball/schema"
	"flyball/schema/wire"
)

// A restart reads each run as often as it was stored, and needs little of most of them: a run is packed as it was stored, field by
// field, and not decoded. What is read of it goes to one Run whose memory the next one reuses.

// storedRun is a run of a delta as far as it was read.
type storedRun struct {
	version uint8
	run     Run    // without Attached and sightings; its strings alias the delta
	totals  string // encoded: codeTotals and codeAlarm
	pending string // encoded
	tail    string
}

// blank returns the reused run without any values.
func (k *packer) blank(s *slot) *Run {
	r := &k.stored.run
	routes, resources, traces := r.routes.min[:0], r.resources.min[:0], r.traces[:0]
	*r = Run{slot: s, routes: Distinct{min: routes}, resources: Distinct{min: resources}, traces: traces}
	return r
}

// read reads the next run of a delta: what deltaWriter.encodeRun has written.
func (k *packer) read(c *wire.Coder) (schema.RunID, error) {
	d, r := &k.stored, k.blank(nil)
	codeIdentity(c, r)
	rest := c.Rest()
	codeTotals(c, r)
	codeAlarm(c, r)
	if c.Err != nil {
		return r.RunID, c.Err
	}
	d.version, d.totals = c.Version, c.Since(rest)
	c.Text(&d.tail)
	rest = c.Rest()
	codePending(c, r)
	if c.Err != nil {
		return r.RunID, c.Err
	}
	d.pending = c.Since(rest)
	return r.RunID, nil
}

// put packs the run that was read last.
func (k *packer) put(s *slot) {
	d, c := &k.stored, &k.coder
	s.names = k.sharedNames(d.run.takeNames(), &s.actor.part.words)
	c.StartWriting(k.value[:0], wire.KindState, d.version)
	codeIdentity(c, &d.run)
	c.Encoded(d.totals)
	c.Encoded(d.pending)
	c.Text(&d.tail)
	k.value = c.Bytes()
	s.packed = string(k.value)
}

// sharedNames returns the kept copy of names whose strings alias a delta. Runs that follow one another often have the same.
func (k *packer) sharedNames(n names, w *words) *names {
	if k.last != nil && *k.last == n {
		return k.last
	}
	known := k.known[n]
	if known == nil {
		for _, s := range [...]*string{&n.tenant, &n.credential, &n.keyCredential, &n.agentID, &n.agentName, &n.agentVersion, &n.agentSource,
			&n.agentAsserted, &n.principalID, &n.principalSource, &n.keyPrincipal} {
			*s = w.of(*s)
		}
		known = k.names(n)
	}
	k.last = known
	return known
}

// look returns a packed run, decoded into memory that the next look reuses. It keeps it packed.
func (k *packer) look(s *slot) *Run {
	r := k.blank(s)
	k.decodeInto(s, r)
	s.nameRun(r)
	return r
}

// release drops the references to deltas that were read.
func (k *packer) release() {
	k.stored = storedRun{}
	k.coder.Release()
}
