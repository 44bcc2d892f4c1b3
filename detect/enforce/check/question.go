package check

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"flyball/detect/enforce/point"
	"flyball/schema"
)

// question returns the command that asks a person for approval of the call.
func (c *claims) question(e *evaluation, why string, mode schema.Mode) *schema.Command {
	call, q, standing := e.decided, &e.query, e.a.standing
	return &schema.Command{ID: point.NewCommandID("a_"), Kind: schema.CommandAsk, Tenant: call.Tenant, By: c.o.Name, Reason: why,
		Gate: &schema.Gate{Holder: q.Holder, RunID: e.req.RunID, RunKey: call.RunKey, AgentID: call.AgentID,
			CredentialID: call.CredentialID, PrincipalID: call.PrincipalID, Standing: &standing,
			Route: q.Route, Resource: q.Resource, Host: c.shownHost(e), Path: c.shownPath(call), Resources: c.shownResources(call),
			Binding: schema.BindingAll, ArgsDigest: q.ArgsDigest, QueryDigest: q.QueryDigest,
			Amount: q.Amount, Currency: q.Currency, Why: why, SoFar: e.allowed, Mode: mode}}
}

const (
	maxShownPath      = 512 // bytes
	maxShownResources = 10
)

// shownHost returns the host of a call for the person who decides; empty: it is not known, or contains a secret.
func (c *claims) shownHost(e *evaluation) string {
	if c.o.KeptText != nil && c.o.KeptText(e.q.host) != e.q.host {
		return ""
	}
	return e.decided.Host
}

// shownPath returns the path of a call for the person who decides, without secrets.
func (c *claims) shownPath(call *schema.Call) string {
	path := c.withoutSecrets(call.Path)
	if len(path) > maxShownPath {
		path = strings.ToValidUTF8(path[:maxShownPath], "") + "…"
	}
	return path
}

// shownResources returns the resources that a call names, for the person who decides. "order:?" beside them shows that the call
// names more than is read.
func (c *claims) shownResources(call *schema.Call) (out []string) {
	if !slices.ContainsFunc(call.Resources, func(r schema.Resource) bool { return r.ID != "?" }) {
		return nil
	}
	for i, r := range call.Resources {
		if r.ID == "?" && r.Source == schema.ProvenanceNotLogged {
			continue
		}
		if len(out) == maxShownResources {
			out = append(out, fmt.Sprintf("and %d more", len(call.Resources)-i))
			break
		}
		r.ID = c.withoutSecrets(r.ID)
		out = append(out, r.String())
	}
	return out
}

func (c *claims) withoutSecrets(text string) string {
	if c.o.KeptPath == nil {
		return text
	}
	return c.o.KeptPath(text)
}

// recordEvery is the shortest interval between records of questions in mode observe for one holder
// and route.
const recordEvery = 15 * time.Minute

// recordQuestion records, without waiting, that a call would have been held.
func (c *claims) recordQuestion(e *evaluation, why string) {
	if !c.o.Log.IsOpen() {
		return
	}
	place := "would\x00" + e.query.Tenant + "\x00" + e.query.Holder + "\x00" + e.query.Route
	if c.limits.allow(place, e.a.standing, c.o.Now(), recordEvery) == mayAsk {
		c.o.Log.Send(c.question(e, why, schema.ModeObserve), nil)
	}
}
