package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/schema"
	"flyball/schema/wording"
)

func breakersCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "breakers", Short: "List, trip and reset circuit breakers"}
	list := func(use, short, path, empty string) *cobra.Command {
		var f lineFilter
		var live watch
		l := listing[api.BreakerLine]{columns: breakerColumns, empty: empty, watch: &live, window: &f.window,
			query: func(r *request) ([]api.BreakerLine, error) {
				if err := wordFlag("--state", f.state, schema.BreakerStateWords...); err != nil {
					return nil, err
				}
				lines, err := fromControl[[]api.BreakerLine](path)(r)
				return filtered(r, &f, lines, breakerFacts), err
			}}
		cmd := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: l.run(o)}
		f.flags(cmd, schema.BreakerStateWords)
		live.flags(cmd)
		return cmd
	}
	cmd.AddCommand(list("list", "List the breakers that are not closed", "/v1/breakers", "No breaker is open."),
		list("history", "List the changes of breakers, latest first", "/v1/breakers/history",
			"No breaker has changed lately."), tripCommand(o), resetCommand(o),
		gatesCommand(o), grantCommand(o), refuseCommand(o), receiptsCommand(o))
	return cmd
}

var breakerColumns = []report.Column[api.BreakerLine]{
	{Head: "SCOPE", Cell: func(l *api.BreakerLine) any { return scopeCell(l.Scope) }},
	{Head: "STATE", Cell: func(l *api.BreakerLine) any { return breakerState(l) }},
	{Head: "MODE", Cell: func(l *api.BreakerLine) any { return l.Mode }},
	{Head: "ORIGIN??", Cell: func(l *api.BreakerLine) any { return l.Origin }},
	{Head: "GENERATION???", Cell: func(l *api.BreakerLine) any { return l.Generation }},
	{Head: "SINCE", Cell: func(l *api.BreakerLine) any { return report.Stamp(l.Since) }},
	{Head: "EXPIRES", Cell: func(l *api.BreakerLine) any { return report.Stamp(l.Expires) }},
	{Head: "REASON", Cell: func(l *api.BreakerLine) any { return l.Reason }},
	{Head: "WHY THIS SCOPE????", Cell: func(l *api.BreakerLine) any { return report.Dash(wording.Reason(l.Why)) }},
}

// breakerState is the cell of a breaker's state, which stands out unless it is closed.
func breakerState(l *api.BreakerLine) any {
	if l.State == schema.BreakerClosed {
		return l.State
	}
	return report.Alarm(l.State.String())
}

// scopeCell is the cell of a breaker's scope: the kind and the target that reset takes.
func scopeCell(s schema.Scope) any {
	text := s.Kind.String() + " " + s.Value
	if s.Kind == schema.ScopeRun || s.Kind == schema.ScopeCredential {
		return report.ID(text)
	}
	return text
}

// breakerFacts is what filters compare of a breaker.
func breakerFacts(l *api.BreakerLine) lineFacts {
	f := lineFacts{state: l.State.String(), at: l.Since, agents: []string{l.AgentID}, runs: []string{l.RunID.String()}}
	switch l.Scope.Kind {
	case schema.ScopeAgent:
		f.agents = append(f.agents, l.Scope.Value)
	case schema.ScopeRun, schema.ScopeRunRoute:
		f.runs = append(f.runs, l.Scope.Value)
	}
	if l.Holder != nil {
		f.agents = append(f.agents, l.Holder.AgentID)
	}
	return f
}

// scopeArgs reads KIND and TARGET. A target that looks like a secret is refused before
// it is sent anywhere.
func scopeArgs(args []string) (sc schema.Scope, err error) {
	if err := sc.Kind.UnmarshalText([]byte(args[0])); err != nil || sc.Kind == schema.ScopeNone {
		return sc, usage(fmt.Errorf("KIND: %q is none of %s", args[0], strings.Join(schema.ScopeKindWords[1:], ", ")))
	}
	if api.LooksLikeSecret(args[1]) {
		return sc, usage(errors.New("TARGET: this looks like a secret, not like an id: it was not sent anywhere; flyball " +
			"credential-id --stdin makes the id of a secret"))
	}
	sc.Value = args[1]
	return sc, nil
}

