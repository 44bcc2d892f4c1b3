package engine

import (
	"context"
	"fmt"
	"strings"

	"flyball/detect/policy"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// conflict is what disagrees about who a run is.
type conflict struct {
	finding
	what  string // the feature that is told
	first schema.CallRef
}

// Features of evidence.
const (
	otherName      = "identity.asserted_name"
	otherPrincipal = "identity.another_principal_on_run_key"
)

// disagreement is what a call says of the run that another rule says otherwise;
// said is the name. A sub-agent has a name of its own under its parent's credential.
func disagreement(r *stitch.Run, before *judged, c *schema.Call) (what, said string) {
	established := r.AgentTrust >= schema.TrustInfrastructure
	switch {
	case r.OtherPrincipal():
		return otherPrincipal, r.PrincipalID
	case c.ParentAgent != "" || !established:
		return "", ""
	case c.AgentAsserted != "" && c.AgentAsserted != r.AgentID:
		return otherName, c.AgentAsserted
	case c.AgentTrust == schema.TrustAsserted && c.AgentID != "" && c.AgentID != r.AgentID:
		return otherName, c.AgentID
	case before.trust == schema.TrustAsserted && before.agent != "" && before.agent != r.AgentID:
		return otherName, before.agent
	}
	return "", ""
}

// identified opens the run's finding of a conflict of identity, once.
func (w *worker) identified(ctx context.Context, r *stitch.Run, run *judged, c *schema.Call, at schema.CallRef) error {
	if run.conflict != nil {
		return nil
	}
	what, said := disagreement(r, run, c)
	if what == "" {
		return nil
	}
	level := schema.LevelAlert
	if what == otherName {
		level = schema.LevelAnnotate // sub-agents and libraries name themselves all day long: it wakes nobody
	}
	run.conflict = &conflict{finding: finding{FindingProgress: policy.FindingProgress{Level: level}, openedAt: c.Start}, what: what + " " + strings.Clone(said), first: at}
	return w.tell(ctx, r, w.describeConflict(r, run.conflict, c, at))
}

func (w *worker) describeConflict(r *stitch.Run, have *conflict, c *schema.Call, at schema.CallRef) *schema.Finding {
	out := w.findingOf(r, schema.FamilyIdentity, &have.finding, c, at)
	out.Evidence = append(out.Evidence, schema.Contribution{Feature: have.what, Observed: 1, Usual: 0, Peers: schema.Unknown, Humans: schema.Unknown, Score: schema.Unknown, Calls: []string{have.first.String()}})
	what, said, _ := strings.Cut(have.what, " ")
	if out.Summary = fmt.Sprintf("%s calls itself %s", nameOf(r), said); what == otherPrincipal {
		out.Summary = fmt.Sprintf("%s comes under a run key that another principal uses: %s", said, r.RunKey)
	}
	return out
}

// closeConflict closes the finding with its run.
func (w *worker) closeConflict(ctx context.Context, r *stitch.Run, run *judged, at schema.CallRef) error {
	if run.conflict == nil || run.conflict.closed {
		return nil
	}
	run.conflict.closed = true
	return w.tell(ctx, r, w.describeConflict(r, run.conflict, &schema.Call{Start: r.LastAt}, at))
}

func (r *judged) codeConflict(c *wire.Coder) {
	there := r.conflict != nil
	c.Bool(&there)
	if !there {
		return
	}
	if r.conflict == nil {
		r.conflict = &conflict{}
	}
	r.conflict.finding.code(c)
	c.Text(&r.conflict.what)
	codeRef(c, &r.conflict.first)
	if !c.Encoding {
		r.conflict.what = strings.Clone(r.conflict.what)
	}
}

func codeRef(c *wire.Coder, ref *schema.CallRef) {
	part := int64(ref.Partition)
	c.Int(&part)
	c.Int(&ref.Offset)
	wire.Num(c, &ref.Item)
	ref.Partition = int32(part)
}
