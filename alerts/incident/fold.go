package incident

import (
	"time"

	"flyball/schema"
)

// Fold holds the open incidents of flyball.alerts. The same records in the same order give the same decisions. It is not safe for
// concurrent use.
type Fold struct {
	// The exported fields do not change after the first event.

	// Receiver is the name of the receiver whose pages are made. Incidents do not depend on it.
	Receiver string
	// Route returns the receivers of a finding at a time (Unix ns); nil: all findings are sent to this receiver.
	Route func(v *schema.Finding, at int64) Routes
	// Registry is asked for owners and tags by silences.
	Registry Registry
	// Link returns the address at which a gate can be decided until a time (Unix ns). If it is nil or returns an empty address, pages have
	// no link.
	Link func(gate string, until int64) string
	// AckLink returns the address at which an incident can be acknowledged until a time (Unix ns); nil or empty: pages have none.
	AckLink func(tenant, incident, page string, until int64) string
	// Remind is the pause before the first reminder of a trip that was not enforced; the pauses double. 0: there are none.
	Remind time.Duration
	// Bounds limit the incidents that are opened.
	Bounds Bounds

	findings  findings
	incidents incidents
	silences  silences

	written   int64 // when the record that is applied was written, Unix ns
	now       int64 // the log's clock, Unix ns
	minute    int64 // of the log's clock, when what is due was looked at
	held      map[*group]struct{}
	unstopped map[*group]struct{} // incidents of which reminders are due one day
}

// NewFold returns a Fold to which all findings are routed.
func NewFold() *Fold {
	f := &Fold{findings: newFindings(), incidents: newIncidents(), silences: newSilences(), held: map[*group]struct{}{},
		unstopped: map[*group]struct{}{}}
	f.findings.displaced = f.leave
	return f
}

func (f *Fold) bounds() Bounds { return f.Bounds.withDefaults() }

// leave removes a finding that was resolved or is no longer remembered from its incident, and the incident if it was the last one.
func (f *Fold) leave(i *open) {
	if g := f.incidents.leave(i); g != nil {
		delete(f.held, g)
		delete(f.unstopped, g)
	}
}
