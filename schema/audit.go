package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"
)

// AuditEntry is one command and its result. Entries form a hash chain: each holds the
// hash of the previous one, so that changing, removing or inserting an entry
// invalidates all later hashes.
type AuditEntry struct {
	Seq     uint64 `json:"seq"` // 1 is the first
	Tenant  string `json:"tenant"`
	At      int64  `json:"at_ns"`  // the log's clock, Unix ns
	Offset  int64  `json:"offset"` // in flyball.commands
	Kind    string `json:"kind"`
	By      string `json:"by"`
	Role    string `json:"role"`
	Subject string `json:"subject"` // scope, gate, task or manifest that the command applies to
	Reason  string `json:"reason"`
	Outcome string `json:"outcome"`
	// Digest of the whole command: SHA-256 of its JSON, hexadecimal.
	Digest string `json:"digest"`
	Prev   string `json:"prev"` // hash of entry Seq-1; empty before the first
	Hash   string `json:"hash"`
}

// ComputeHash returns the required value of Hash: SHA-256 over all other fields, each preceded
// by its length.
func (e *AuditEntry) ComputeHash() string {
	h := sha256.New()
	for _, s := range [...]string{"flyball-audit/1", strconv.FormatUint(e.Seq, 10), e.Tenant, strconv.FormatInt(e.At, 10),
		strconv.FormatInt(e.Offset, 10),
		e.Kind, e.By, e.Role, e.Subject, e.Reason, e.Outcome, e.Digest, e.Prev} {
		_, _ = h.Write([]byte(strconv.Itoa(len(s)) + ":" + s))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Digest returns the hash of a command over the members that points of a feature number read.
// Two releases that fold the same log must produce the same audit trail.
func (c *Command) Digest(feature int) string {
	known := *c
	if c.Gate != nil { // not kept by every version of feature number 2
		g := *c.Gate
		g.Host, g.Path, g.Resources, g.BodyUnseen = "", "", nil, ""
		known.Gate = &g
	}
	if c.Decision != nil { // neither is this
		d := *c.Decision
		d.RouteByWords = ""
		known.Decision = &d
	}
	if c.Kind.Feature() < 3 { // members of the kinds with feature number 3, which only points fold that know them
		known.Ack, known.Silence, known.Hold, known.Purge = nil, nil, nil, nil
	}
	if c.Kind.Feature() < 4 {
		known.Route = nil
	}
	if feature < 2 {
		known.forgetSince2()
	}
	b, err := json.Marshal(&known)
	if err != nil {
		return ""
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// forgetSince2 clears the members that points of feature number 1 neither read nor store.
func (c *Command) forgetSince2() {
	c.Holder = nil
	if c.Gate != nil {
		g := *c.Gate
		g.Standing, g.Binding, g.QueryDigest, g.Host, g.Path, g.Resources, g.BodyUnseen = nil, 0, "", "", "", nil, ""
		c.Gate = &g
	}
	if c.Decision != nil {
		d := *c.Decision
		d.Family, d.Route, d.RouteByWords = "", "", ""
		c.Decision = &d
	}
	if c.Lease != nil {
		l := *c.Lease
		l.Standing = nil
		c.Lease = &l
	}
}
