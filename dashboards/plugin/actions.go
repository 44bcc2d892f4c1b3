package plugin

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"flyball/schema"
	"flyball/schema/wording"
)

// Bounds of the durations that a panel may ask for. The command line allows longer ones.
const (
	minFor              = time.Minute
	maxTripFor          = 7 * 24 * time.Hour
	maxExceptionFor     = 7 * 24 * time.Hour
	defaultExceptionFor = time.Hour
)

// maxReason is the maximum length of a reason in characters, as in the control API.
const maxReason = 1000

// maxName is the maximum length of a name or id in bytes.
const maxName = 1000

// actions are what panels can do.
func actions() map[string]resource {
	return map[string]resource{
		"breakers/trip":    {http.MethodPost, accessRespond, action((*exchange).trip)},
		"breakers/reset":   {http.MethodPost, accessRespond, action((*exchange).reset)},
		"gates/grant":      {http.MethodPost, accessRespond, action((*exchange).grant)},
		"gates/refuse":     {http.MethodPost, accessRespond, action((*exchange).refuseGate)},
		"findings/verdict": {http.MethodPost, accessRespond, action((*exchange).judge)},
		"exceptions/add":   {http.MethodPost, accessBypass, action((*exchange).addException)},
		"bypass/end":       {http.MethodPost, accessBypass, action((*exchange).endBypass)},
	}
}

// action returns the function that serves a change with a body of type T.
func action[T any](serve func(*exchange, *T) (*done, error)) func(*exchange) (any, error) {
	return func(x *exchange) (any, error) {
		in, err := readBody[T](x)
		if err != nil {
			return nil, err
		}
		return serve(x, in)
	}
}

// done is the answer to an action.
type done struct {
	// Message says in one sentence what is changed, until when, and how to undo it.
	Message string   `json:"message"`
	Scope   string   `json:"scope"`           // what the change is about, as "agent billing/bot"
	Until   string   `json:"until,omitempty"` // RFC 3339; absent: until somebody changes it
	Undo    string   `json:"undo"`
	Besides string   `json:"besides,omitempty"` // who else is held
	ID      string   `json:"id,omitempty"`      // of what was added
	Tenant  string   `json:"tenant"`
	By      string   `json:"by"`            // person for whom the change was made
	Met     []string `json:"met,omitempty"` // what the change found, as sentences
	// Pending are the points that have not applied the change yet.
	Pending []string `json:"pending,omitempty"`
}

// changed is the part that all answers of the control API to changes have.
type changed struct {
	Outcome    string        `json:"outcome"`
	Generation uint64        `json:"generation"`
	Ref        string        `json:"ref"`
	Tenant     string        `json:"tenant"`
	Met        []string      `json:"met"`
	Until      string        `json:"until"`
	Scope      schema.Scope  `json:"scope"`
	Expires    string        `json:"expires"`
	Holder     schema.Holder `json:"holder"`
	Notes      []string      `json:"notes"`
	Points     []struct {
		Point      string `json:"point"`
		Generation uint64 `json:"generation"`
	} `json:"points"`
}

// change sends a change to the control API.
func (x *exchange) change(path string, body any) (*changed, error) {
	var out changed
	return &out, x.control.request(x.ctx, &x.who, http.MethodPost, path, body, &out)
}

// report returns the answer to an applied change. what is the change in the past tense, forever how long it holds if it does not
// end by itself.
func (x *exchange) report(c *changed, scope, what, forever, undo string) *done {
	d := &done{Scope: schema.Visible(scope), Until: c.Until, Undo: schema.Visible(undo), Tenant: c.Tenant, By: x.who.login, ID: c.Ref,
		Met: append(c.Met, c.Notes...)}
	for i := range d.Met {
		d.Met[i] = schema.Visible(d.Met[i])
	}
	for _, p := range c.Points {
		if p.Generation < c.Generation {
			d.Pending = append(d.Pending, p.Point)
		}
	}
	until := forever
	if c.Until != "" {
		until = "until " + c.Until
	}
	d.Message = fmt.Sprintf("%s %s in tenant %s, %s. Undo: %s", d.Scope, what, c.Tenant, until, d.Undo)
	return d
}

// checkReason returns a refusal unless there is a reason, as the audit trail wants it. A reason that is a variable and nothing else is what
// Grafana sends if nothing was typed.
func checkReason(reason string) error {
	if text := strings.TrimSpace(reason); text == "" || isVariable(text) {
		return refused(http.StatusBadRequest, "reason", "reason: empty; say why, it stands in the audit trail")
	}
	if !utf8.ValidString(reason) || utf8.RuneCountInString(reason) > maxReason {
		return refused(http.StatusBadRequest, "reason", "reason: %d characters, at most %d", utf8.RuneCountInString(reason), maxReason)
	}
	return nil
}

// checkName returns a refusal unless a member holds a name. A text that is a variable and nothing else is one that the panel did not
// fill in.
func checkName(member, value string) error {
	switch {
	case strings.TrimSpace(value) == "":
		return refused(http.StatusBadRequest, "body", "%s: empty", member)
	case isVariable(value):
		return refused(http.StatusBadRequest, "body", "%s: %q is a variable: the panel has not filled it in; if it is a name, use the command "+
			"line", member, shorten(value))
	case !utf8.ValidString(value) || len(value) > maxName:
		return refused(http.StatusBadRequest, "body", "%s: %d bytes; UTF-8 of at most %d is needed", member, len(value), maxName)
	}
	return nil
}

