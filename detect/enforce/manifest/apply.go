package manifest

import (
	"flyball/detect/enforce"
	"flyball/schema"
)

// Apply puts a manifest in force or removes it. The result contains the agent's name or pattern.
func (s *Store) Apply(at enforce.LogPosition, c *schema.Command) (enforce.Result, []schema.Event) {
	switch {
	case c.Manifest == nil:
		return enforce.Result{Code: enforce.Rejected, Detail: "no manifest in the command"}, nil
	case c.Kind == schema.CommandManifestDrop && s.Drop(c.Tenant, c.Manifest.Agent):
		return enforce.Result{Code: enforce.ManifestDropped, Ref: c.Manifest.Agent}, nil
	case c.Kind == schema.CommandManifestDrop:
		return enforce.Result{Code: enforce.NoSuchManifest, Ref: c.Manifest.Agent}, nil
	case s.full(c.Tenant):
		return enforce.Result{Code: enforce.Rejected, Detail: "the tenant has as many manifests as can be"}, nil
	}
	doc := *c.Manifest
	doc.Version, doc.By, doc.At = at.Generation(), c.By, at.Time
	if err := s.Put(c.Tenant, doc); err != nil {
		return enforce.Result{Code: enforce.Rejected, Detail: err.Error()}, nil
	}
	return enforce.Result{Code: enforce.InForce, Ref: doc.Agent}, nil
}
