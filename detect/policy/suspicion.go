package policy

import "flyball/schema"

// mayApply reports whether a rule has a say in a finding. A suspicion that a person's
// credential is borrowed is wrong about a person in a known share of sessions: it
// is annotated, and asked about by a person where a rule of the operator names
// the family and says so. No other rule reaches it, whatever the mode.
func (r *Rule) mayApply(f *schema.Finding) bool {
	return f.Family != schema.FamilyBorrowed || r.Action <= schema.ActionAnnotate || r.Action == schema.ActionGate && r.Family == schema.FamilyBorrowed
}
