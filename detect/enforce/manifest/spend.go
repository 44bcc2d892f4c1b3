package manifest

import (
	"flyball/schema"
	"time"
)

// Spend is what a call takes out of a quota, if it passes.
type Spend struct {
	Quota  string // its name
	Key    string // its place in the document
	Of     string // who spends: the agent, a run or a principal
	Units  int64
	Limit  int64
	Window int64 // number of the window since 1970
	Per    int64 // length of the window, ns
	Over   schema.Action
	// Why when the quota has nothing left.
	Why string
}

// PerHour is how many such calls a quota lets through in an hour: its limit in
// one window that lies within it, or in the windows that do. -1 is more than a
// number can say: it costs nothing.
func (s *Spend) PerHour() int64 {
	if s.Units <= 0 {
		return -1
	}
	return s.Limit / s.Units * max(int64(time.Hour)/s.Per, 1)
}
func (q *quota) spend(c *schema.Call, now int64) (Spend, bool) {
	s := Spend{Quota: q.Name, Key: q.key, Limit: q.limit, Per: int64(q.Per), Over: schema.ActionDeny, Why: WhyQuota, Units: 1}
	s.Window = now / s.Per
	if q.Over == "ask" {
		s.Over = schema.ActionGate
	}
	if q.autonomousOnly {
		s.Why = WhyAutonomySpent
	}
	switch {
	case q.Irreversible > 0 && c.Reversibility != schema.Irreversible:
		return s, false
	case q.Bytes > 0:
		if s.Units = int64(min(c.BytesIn, 1<<40)); s.Units == 0 {
			return s, false
		}
	case q.Amount > 0:
		amount, currency, ok := money(c)
		if c.Reversibility == schema.ReadOnly || ok && currency != "" && currency != q.Currency {
			return s, false // another currency's limit
		}
		if s.Units = amount; !ok || currency == "" {
			s.Units = q.limit + 1 // an amount that nobody knows fits into no limit
		}
	}
	s.Of = spender(q.Of, c)
	return s, true
}

// spender is whose quota it is: a name that the caller chose spends that of its credential.
func spender(of string, c *schema.Call) string {
	switch {
	case of == "run" && c.RunKey != "" && c.AgentTrust >= schema.TrustInfrastructure:
		return c.RunKey
	case of == "run" && c.RunKey != "": // a run key is anybody's to choose
		return c.RunKey + "|" + spender("agent", c)
	case of == "principal" && c.PrincipalTrust >= schema.TrustInfrastructure && c.PrincipalID != "":
		return c.PrincipalID
	case of == "agent" && c.AgentTrust >= schema.TrustInfrastructure:
		return c.AgentID
	case c.CredentialID != "":
		return "credential:" + c.CredentialID
	case c.ClientIP.IsValid():
		return "address:" + c.ClientIP.Unmap().String()
	}
	return "nobody"
}