// tripReport is what `breakers trip -o json` prints.
type tripReport struct {
	api.TripResult
	Deployment string   `json:"deployment"`
	Enforced   []string `json:"enforced_at"` // points
	NotYet     []string `json:"not_yet_at"`
	Undo       string   `json:"undo"`
}

// tripFlags are those of `breakers trip`.
type tripFlags struct {
	reason, length    string
	untilReset, force bool
}

func tripCommand(o *options) *cobra.Command {
	var f tripFlags
	kinds := strings.Join(schema.ScopeKindWords[1:], ", ")
	cmd := &cobra.Command{Use: "trip KIND TARGET", Short: "Open a breaker by hand, on one of: " + kinds, Args: cobra.ExactArgs(2),
		Long: "Open a breaker by hand.\n\nKIND is one of " + kinds +
			". A run is given by its id, by at least six characters of it, or by its own key;\n" +
			"a version as AGENT@VERSION, a route as 'DELETE /v1/orders/{id}', a run on a route as 'RUN DELETE /v1/orders/{id}'."}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := o.printer(cmd, formTable, formJSON)
		if err != nil {
			return err
		}
		body, err := f.body(args)
		if err != nil {
			return err
		}
		c, err := o.control()
		if err != nil {
			return err
		}
		done, err := tripOrLookUp(cmd.Context(), o, c, body)
		if err != nil {
			return err
		}
		r := tripReport{TripResult: done, Deployment: c.deployment(done.Tenant)}
		r.Undo = o.undoOf("breakers", "reset", done.Scope.Kind.String(), done.Scope.Value)
		held := c.awaitRollout(cmd.Context(), done.Generation, done.Points)
		r.Enforced, r.NotYet = held.applied, held.pending
		return p.print(r, func(w io.Writer) error { return printTrip(w, &r) })
	}
	reasonFlag(cmd, &f.reason)
	cmd.Flags().StringVar(&f.length, "for", "", "close automatically after this duration, such as 15m")
	cmd.Flags().BoolVar(&f.untilReset, "until-reset", false, "stay open until a person resets it")
	cmd.Flags().BoolVar(&f.force, "force", false, "accept a target that is not known; it is not looked up")
	return cmd
}

// body checks the flags and returns the request that they describe.
func (f *tripFlags) body(args []string) (*api.TripRequest, error) {
	sc, err := scopeArgs(args)
	if err != nil {
		return nil, err
	}
	if err := checkReason(f.reason); err != nil {
		return nil, err
	}
	if (f.length == "") == !f.untilReset {
		return nil, usage(errors.New("--for D or --until-reset is needed: it sets how long the breaker stays open"))
	}
	n, err := secondsFlag("--for", f.length)
	if err != nil {
		return nil, err
	}
	return &api.TripRequest{Scope: sc, TTL: n, UntilReset: f.untilReset, Force: f.force, Reason: f.reason, By: currentUser()}, nil
}

func printTrip(w io.Writer, r *tripReport) error {
	name := r.Scope.Value
	if r.RunKey != "" && r.RunKey != name {
		name += " (key " + r.RunKey + ")"
	}
	until := "until somebody resets it"
	if r.Expires != "" {
		until = "until " + r.Expires
	}
	report.Printf(w, "open: %s %s, in %s\n", r.Scope.Kind, name, r.Deployment)
	printMet(w, r.Met)
	report.Printf(w, "holds %s, %s\n", until, rollout{r.Enforced, r.NotYet})
	if r.Scope.Kind == schema.ScopeRun || r.Scope.Kind == schema.ScopeRunRoute {
		report.Printf(w, "besides: %s\n", heldBesides(r.Holder))
	}
	return report.Printf(w, "undo: %s\n", r.Undo)
}

