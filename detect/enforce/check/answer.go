package check

import (
	"encoding/binary"
	"encoding/hex"
	"net/http"

	"flyball/detect/enforce/ledger"
	"flyball/schema"
)

// answer is the result of checking a request.
type answer struct {
	status   int // 200, 403, 503
	action   schema.Action
	why      string
	would    string // what would have decided if armed: action and reason; empty: nothing
	decision string
	run      string // set only if the request names its run
	receipt  string
	gate     string // id of the question to a person
	stale    bool
	breaker  *schema.Breaker
	clock    int64   // the log's time at the decision: breakers expire by it
	perSec   float64 // calls a second that a throttled scope may make at this point
	weighed  ledger.Decision
	line     string
	standing schema.Standing // of the caller
	// overShare: callers with a claimed identity use more than their share of the work; see
	// ledger.Request.ShareExceeded.
	overShare bool
}

// Named reasons of this package.
const (
	whyNotLoaded   = "not_loaded"
	whyGranted     = "granted"
	whyGateFull    = "too_many_questions"
	whyNoAnswer    = "claim_not_in_time"
	whyBusy        = "too_many_claims"
	whyProbeLost   = "half_open_probe_lost"
	whyRefused     = "gate_refused"
	whyTimedOut    = "gate_timed_out"
	whyGatePending = "gate_pending"
	// The log is unreachable, so that the rest of a quota is unknown: the failure mode
	// decides. The reason belongs to the family of failure modes.
	whyQuotaAway  = "policy.failure:quota_log_away"
	whyQuotaLate  = "policy.quota:claim_not_in_time"
	whyQuotaCrowd = "policy.quota:too_many_claims"
	// whyBodyCut: a call like this was granted, but the gateway sends only a part of the body, so
	// that it is unknown whether the grant is for this call.
	whyBodyCut = "gate_body_cut"
	// whyInternal: a fault of the check itself; see the process's log.
	whyInternal = "internal_error"
)

// headers returns the headers of the answer, for gateways that cannot read its body.
func (a *answer) headers() [][2]string {
	out := [][2]string{{"X-Flyball-Decision", a.decision}, {"X-Flyball-Why", a.why}}
	for _, h := range [...][2]string{{"X-Flyball-Run", a.run}, {"X-Flyball-Receipt", a.receipt}, {"X-Flyball-Gate", a.gate},
		{"X-Flyball-Would", a.would}} {
		if h[1] != "" {
			out = append(out, h)
		}
	}
	if a.stale {
		out = append(out, [2]string{"X-Flyball-Stale", "1"})
	}
	if a.status != http.StatusOK {
		out = append(out, [2]string{"X-Flyball-Problem", a.kind()})
		out = append(out, a.explain().headers()...)
	}
	return out
}

func decisionID(v uint64) string {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], v)
	return "c_" + hex.EncodeToString(b[:])
}
