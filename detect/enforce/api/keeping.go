package api

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"net/http"
	"strings"

	"flyball/detect/enforce"
	"flyball/schema"
)

// keeping holds the operations on how long rows are kept: holds, and the record of a purge.
type keeping struct{ *server }

func (k *keeping) operations() []operation {
	return []operation{
		withBody(operation{path: "/v1/holds", id: "hold", role: Responder, answer: ChangeResult{}, problems: []int{409, 422},
			summary: "Hold a run: its rows are kept beyond their retention, until the hold is released"}, k.hold),
		withBody(operation{path: "/v1/holds/{id}/release", id: "releaseHold", role: Admin, answer: ChangeResult{}, problems: []int{404, 409},
			summary: "Release the hold on a run, by its id: the copies of its rows are deleted"}, k.release),
		withBody(operation{path: "/v1/purges", id: "purge", role: Admin, answer: PurgeResult{}, problems: []int{409, 422},
			summary: "Record that the rows of a principal are deleted. The trail gets a keyed id of the principal, not its name"}, k.purge),
	}
}

// HoldRequest holds a run.
type HoldRequest struct {
	Run    schema.RunID `json:"run"` // whole id
	Reason string       `json:"reason"`
	By     string       `json:"by,omitempty"`
}

func (HoldRequest) limits() limits {
	return limits{"run": patterned(36, 36, `^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`), "reason": words(1, 1000), "by": text(0, 100)}
}

// ReleaseHoldRequest releases the hold on a run.
type ReleaseHoldRequest struct {
	Reason string `json:"reason"`
	By     string `json:"by,omitempty"`
}

func (ReleaseHoldRequest) limits() limits {
	return limits{"reason": words(1, 1000), "by": text(0, 100)}
}

// PurgeRequest records a purge.
type PurgeRequest struct {
	Principal string `json:"principal"`
	// Proof is the SHA-256 of the proof, in hexadecimal, when the rows have been deleted; absent: the
	// deletion begins.
	Proof  string `json:"proof,omitempty"`
	Reason string `json:"reason"`
	By     string `json:"by,omitempty"`
}

func (PurgeRequest) limits() limits {
	return limits{"principal": words(1, 512), "proof": patterned(0, 64, `^([0-9a-f]{64})?$`), "reason": words(1, 1000), "by": text(0, 100)}
}

// PurgeResult is the response to the record of a purge.
type PurgeResult struct {
	ChangeResult
	Principal string `json:"principal"` // keyed id, as in the audit trail
}

func (k *keeping) hold(x *exchange, in *HoldRequest) {
	if in.Run == (schema.RunID{}) {
		x.refuse(refused(http.StatusUnprocessableEntity, "no_run", "run: 0 is the id of no run"))
		return
	}
	x.submit(change{command: schema.Command{Kind: schema.CommandHold, By: x.by(in.By), Reason: in.Reason,
		Hold: &schema.HoldOrder{RunID: in.Run}}, success: enforce.RunHeld})
}

func (k *keeping) release(x *exchange, in *ReleaseHoldRequest) {
	id, err := schema.ParseRunID(x.r.PathValue("id"))
	if err != nil || id == (schema.RunID{}) {
		x.refuse(refused(http.StatusNotFound, "no_run", "a hold is released by the whole id of its run"))
		return
	}
	x.submit(change{command: schema.Command{Kind: schema.CommandHoldRelease, By: x.by(in.By), Reason: in.Reason,
		Hold: &schema.HoldOrder{RunID: id}}, success: enforce.HoldReleased})
}

func (k *keeping) purge(x *exchange, in *PurgeRequest) {
	if k.o.LinkKey == "" {
		x.refuse(refused(http.StatusConflict, "no_key", "this point has no key of the deployment (secret_key_file): the trail would get a name "+
			"that can be guessed"))
		return
	}
	by := x.by(in.By)
	if containsFold(in.Reason, in.Principal) || containsFold(by, in.Principal) {
		x.refuse(refused(http.StatusUnprocessableEntity, "principal_in_reason",
			"the reason or the name of the operator contains the principal: both stay in the audit trail for ever; name a case instead"))
		return
	}
	id := principalID(k.o.LinkKey, in.Principal)
	x.submit(change{command: schema.Command{Kind: schema.CommandPurge, By: by, Reason: in.Reason,
		Purge: &schema.PurgeOrder{Principal: id, Proof: in.Proof}}, success: enforce.PurgeRecorded,
		answer: func(r ChangeResult) any { return PurgeResult{r, id} }})
}

func containsFold(text, part string) bool {
	return strings.Contains(strings.ToLower(text), strings.ToLower(part))
}

// principalID returns the keyed id of a principal: without the deployment's key a name cannot be tried.
func principalID(key schema.Secret, principal string) string {
	m := hmac.New(sha256.New, []byte(key))
	_, _ = m.Write([]byte("principal\x00" + principal))
	return "p_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(m.Sum(nil)[:10]))
}
