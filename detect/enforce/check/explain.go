package check

import (
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/ledger"
	"flyball/schema"
)

// explanation is the text that shows the caller why a call was not made.
type explanation struct {
	title, detail string
	scope         string // of the breaker that decided; empty: no breaker
	expires       string // RFC 3339; empty: it does not expire by itself
	reason        string // the text of the breaker's reason, or a sentence for the named reason
	retryAfter    int    // seconds; 0: a repeated call is also denied
}

const (
	// maxHeaderText bounds a header that holds free text, in bytes.
	maxHeaderText = 200
	// maxRetryAfter is the longest wait in Retry-After.
	maxRetryAfter = time.Hour
)

const advice = "Do not repeat the call or make it in another way; tell the person you work for."

// explain describes what is held and whether the caller's run led to it. It depends only on the
// answer.
func (a *answer) explain() explanation {
	if a.status == http.StatusServiceUnavailable {
		return explanation{}
	}
	if b := a.decider(); b != nil {
		return a.explainBreaker(b)
	}
	x := explanation{retryAfter: a.retryAfter(), reason: reasonSentence(a.why)}
	switch {
	case a.action == schema.ActionGate:
		x.title, x.detail = stepUp(a, x.reason)
	case rewritable[a.why]:
		x.title, x.detail = "This call can be read in several ways", x.reason
	default:
		x.title, x.detail = "The API owner does not allow this call", x.reason+" "+advice
	}
	return x
}

// explainBreaker is explain for an answer that a breaker decided.
func (a *answer) explainBreaker(b *schema.Breaker) explanation {
	x := explanation{retryAfter: a.retryAfter(), scope: b.Scope.String(), reason: b.Reason}
	until := "until a person ends that"
	if b.Expires > 0 {
		x.expires = time.Unix(0, b.Expires).UTC().Format(time.RFC3339)
		until = "until " + x.expires
	}
	what, innocent := a.held()
	if innocent && b.Origin == "detector" && sharedKinds[b.Scope.Kind] {
		x.reason = "" // a finding about one caller is not shown to others that share the scope
	}
	x.title, x.detail = a.describeHold(b, what, until)
	if x.reason != "" {
		x.detail += " Reason: " + strings.TrimRight(x.reason, ".") + "."
	}
	switch {
	case innocent && a.run == "":
		x.detail += " The request names no run, so nothing here says whether it belongs to the one that led to this."
	case innocent:
		x.detail += " This run is held because it belongs to that; nothing here says that this run did anything wrong."
	}
	return x
}

// describeHold describes the effect of a breaker on its scope, and its end.
func (a *answer) describeHold(b *schema.Breaker, what, until string) (title, detail string) {
	switch {
	case a.action == schema.ActionGate:
		return stepUp(a, fmt.Sprintf("For %s the API owner requires a person's approval of calls that cannot be undone, %s.", what, until))
	case a.action == schema.ActionThrottle:
		return "The API owner lets only a few of your calls pass",
			fmt.Sprintf("The API owner has slowed down %s, %s. This call was not made; it may be sent again in %d s. "+
				"Do not make it in another way; tell the person you work for.", what, until, a.retryAfter())
	case b.State == schema.BreakerHalfOpen:
		return "Held by the API owner's circuit breaker",
			fmt.Sprintf("The API owner has stopped %s and now tests whether it can go on: a read passes from time to time, nothing else does. %s",
				what, advice)
	}
	return "Stopped by the API owner's circuit breaker", fmt.Sprintf("The API owner has stopped %s, %s. %s", what, until, advice)
}

// sharedKinds are the kinds of scope that several unrelated callers share.
var sharedKinds = map[schema.ScopeKind]bool{schema.ScopePrincipal: true, schema.ScopeAddress: true, schema.ScopeRoute: true,
	schema.ScopeTenant: true}

func stepUp(a *answer, why string) (title, detail string) {
	detail = why + " This call is held. Do not repeat it or reach the same end in another way; tell the person you work for."
	if a.gate != "" {
		detail += " The question is " + a.gate + "."
	}
	return "The API owner requires a person's approval of this call", detail
}

// decider returns the breaker that decided; nil if something else decided, such as a stricter
// manifest or a person's refusal.
func (a *answer) decider() *schema.Breaker {
	if a.weighed.By != "breaker" || a.why == whyRefused || a.why == whyTimedOut {
		return nil
	}
	return a.breaker
}

// held describes what the breaker stops. innocent: nothing shows that the caller's run led to it.
func (a *answer) held() (what string, innocent bool) {
	b := a.breaker
	led := a.run != "" && !b.RunID.IsZero() && b.RunID.String() == a.run
	switch b.Scope.Kind {
	case schema.ScopeRun:
		if b.Scope.Value == a.run {
			return "this run", false
		}
		return "another run of the same caller, and with it the runs that the caller began later", true
	case schema.ScopeRunRoute:
		if run, _, _ := strings.Cut(b.Scope.Value, " "); run == a.run {
			return "this run on this route", false
		}
		return "another run of the same caller, and with it the runs that the caller began later", true
	case schema.ScopeCredential:
		what = "everything that uses this credential"
	case schema.ScopeAgent:
		what = "this agent"
	case schema.ScopeVersion:
		what = "this version of the agent"
	case schema.ScopePrincipal:
		what = "everything on behalf of this principal"
	case schema.ScopeAddress:
		what = "calls from this address"
	case schema.ScopeRoute:
		what = "this route, for all callers"
	case schema.ScopeTenant:
		what = "all calls"
	default:
		what = "this call"
	}
	return what, !led
}

