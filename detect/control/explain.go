package control

import (
	"strconv"
	"strings"
	"time"

	"flyball/detect/breaker"
	"flyball/detect/ledger"
	"flyball/schema"
)

// doNot ends every explanation of a denial.
const doNot = " Do not repeat the call or make it in another way; tell the person you work for."

// explain says to the caller what has stopped its call, and does not say that this run
// ran away where another one did. run is the id of the caller's run, empty when the
// request named none.
func explain(b *schema.Breaker, run string) string {
	if b == nil {
		return "This call was not made." + doNot
	}
	own := run != "" && (b.RunID.String() == run && !b.RunID.IsZero() || b.Scope.Kind == schema.ScopeRun && b.Scope.Value == run ||
		b.Scope.Kind == schema.ScopeRunRoute && strings.HasPrefix(b.Scope.Value, run+" "))
	what := "This run has been stopped."
	switch {
	case own && b.Scope.Kind == schema.ScopeRunRoute:
		what = "This run has been stopped on this route."
	case own:
	case b.Scope.Kind == schema.ScopeRun || b.Scope.Kind == schema.ScopeRunRoute:
		what = "Another run of the same agent or credential has been stopped, and those that began later are held with it."
	default:
		what = "Calls of this " + nounOf(b.Scope.Kind) + " have been stopped."
		if b.Origin != "operator" && b.State != schema.BreakerForcedOpen {
			what += " Another run led to that, not this one."
			if run == "" {
				what = "Calls of this " + nounOf(b.Scope.Kind) + " have been stopped."
			}
		}
	}
	return reasonFor(b, own) + what + doNot
}

// reasonFor is the breaker's reason as a sentence, where it is the caller's to know: what
// the detector found of one caller is not told to others who share an address, a
// principal, a route or a tenant with it.
func reasonFor(b *schema.Breaker, own bool) string {
	if b == nil || b.Reason == "" {
		return ""
	}
	switch b.Scope.Kind {
	case schema.ScopePrincipal, schema.ScopeAddress, schema.ScopeRoute, schema.ScopeTenant:
		if !own && b.Origin != "operator" {
			return ""
		}
	}
	return strings.TrimSuffix(b.Reason, ".") + ". "
}

func nounOf(k schema.ScopeKind) string {
	if k == schema.ScopeVersion {
		return "version of the agent"
	}
	return strings.ReplaceAll(k.String(), "_", " ")
}

// mostReason is how many bytes of a reason go into a header.
const mostReason = 200

// because are the headers of a denial that say what a body would, for gateways that
// make bodies of their own.
func (a *answer) because() [][2]string {
	var out [][2]string
	if b := a.breaker; b != nil {
		out = append(out, [2]string{"X-Flyball-Scope", headerText(b.Scope.String(), mostReason)})
		if b.Expires > 0 {
			out = append(out, [2]string{"X-Flyball-Expires", time.Unix(0, b.Expires).UTC().Format(time.RFC3339)})
		}
		if text := strings.TrimSuffix(reasonFor(b, a.run != "" && b.RunID.String() == a.run), ". "); text != "" {
			out = append(out, [2]string{"X-Flyball-Reason", headerText(text, mostReason)})
		}
	}
	if s := a.retryAfter(); s > 0 {
		out = append(out, [2]string{"Retry-After", strconv.FormatInt(s, 10)})
	}
	return out
}

// retryAfter is after how many seconds the same call may be answered in another way by
// itself; 0: not by waiting.
func (a *answer) retryAfter() int64 {
	switch a.why {
	case breaker.WhyProbe, breaker.WhyProbeNotDue, whyProbeLost, whyNoAnswer, whyQuotaLate, whyQuotaCrowd, ledger.WhyCrowded:
		return 1
	}
	b := a.breaker
	switch {
	case a.action == schema.ActionThrottle:
		return 1
	case a.action == schema.ActionDeny && b != nil && b.Expires > a.clock && b.State != schema.BreakerHalfOpen:
		return (b.Expires - a.clock + 1e9 - 1) / 1e9
	}
	return 0
}

// headerText is a text as the content of a JSON string in ASCII, cut to a number of
// bytes: it can stand in a header, and a gateway can put it into a JSON body as it is.
func headerText(s string, most int) string {
	var out strings.Builder
	for _, r := range s {
		piece := string(r)
		switch {
		case r == '"' || r == '\\':
			piece = `\` + piece
		case r > 0xffff:
			piece = "?"
		case r < ' ' || r > '~':
			piece = `\u` + strconv.FormatInt(0x10000+int64(r), 16)[1:]
		}
		if out.Len()+len(piece) > most {
			break
		}
		out.WriteString(piece)
	}
	return out.String()
}
