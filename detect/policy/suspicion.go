package policy

import "flyball/schema"

// mayApply reports whether a rule may apply to a finding. The suspicion that a machine uses a
// person's credential is wrong in a known share of sessions: only a rule that annotates, or
// one that names the family and asks for approval, applies to it, in every mode.
func (r *Rule) mayApply(f *schema.Finding) bool {
	return f.Family != schema.FamilyBorrowed || r.Action <= schema.ActionAnnotate ||
		r.Action == schema.ActionGate && r.Family == schema.FamilyBorrowed
}
