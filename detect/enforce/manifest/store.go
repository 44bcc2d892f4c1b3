package manifest

import (
	"cmp"
	"path"
	"slices"

	"flyball/schema"
)

// Store holds the manifests in force. It is not safe for concurrent use. A manifest that was
// returned never changes.
type Store struct {
	tenants map[string]*tenant
}

type tenant struct {
	exact    map[string]*entry
	patterns []*entry // the longest first
}

type entry struct {
	doc      schema.Manifest
	manifest *Manifest
}

// maxManifests is how many manifests may be in force in a tenant.
const maxManifests = 10_000

// NewStore returns an empty store.
func NewStore() *Store { return &Store{tenants: map[string]*tenant{}} }

// Put puts a manifest in force and replaces the one of the same agent or pattern. If it cannot be
// read, Put returns an error and changes nothing.
func (s *Store) Put(tenantName string, doc schema.Manifest) error {
	m, err := Parse([]byte(doc.Text))
	if err != nil {
		return err
	}
	doc.Agent = m.Document.Agent
	s.put(tenantName, &entry{doc, m})
	return nil
}

// full reports whether a tenant has maxManifests manifests.
func (s *Store) full(tenantName string) bool {
	t := s.tenants[tenantName]
	return t != nil && len(t.exact)+len(t.patterns) >= maxManifests
}

func (s *Store) put(tenantName string, e *entry) {
	t := s.tenants[tenantName]
	if t == nil {
		t = &tenant{exact: map[string]*entry{}}
		s.tenants[tenantName] = t
	}
	if !e.manifest.pattern {
		t.exact[e.doc.Agent] = e
		return
	}
	t.patterns = slices.DeleteFunc(slices.Clone(t.patterns), func(x *entry) bool { return x.doc.Agent == e.doc.Agent })
	t.patterns = append(t.patterns, e)
	slices.SortFunc(t.patterns, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(len(b.doc.Agent), len(a.doc.Agent)), cmp.Compare(a.doc.Agent, b.doc.Agent))
	})
}

// Drop removes a manifest and reports whether there was one.
func (s *Store) Drop(tenantName, agent string) bool {
	t := s.tenants[tenantName]
	if t == nil {
		return false
	}
	n := len(t.exact) + len(t.patterns)
	delete(t.exact, agent)
	t.patterns = slices.DeleteFunc(slices.Clone(t.patterns), func(x *entry) bool { return x.doc.Agent == agent })
	return len(t.exact)+len(t.patterns) < n
}

// ForAgent returns the manifest of an agent: the one for its name, else that of the longest pattern
// that matches; nil if there is none. An agent whose name is only asserted has the manifest of the
// pattern "*", so that it cannot choose a wider one with another name.
func (s *Store) ForAgent(tenantName, agent string, trust schema.Trust) (*Manifest, schema.Manifest) {
	t := s.tenants[tenantName]
	if t == nil {
		return nil, schema.Manifest{}
	}
	if trust >= schema.TrustInfrastructure {
		if e := t.exact[agent]; e != nil {
			return e.manifest, e.doc
		}
		for _, e := range t.patterns {
			if ok, _ := path.Match(e.doc.Agent, agent); ok || e.doc.Agent == "*" {
				return e.manifest, e.doc
			}
		}
		return nil, schema.Manifest{}
	}
	for _, e := range t.patterns {
		if e.doc.Agent == "*" {
			return e.manifest, e.doc
		}
	}
	return nil, schema.Manifest{}
}

// ForClaimedName returns the manifest that an agent's name would have if it were established. For a
// name that is only asserted it may only narrow.
func (s *Store) ForClaimedName(tenantName, agent string) *Manifest {
	m, _ := s.ForAgent(tenantName, agent, schema.TrustVerified)
	return m
}

// ForPattern returns the manifest with exactly this name or pattern; nil: none.
func (s *Store) ForPattern(tenantName, agent string) *Manifest {
	t := s.tenants[tenantName]
	if t == nil {
		return nil
	}
	if e := t.exact[agent]; e != nil {
		return e.manifest
	}
	for _, e := range t.patterns {
		if e.doc.Agent == agent {
			return e.manifest
		}
	}
	return nil
}

// Quota returns the limit in units of a quota and the length of its window in ns.
func (m *Manifest) Quota(name string) (limit, per int64, ok bool) {
	for i := range m.quotas {
		if q := &m.quotas[i]; q.Name == name {
			return q.limit, int64(q.Per), true
		}
	}
	return 0, 0, false
}

// List returns every manifest of a tenant, by agent.
func (s *Store) List(tenantName string) []schema.Manifest {
	t := s.tenants[tenantName]
	if t == nil {
		return nil
	}
	var out []schema.Manifest
	for _, e := range t.exact {
		out = append(out, e.doc)
	}
	for _, e := range t.patterns {
		out = append(out, e.doc)
	}
	slices.SortFunc(out, func(a, b schema.Manifest) int { return cmp.Compare(a.Agent, b.Agent) })
	return out
}

// Snapshot returns every manifest, by tenant.
func (s *Store) Snapshot() map[string][]schema.Manifest {
	out := map[string][]schema.Manifest{}
	for name := range s.tenants {
		out[name] = s.List(name)
	}
	return out
}

// RestoreStore returns the store of a snapshot. A manifest that this binary cannot read is an
// error: without it the agent could do anything.
func RestoreStore(from map[string][]schema.Manifest) (*Store, error) {
	s := NewStore()
	for name, list := range from {
		for _, doc := range list {
			if err := s.Put(name, doc); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}
