package ledger

import (
	"cmp"
	"slices"
	"time"

	"flyball/detect/enforce"
	"flyball/schema"
)

// ProvenCredential is a credential that the API has accepted often enough; see
// schema.StandingProven.
type ProvenCredential struct {
	Tenant       string `json:"tenant"`
	CredentialID string `json:"credential_id"`
	Until        int64  `json:"until_ns"` // the log's clock, Unix ns
}

const (
	// maxProven is how many credentials of a tenant are kept. A further one replaces the one whose
	// confirmation is the oldest, which counts as claimed until it is confirmed again.
	maxProven    = 100_000
	maxProvenTTL = int64(90 * 24 * time.Hour)
)

// credentials is the state machine of proven credentials.
type credentials struct{ byTenant map[string]*provenCredentials }

func newCredentials() *credentials { return &credentials{byTenant: map[string]*provenCredentials{}} }

// Apply records that a credential is proven.
func (m *credentials) Apply(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	if c.Scope.Kind != schema.ScopeCredential || c.Scope.Value == "" || c.TTL <= 0 {
		return enforce.Result{Code: enforce.Rejected}, nil
	}
	m.put(at.Time, ProvenCredential{c.Tenant, c.Scope.Value, at.Time + min(c.TTL, maxProvenTTL)})
	return enforce.Result{Code: enforce.CredentialConfirmed}, nil
}

func (m *credentials) put(now int64, x ProvenCredential) {
	p := m.byTenant[x.Tenant]
	if p == nil {
		p = &provenCredentials{until: map[string]int64{}}
		m.byTenant[x.Tenant] = p
	}
	p.expire(now)
	p.confirm(x)
}

// proven reports whether the API has accepted a tenant's credential often enough.
func (m *credentials) proven(tenant, credential string, now int64) bool {
	p := m.byTenant[tenant]
	return p != nil && credential != "" && p.until[credential] > now
}

// snapshot returns every proven credential, by tenant, then in the order of confirmation.
func (m *credentials) snapshot(now int64) (out []ProvenCredential) {
	for _, p := range m.byTenant {
		for _, x := range p.order {
			if p.until[x.CredentialID] == x.Until && x.Until > now {
				out = append(out, x)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b ProvenCredential) int { return cmp.Compare(a.Tenant, b.Tenant) })
	return out
}

// provenCredentials holds the proven credentials of one tenant.
type provenCredentials struct {
	until map[string]int64
	order []ProvenCredential // confirmations, the oldest first; a credential that was confirmed again is in it twice
}

func (p *provenCredentials) confirm(x ProvenCredential) {
	if p.until[x.CredentialID] == x.Until {
		return
	}
	p.until[x.CredentialID] = x.Until
	p.order = append(p.order, x)
	for len(p.until) > maxProven {
		p.removeFirst()
	}
	if len(p.order) > 2*maxProven {
		p.order = slices.DeleteFunc(slices.Clone(p.order), func(x ProvenCredential) bool { return p.until[x.CredentialID] != x.Until })
	}
}

func (p *provenCredentials) removeFirst() {
	if x := p.order[0]; p.until[x.CredentialID] == x.Until {
		delete(p.until, x.CredentialID)
	}
	p.order = p.order[1:]
}

// expire removes the expired credentials at the front of the order.
func (p *provenCredentials) expire(now int64) {
	for len(p.order) > 0 && p.order[0].Until <= now {
		p.removeFirst()
	}
}