// retryAfter returns after how many seconds the same call can pass. It is 0 if only a person can
// end the hold, or if the end is later than maxRetryAfter.
func (a *answer) retryAfter() int {
	b := a.decider()
	switch a.why {
	case breaker.WhyProbeNotDue, whyProbeLost, whyNoAnswer, whyQuotaLate, whyQuotaCrowd, ledger.WhyShareExceeded:
		return 1
	}
	switch {
	case b == nil || a.action == schema.ActionGate || b.State == schema.BreakerForcedOpen:
		return 0
	case a.action == schema.ActionThrottle:
		if a.perSec <= 0 {
			return 1
		}
		return max(1, int(math.Ceil(1/a.perSec)))
	case b.State != schema.BreakerOpen || b.Expires <= a.clock || b.Expires-a.clock > int64(maxRetryAfter):
		return 0
	}
	return int((b.Expires - a.clock + 1e9 - 1) / 1e9)
}

// sentences maps a named reason, or the part of it before the colon, to a sentence for the caller.
var sentences = map[string]string{
	whyRefused:              "A person has refused this call.",
	whyTimedOut:             "No person approved this call in time, which counts as a refusal.",
	whyNoAnswer:             "The record that would let this call pass was not confirmed in time.",
	whyGatePending:          "This call waits for a person's approval.",
	whyGateFull:             "Too many calls wait for a person's approval.",
	ledger.WhyShareExceeded: "Too many callers without an established identity call at this time.",
	whyBodyCut:              "The gateway sends only a part of the body, so that it is unknown whether a person has approved this call.",
	whyMisconfigured:        "The headers of the gateway's dialect that name the original request are missing or there more than once.",
	whyContradicts: "Headers name another method or path than the request itself: a client must not send X-Original-* or " +
		"X-Forwarded-Method or X-Forwarded-Uri.",
	whyInternal:            "The check itself failed; this is not a finding about the call.",
	whyMalformed:           "It is not valid HTTP, for instance because of a control character in a header.",
	"too_many_credentials": "The request has more credentials than are looked up: send one.",
	"policy.quota":         "The quota of such calls is used up.",
	"policy.hours":         "Such calls are not allowed at this time.",
	"policy.scope":         "The call is outside of what the agent's manifest allows.",
	"policy.task":          "The call is outside of the task that was declared for this run.",
	"policy.autonomy":      "The call is more than the agent may do on its own.",
	"policy.failure":       "The API owner cannot check this call at present, and a call that cannot be undone does not pass meanwhile.",
	"scope.learned":        "The call is outside of what this agent has been seen to do.",
}

// rewritable are the named reasons of requests that may pass if the caller writes them in another way.
var rewritable = map[string]bool{whyAmbiguousPath: true, whyAmbiguousCall: true, whyUnreadable: true}

// reasonSentence returns a sentence for a named reason.
func reasonSentence(why string) string {
	if rewritable[why] {
		return "Send it without dot segments, backslashes and encoded separators, and without another method in a header or parameter."
	}
	if s := sentences[why]; s != "" {
		return s
	}
	family, _, _ := strings.Cut(why, ":")
	if s := sentences[family]; s != "" {
		return s
	}
	return "The API owner's rules do not allow this call."
}

// headers returns the explanation as headers, for gateways that cannot read the body and build one
// from the headers.
func (x explanation) headers() [][2]string {
	var out [][2]string
	add := func(name, value string) {
		if value != "" {
			out = append(out, [2]string{name, value})
		}
	}
	add("X-Flyball-Scope", headerText(x.scope))
	add("X-Flyball-Expires", x.expires)
	add("X-Flyball-Reason", headerText(x.reason))
	if x.retryAfter > 0 {
		add("Retry-After", strconv.Itoa(x.retryAfter))
	}
	return out
}

// headerText returns at most maxHeaderText bytes of printable ASCII that a gateway can put
// unchanged between the quotes of a JSON string. Quotes, backslashes and other characters are
// written as \uXXXX.
func headerText(s string) string {
	var b strings.Builder
	for _, r := range s {
		piece := string(r)
		if r < 0x20 || r > 0x7e || r == '"' || r == '\\' {
			if r1, r2 := utf16.EncodeRune(r); r1 != 0xfffd {
				piece = fmt.Sprintf(`\u%04x\u%04x`, r1, r2)
			} else {
				piece = fmt.Sprintf(`\u%04x`, r)
			}
		}
		if b.Len()+len(piece) > maxHeaderText {
			break
		}
		b.WriteString(piece)
	}
	return b.String()
}