// heldBesides names the other scope that a breaker on a run also holds.
func heldBesides(h *schema.Holder) string {
	if h == nil || h.AgentID == "" && h.CredentialID == "" {
		return "nobody: who acts in the run is not known"
	}
	var who []string
	if h.CredentialID != "" {
		who = append(who, "of the credential "+h.CredentialID)
	}
	if h.AgentID != "" && h.AgentTrust >= schema.TrustInfrastructure {
		who = append(who, "of the agent "+h.AgentID)
	}
	if len(who) == 0 {
		return fmt.Sprintf("nobody: %s is only claimed, and there is no credential", h.AgentID)
	}
	return "later runs " + strings.Join(who, ", and ")
}

func resetCommand(o *options) *cobra.Command {
	var reason string
	var ifMatch int64
	cmd := &cobra.Command{Use: "reset KIND TARGET", Args: cobra.ExactArgs(2),
		Short: "Close a breaker; a run is given by its id, by at least six characters of it, or by its own key"}
	cmd.RunE = order(o, &reason, func(ctx context.Context, c *controlClient, args []string) (changed, error) {
		sc, err := scopeArgs(args)
		if err != nil {
			return changed{}, err
		}
		if sc, err = c.openScope(ctx, sc); err != nil {
			return changed{}, err
		}
		body := api.ResetRequest{Scope: sc, IfMatch: ifMatch, Reason: reason, By: currentUser()}
		done, err := post[api.ResetResult](ctx, c, "/v1/breakers/reset", body)
		if err != nil {
			if stored, found := runByKey(ctx, o, sc); found {
				body.Scope = stored
				done, err = post[api.ResetResult](ctx, c, "/v1/breakers/reset", body)
			}
		}
		if done.Scope.Kind != schema.ScopeNone { // of an older version it is not there
			sc = done.Scope
		}
		return changed{result: done.ChangeResult, what: fmt.Sprintf("closed: %s %s", sc.Kind, sc.Value), forever: "until a trip opens it",
			undo: o.undoOf("breakers", "trip", sc.Kind.String(), sc.Value, "--until-reset")}, err
	})
	reasonFlag(cmd, &reason)
	cmd.Flags().Int64Var(&ifMatch, "if-match", 0, "reset only if the breaker has this generation")
	return cmd
}

// openScope returns the scope of the breaker that a person names: a prefix of at least six characters
// of a run, credential or other target is completed from the breakers that are not closed. A name
// that fits none is returned unchanged: the point resolves it.
func (c *controlClient) openScope(ctx context.Context, sc schema.Scope) (schema.Scope, error) {
	list, err := get[[]api.BreakerLine](ctx, c, "/v1/breakers")
	if err != nil {
		return sc, err
	}
	list = slices.DeleteFunc(list, func(l api.BreakerLine) bool { return l.Scope.Kind != sc.Kind })
	l, err := breakerNames.find(sc.Value, list)
	switch {
	case err == nil:
		return l.Scope, nil
	case isUsage(err):
		return sc, err
	}
	return sc, nil
}

// runByKey returns a scope with the id of the one run that a key or the beginning of an id names in the database: a point that has met
// no call of the run does not know its key.
func runByKey(ctx context.Context, o *options, sc schema.Scope) (schema.Scope, bool) {
	if _, err := schema.ParseRunID(sc.Value); err == nil || sc.Kind != schema.ScopeRun {
		return sc, false
	}
	named := api.TripRequest{Scope: sc}
	found, err := lookUpTarget(ctx, o, &named)
	return named.Scope, found && err == nil
}

// breakerNames is how breakers of one kind of scope are named.
var breakerNames = names[api.BreakerLine]{what: "breaker", list: "flyball breakers list",
	id:   func(l *api.BreakerLine) string { return l.Scope.Value },
	show: func(l *api.BreakerLine) string { return fmt.Sprintf("%s since %s: %s", l.State, l.Since, l.Reason) }}

// isNotFound reports whether the control API does not know the target.
func isNotFound(err error) (*apiError, bool) {
	var e *apiError
	return e, errors.As(err, &e) && e.code == http.StatusNotFound
}
