package main

import (
	"cmp"
	"context"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/schema"
	"flyball/schema/wording"
)

func gatesCommand(o *options) *cobra.Command {
	var f lineFilter
	var live watch
	l := listing[api.GateLine]{window: &f.window, watch: &live, query: func(r *request) ([]api.GateLine, error) {
		if err := wordFlag("--state", f.state, schema.GateStateWords...); err != nil {
			return nil, err
		}
		lines, err := fromControl[[]api.GateLine]("/v1/grants")(r)
		return filtered(r, &f, lines, func(g *api.GateLine) lineFacts {
			return lineFacts{state: g.State.String(), at: g.Asked, agents: []string{g.AgentID}, runs: []string{g.RunID.String(), g.RunKey}}
		}), err
	},
		empty: "No call waits for approval, and none was approved or refused lately.",
		columns: []report.Column[api.GateLine]{
			{Head: "GATE", Cell: func(g *api.GateLine) any { return report.ID(g.ID) }},
			{Head: "STATE", Cell: func(g *api.GateLine) any { return report.Dash(g.State.String()) }},
			{Head: "ASKED (UTC)", Cell: func(g *api.GateLine) any { return report.Stamped(g.Asked) }},
			{Head: "AGENT", Cell: func(g *api.GateLine) any { return report.Dash(g.AgentID) }},
			{Head: "HOLDER??", Cell: func(g *api.GateLine) any { return report.Dash(g.Caller()) }},
			{Head: "CALL", Cell: func(g *api.GateLine) any { return g.Call() }},
			{Head: "RESOURCE?", Cell: func(g *api.GateLine) any { return report.Dash(g.About()) }},
			{Head: "AMOUNT??", Cell: func(g *api.GateLine) any { return gateAmount(g) }},
			{Head: "BY???", Cell: func(g *api.GateLine) any { return report.Dash(g.By) }},
			{Head: "WHY", Cell: func(g *api.GateLine) any { return wording.Reason(g.Why) }},
		}}
	cmd := &cobra.Command{Use: "gates", Short: "List the calls that wait for approval, and the approvals and refusals, latest first",
		Args: cobra.NoArgs, RunE: l.run(o)}
	f.flags(cmd, schema.GateStateWords)
	live.flags(cmd)
	return cmd
}

func gateAmount(g *api.GateLine) string {
	return cmp.Or(strings.TrimSpace(g.Amount+" "+g.Currency), "-")
}

// gateNames is how gates are named: by their id, or by the id or key of their run.
var gateNames = names[api.GateLine]{what: "gate", list: "flyball breakers gates", id: func(g *api.GateLine) string { return g.ID },
	other: func(g *api.GateLine) []string { return []string{g.RunKey, g.RunID.String()} },
	show: func(g *api.GateLine) string {
		return strings.Join([]string{g.State.String(), report.Dash(g.AgentID), g.Call(), report.Dash(g.About()),
			gateAmount(g)}, "  ")
	}}

// findGate returns the gate that a term names. Of a run's gates, those that wait have priority.
func findGate(ctx context.Context, c *controlClient, term string) (*api.GateLine, error) {
	list, err := get[[]api.GateLine](ctx, c, "/v1/grants")
	if err != nil {
		return nil, err
	}
	var waiting []api.GateLine
	for i := range list {
		if list[i].State.String() == "pending" {
			waiting = append(waiting, list[i])
		}
	}
	if g, err := gateNames.find(term, waiting); err == nil {
		return g, nil
	}
	return gateNames.find(term, list)
}

func grantCommand(o *options) *cobra.Command {
	var body api.GrantRequest
	var length string
	cmd := gateAnswerCommand(o, "grant",
		"Approve a call that waits: by default once, within 15 minutes, for the resource of the request", &body.Reason, func() (any, error) {
			var err error
			body.Seconds, err = secondsFlag("--for", length)
			body.By = currentUser()
			return body, err
		}, changed{what: "granted", final: "a grant ends with its uses or its time; flyball breakers trip run RUN holds the run before that"})
	cmd.Flags().StringVar(&length, "for", "", "how long the grant can be used (default 15m, at most 24h)")
	cmd.Flags().IntVar(&body.Uses, "uses", 0, "how often the grant can be used (default once)")
	cmd.Flags().StringVar(&body.Resource, "resource", "",
		"resource: a name or a pattern such as order:* (default: the resource of the request)")
	return cmd
}

func refuseCommand(o *options) *cobra.Command {
	var body api.RefuseRequest
	return gateAnswerCommand(o, "refuse", "Refuse a call that waits", &body.Reason, func() (any, error) {
		body.By = currentUser()
		return body, nil
	}, changed{what: "refused", final: "the caller can ask again when the time is over"})
}

// gateAnswerCommand answers a call that waits, with the body that its flags make.
func gateAnswerCommand(o *options, use, short string, reason *string, body func() (any, error), done changed) *cobra.Command {
	cmd := &cobra.Command{Use: use + " GATE", Short: short, Args: cobra.ExactArgs(1)}
	cmd.RunE = order(o, reason, func(ctx context.Context, c *controlClient, args []string) (changed, error) {
		b, err := body()
		if err != nil {
			return done, err
		}
		g, err := findGate(ctx, c, args[0])
		if err != nil {
			return done, err
		}
		done.what = g.ID + " " + done.what + ": " + g.Call()
		done.result, err = post[api.ChangeResult](ctx, c, "/v1/grants/"+url.PathEscape(g.ID)+"/"+use, b)
		return done, err
	})
	reasonFlag(cmd, reason)
	return cmd
}
