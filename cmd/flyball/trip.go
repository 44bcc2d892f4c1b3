package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// scopeOf reads KIND and TARGET. A target that is a secret goes no further.
func scopeOf(args []string) (sc schema.Scope, err error) {
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

var errNoReason = errors.New("--reason: empty; say why, it goes into the audit trail")

// trippedReport is what `breakers trip -o json` prints.
type trippedReport struct {
	api.TripResult
	Deployment string   `json:"deployment"`
	Enforced   []string `json:"enforced_at"` // points
	NotYet     []string `json:"not_yet_at"`
	Undo       string   `json:"undo"`
}

func tripCommand(o *options) *cobra.Command {
	var reason, length string
	var untilReset, force bool
	cmd := &cobra.Command{Use: "trip KIND TARGET", Short: "Open a breaker by hand, on a " + strings.Join(schema.ScopeKindWords[1:], ", "),
		Long: "Open a breaker by hand.\n\nKIND is one of " + strings.Join(schema.ScopeKindWords[1:],
			", ") + ". A run is given by its id, by at least six characters of it, or by its own key;\n" +
			"a version as AGENT@VERSION, a route as 'DELETE /v1/orders/{id}', a run on a route as 'RUN DELETE /v1/orders/{id}'.",
		Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command, args []string) error {
			format, err := o.outputIs("table", "json")
			if err != nil {
				return err
			}
			sc, err := scopeOf(args)
			if err != nil {
				return err
			}
			switch {
			case strings.TrimSpace(reason) == "":
				return usage(errNoReason)
			case (length == "") == !untilReset:
				return usage(errors.New("--for D or --until-reset: say until when it holds"))
			}
			n, err := seconds("--for", length)
			if err != nil {
				return err
			}
			ask := api.TripRequest{Scope: sc, TTL: n, UntilReset: untilReset, Force: force, Reason: reason, By: whoami()}
			done, err := post[api.TripResult](o, "/v1/breakers/trip", ask)
			var no *apiError
			if errors.As(err, &no) && no.code == http.StatusNotFound && !force {
				stored, lookup := o.stored(cmd.Context(), &ask)
				switch {
				case lookup != nil:
					return fmt.Errorf("%s\n%w", no.detail, lookup)
				case stored:
					done, err = post[api.TripResult](o, "/v1/breakers/trip", ask)
				}
			}
			if err != nil {
				return err
			}
			r := trippedReport{TripResult: done, Deployment: o.deployment(done.Tenant)}
			r.Undo = fmt.Sprintf("%s breakers reset %s %s --reason '…'", o.again(), done.Scope.Kind, shellWord(done.Scope.Value))
			r.Enforced, r.NotYet = o.spread(done.Generation, done.Points)
			if format == "json" {
				return report.JSON(cmd.OutOrStdout(), r)
			}
			return printTripped(cmd.OutOrStdout(), &r)
		}}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it goes into the audit trail")
	cmd.Flags().StringVar(&length, "for", "", "close by itself after this long, as 15m")
	cmd.Flags().BoolVar(&untilReset, "until-reset", false, "stay open until somebody resets it")
	cmd.Flags().BoolVar(&force, "force", false, "take a target that is not known; nothing is looked up")
	return cmd
}

func printTripped(w io.Writer, r *trippedReport) error {
	name := r.Scope.Value
	if r.RunKey != "" && r.RunKey != name {
		name += " (key " + r.RunKey + ")"
	}
	until := "until somebody resets it"
	if r.Expires != "" {
		until = "until " + r.Expires
	}
	fmt.Fprintf(w, "open: %s %s, in %s\n", r.Scope.Kind, name, r.Deployment)
	fmt.Fprintf(w, "holds %s, %s\n", until, where(r.Enforced, r.NotYet))
	if r.Scope.Kind == schema.ScopeRun || r.Scope.Kind == schema.ScopeRunRoute {
		fmt.Fprintf(w, "besides: %s\n", heldBesides(r.Holder))
	}
	_, err := fmt.Fprintf(w, "undo: %s\n", r.Undo)
	return err
}

// heldBesides says who else a breaker on a run holds.
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

// lookupWithin is how long a trip waits for the database.
const lookupWithin = 5 * time.Second

// stored looks a target that the point has not met up in the database, and completes
// what is asked with what stands there. It is an error when a person must choose.
func (o *options) stored(ctx context.Context, ask *api.TripRequest) (bool, error) {
	_, db, err := o.database()
	if err != nil {
		return false, nil
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(ctx, lookupWithin)
	defer cancel()
	kind, value := ask.Scope.Kind, ask.Scope.Value
	switch kind {
	case schema.ScopeRun, schema.ScopeRunRoute:
		term, route, _ := strings.Cut(value, " ")
		run, err := query.ResolveRun(ctx, db, term)
		var many *query.Ambiguous
		if errors.As(err, &many) {
			var list strings.Builder
			for i := range many.Candidates[:min(len(many.Candidates), 10)] {
				r := &many.Candidates[i]
				fmt.Fprintf(&list, "\n  %s  %s  last call %s", r.RunID, r.AgentID, r.LastAt.UTC().Format(time.RFC3339))
			}
			return false, fmt.Errorf("the database has %d runs of that key:%s", len(many.Candidates), list.String())
		}
		if err != nil {
			return false, nil
		}
		ask.Scope.Value, ask.Force, ask.Agent, ask.Credential = strings.TrimSpace(run.RunID+" "+route), true, run.AgentID, run.CredentialID
		_ = ask.AgentTrust.UnmarshalText([]byte(run.AgentTrust)) // what is unknown counts as none
		return true, nil
	case schema.ScopeAgent, schema.ScopeVersion, schema.ScopeCredential, schema.ScopePrincipal:
		field := kind.String() + "_id"
		if at := strings.LastIndexByte(value, '@'); kind == schema.ScopeVersion && at > 0 {
			field, value = "agent_id", value[:at]
		}
		known, err := query.IsStoredName(ctx, db, field, value)
		ask.Force = err == nil && known
		return ask.Force, nil
	}
	return false, nil
}

func resetCommand(o *options) *cobra.Command {
	var reason string
	var ifMatch int64
	cmd := &cobra.Command{Use: "reset KIND TARGET", Short: "Close a breaker", Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command,
		args []string) error {
		format, err := o.outputIs("table", "json")
		if err != nil {
			return err
		}
		sc, err := scopeOf(args)
		if err != nil {
			return err
		}
		if strings.TrimSpace(reason) == "" {
			return usage(errNoReason)
		}
		done, err := post[api.ChangeResult](o, "/v1/breakers/reset", api.ResetRequest{Scope: sc, IfMatch: ifMatch, Reason: reason, By: whoami()})
		if err != nil {
			return err
		}
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), done)
		}
		points, err := get[[]schema.PointState](o, "/v1/points")
		if err != nil {
			return err
		}
		var applied []api.Applied
		for _, p := range points {
			applied = append(applied, api.Applied{Point: p.Point, Generation: uint64(p.Applied) + 1})
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "closed: %s %s, %s\n", sc.Kind, sc.Value, where(o.spread(done.Generation, applied)))
		return err
	}}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it goes into the audit trail")
	cmd.Flags().Int64Var(&ifMatch, "if-match", 0, "only this generation")
	return cmd
}
