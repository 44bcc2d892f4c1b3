package manifest

import (
	"time"

	"flyball/schema"
)

// Spend is what a call spends of a quota, if it passes.
type Spend struct {
	Quota  string // its name
	Key    string // its key in the document
	Of     string // the spender: the agent, a run or a principal
	Units  int64
	Limit  int64
	Window int64         // number of the window since 1970
	Per    int64         // length of the window, ns
	Over   schema.Action // action if the rest of the quota is too small
	Why    string        // named reason of Over
}

// PerHour returns how many such calls a quota lets pass in an hour: its limit in one window if the
// window is longer, else in all windows of the hour; -1: the call costs nothing.
func (s *Spend) PerHour() int64 {
	if s.Units <= 0 {
		return -1
	}
	return s.Limit / s.Units * max(int64(time.Hour)/s.Per, 1)
}

// spend returns what a call spends of the quota at a time; ok is false if it spends nothing.
func (q *quota) spend(c *schema.Call, now int64) (s Spend, ok bool) {
	s = Spend{Quota: q.Name, Key: q.key, Limit: q.limit, Window: now / int64(q.Per), Per: int64(q.Per), Over: schema.ActionDeny, Why: whyQuota}
	if q.Over == "ask" {
		s.Over = schema.ActionGate
	}
	if q.autonomousOnly {
		s.Why = whyAutonomySpent
	}
	if s.Units, ok = q.units(c); !ok {
		return s, false
	}
	s.Of = spender(q.Of, c)
	return s, true
}

// units returns how much of the quota a call spends; ok is false if the quota does not count the
// call.
func (q *quota) units(c *schema.Call) (n int64, ok bool) {
	switch {
	case q.Irreversible > 0 && c.Reversibility != schema.Irreversible:
		return 0, false
	case q.Bytes > 0:
		n = int64(min(c.BytesIn, 1<<40))
		return n, n > 0
	case q.Amount > 0:
		amount, currency, ok := AmountInThousandths(c)
		switch {
		case c.Reversibility == schema.ReadOnly || ok && currency != "" && currency != q.Currency:
			return 0, false // the quota is in another currency
		case !ok || currency == "":
			return q.limit + 1, true // an unknown amount exceeds every limit
		}
		return amount, true
	}
	return 1, true
}

// spender returns whose quota a call spends. If only the caller vouches for a name or a run key,
// the call spends the quota of its credential or of its address.
func spender(of string, c *schema.Call) string {
	switch {
	case of == "run" && c.RunKey != "" && c.AgentTrust >= schema.TrustInfrastructure:
		return c.RunKey
	case of == "run" && c.RunKey != "": // any caller can choose a run key
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