func shorten(text string) string { return strings.ToValidUTF8(text[:min(len(text), 60)], "") }

// readFor reads a duration of whole seconds between a minute and a maximum: Go's form, or days or weeks as 2d or 1w.
func readFor(text string, highest time.Duration) (time.Duration, error) {
	d, err := parseDuration(strings.TrimSpace(text))
	if err != nil || d < minFor || d > highest || d%time.Second != 0 {
		return 0, refused(http.StatusBadRequest, "for", "for: %q is no duration from 1m to %dd, such as 15m, 2h or 1d", shorten(text),
			highest/(24*time.Hour))
	}
	return d, nil
}

func parseDuration(text string) (time.Duration, error) {
	for suffix, unit := range map[string]time.Duration{"d": 24 * time.Hour, "w": 7 * 24 * time.Hour} {
		if n, ok := strings.CutSuffix(text, suffix); ok {
			days, err := strconv.ParseUint(n, 10, 16)
			return time.Duration(days) * unit, err
		}
	}
	return time.ParseDuration(text)
}

type gateRequest struct{ Gate, Reason string }

func (r *gateRequest) check() error {
	if err := checkName("gate", r.Gate); err != nil {
		return err
	}
	return checkReason(r.Reason)
}

// grant approves a call once.
func (x *exchange) grant(in *gateRequest) (*done, error) {
	return x.decide(in, "grant", "granted once", "for one call", "none: the grant ends with one call or its time; trip the run before that")
}

// refuseGate refuses a call that waits for approval.
func (x *exchange) refuseGate(in *gateRequest) (*done, error) {
	return x.decide(in, "refuse", "refused", "for good",
		"none: when the time is over, the agent can ask again, and that question can be granted")
}

func (x *exchange) decide(in *gateRequest, verb, what, forever, undo string) (*done, error) {
	if err := in.check(); err != nil {
		return nil, err
	}
	c, err := x.change("/v1/grants/"+url.PathEscape(in.Gate)+"/"+verb, map[string]string{"reason": in.Reason})
	if err != nil {
		return nil, err
	}
	scope := "gate " + in.Gate
	if len(c.Met) > 0 { // who wants to call what
		scope += " (" + c.Met[0] + ")"
	}
	return x.report(c, scope, what, forever, undo), nil
}

type verdictRequest struct {
	Finding, Verdict, Reason string
	// Replace puts the verdict in the place of another one.
	Replace flag
}

// judge records a verdict on a finding.
func (x *exchange) judge(in *verdictRequest) (*done, error) {
	if err := checkName("finding", in.Finding); err != nil {
		return nil, err
	}
	if err := checkReason(in.Reason); err != nil {
		return nil, err
	}
	switch in.Verdict {
	case "true", "benign", "test":
	default:
		return nil, refused(http.StatusBadRequest, "body", "verdict: %q is none of true, benign, test", shorten(in.Verdict))
	}
	body := map[string]any{"is": in.Verdict, "why": in.Reason}
	if in.Replace {
		body["replace"] = true
	}
	c, err := x.change("/v1/findings/"+url.PathEscape(in.Finding)+"/verdict", body)
	if err != nil {
		return nil, err
	}
	return x.report(c, "finding "+in.Finding, "is judged "+in.Verdict, "until another verdict replaces it",
		"give another verdict with replace"), nil
}

type exceptionRequest struct{ Agent, Family, For, Reason string }

// addException adds an exception for a family of findings about an agent, by default for an hour.
func (x *exchange) addException(in *exceptionRequest) (*done, error) {
	for member, value := range map[string]string{"agent": in.Agent, "family": in.Family} {
		if err := checkName(member, value); err != nil {
			return nil, err
		}
	}
	if err := checkReason(in.Reason); err != nil {
		return nil, err
	}
	length := defaultExceptionFor
	if in.For != "" {
		var err error
		if length, err = readFor(in.For, maxExceptionFor); err != nil {
			return nil, err
		}
	}
	c, err := x.change("/v1/exceptions", map[string]any{"agent": in.Agent, "family": in.Family, "for_seconds": int64(length / time.Second),
		"reason": in.Reason})
	if err != nil {
		return nil, err
	}
	return x.report(c, "findings "+in.Family+" of agent "+in.Agent, "are taken as meant", "until it is removed",
		"flyball exceptions remove "+c.Ref), nil
}

type bypassEndRequest struct {
	Reason string
	Agent  string // empty: the bypass of the tenant
}

// endBypass ends a bypass before its time.
func (x *exchange) endBypass(in *bypassEndRequest) (*done, error) {
	if err := checkReason(in.Reason); err != nil {
		return nil, err
	}
	body, scope := map[string]string{"reason": in.Reason}, "the bypass of the tenant"
	undo := "flyball bypass --for D --reason WHY"
	if in.Agent != "" {
		if err := checkName("agent", in.Agent); err != nil {
			return nil, err
		}
		body["agent"], scope = in.Agent, "the bypass of agent "+in.Agent
		undo = "flyball bypass --agent " + wording.ShellWord(in.Agent) + " --for D --reason WHY"
	}
	c, err := x.change("/v1/bypass/end", body)
	if err != nil {
		return nil, err
	}
	return x.report(c, scope, "has ended", "until another bypass", undo), nil
}
