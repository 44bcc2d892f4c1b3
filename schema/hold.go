package schema

// Hold keeps the rows of a run beyond the retention of the tables, until it is released.
type Hold struct {
	Tenant   string `json:"tenant"`
	RunID    RunID  `json:"run_id"`
	Released bool   `json:"released,omitempty"`
	At       int64  `json:"at_ns"` // the log's clock, Unix ns
	By       string `json:"by"`
	Why      string `json:"why"`
	// Generation is the offset in flyball.commands of the record that held or released it, plus one.
	Generation uint64 `json:"generation"`
}

// HoldOrder is the run that a command holds or releases.
type HoldOrder struct {
	RunID RunID `json:"run_id"`
}

// PurgeOrder records that the rows of a principal are deleted from the database. It contains the keyed
// id of the principal and not its name: the audit trail cannot be shortened.
type PurgeOrder struct {
	Principal string `json:"principal"` // keyed id: p_…
	// Proof is the SHA-256 of the proof, in hexadecimal, when the rows have been deleted; empty: the
	// deletion begins.
	Proof string `json:"proof,omitempty"`
}

// HoldEvent returns the event of a hold or of its release.
func HoldEvent(h *Hold) Event {
	return Event{ID: shortID("e", "hold", h.Tenant, h.RunID.String(), CallRef{0, int64(h.Generation), 0}.String()), Kind: EventHold,
		Tenant: h.Tenant, Hold: h}
}
