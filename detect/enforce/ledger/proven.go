package ledger

import (
	"cmp"
	"slices"
	"time"

	"flyball/detect/enforce"
	"flyball/schema"
)

// ProvenCredential is a credential that the API has accepted often enough; see schema.StandingProven.
type ProvenCredential struct {
	Tenant       string `json:"tenant"`
	CredentialID string `json:"credential_id"`
	Until        int64  `json:"until_ns"` // the log's clock, Unix ns
}

const (
	// maxProven credentials of a tenant are known; one more takes the place of the one
	// that was confirmed longest ago, which counts as claimed until it is confirmed again.
	maxProven    = 100_000
	maxProvenTTL = int64(90 * 24 * time.Hour)
)

// provenCredentials are those of one tenant.
type provenCredentials struct {
	until map[string]int64
	order []ProvenCredential // by confirmation, the oldest first; one that was confirmed again is there twice
}

func (p *provenCredentials) confirm(x ProvenCredential) {
	if p.until[x.CredentialID] == x.Until {
		return
	}
	p.until[x.CredentialID] = x.Until
	p.order = append(p.order, x)
	for len(p.until) > maxProven {
		p.dropFirst()
	}
	if len(p.order) > 2*maxProven {
		p.order = slices.DeleteFunc(slices.Clone(p.order), func(x ProvenCredential) bool { return p.until[x.CredentialID] != x.Until })
	}
}

func (p *provenCredentials) dropFirst() {
	if x := p.order[0]; p.until[x.CredentialID] == x.Until {
		delete(p.until, x.CredentialID)
	}
	p.order = p.order[1:]
}

// expire forgets what is over, as far as it stands first.
func (p *provenCredentials) expire(now int64) {
	for len(p.order) > 0 && p.order[0].Until <= now {
		p.dropFirst()
	}
}

// confirm takes in that a credential is proven.
func (s *State) confirm(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	if c.Scope.Kind != schema.ScopeCredential || c.Scope.Value == "" || c.TTL <= 0 {
		return enforce.Result{Code: enforce.Rejected}, nil
	}
	s.putProven(ProvenCredential{c.Tenant, c.Scope.Value, at.Time + min(c.TTL, maxProvenTTL)})
	return enforce.Result{Code: enforce.CredentialConfirmed}, nil
}

func (s *State) putProven(x ProvenCredential) {
	p := s.proven[x.Tenant]
	if p == nil {
		p = &provenCredentials{until: map[string]int64{}}
		s.proven[x.Tenant] = p
	}
	p.expire(s.Position.Time)
	p.confirm(x)
}

// Proven reports whether the API has accepted a tenant's credential often enough.
func (s *State) Proven(tenant, credential string) bool {
	p := s.proven[tenant]
	return p != nil && credential != "" && p.until[credential] > s.Position.Time
}

// Standing the caller of a call, as far as the log's clock has come.
func (s *State) Standing(c *schema.Call) schema.Standing {
	if st := c.Standing(); st != schema.StandingClaimed || !s.Proven(c.Tenant, c.CredentialID) {
		return st
	}
	return schema.StandingProven
}

// provenSnapshot is every proven credential, by tenant, then by confirmation.
func (s *State) provenSnapshot() (out []ProvenCredential) {
	for _, p := range s.proven {
		for _, x := range p.order {
			if p.until[x.CredentialID] == x.Until && x.Until > s.Position.Time {
				out = append(out, x)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b ProvenCredential) int { return cmp.Compare(a.Tenant, b.Tenant) })
	return out
}
