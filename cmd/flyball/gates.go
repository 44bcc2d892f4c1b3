package main

import (
	"context"
	"net/url"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
)

func gatesCommand(o *options) *cobra.Command {
	l := listing[api.GateLine]{query: fromControl[[]api.GateLine]("/v1/grants"), columns: []report.Column[api.GateLine]{
		{Head: "GATE", Cell: func(g *api.GateLine) any { return g.ID }},
		{Head: "STATE", Cell: func(g *api.GateLine) any { return g.State }},
		{Head: "ASKED (UTC)", Cell: func(g *api.GateLine) any { return report.Second(g.Asked) }},
		{Head: "AGENT", Cell: func(g *api.GateLine) any { return report.Dash(g.AgentID) }},
		{Head: "CALL", Cell: func(g *api.GateLine) any { return g.Route }},
		{Head: "RESOURCE", Cell: func(g *api.GateLine) any { return report.Dash(g.Resource) }},
		{Head: "AMOUNT", Cell: gateAmount},
		{Head: "WHY", Cell: func(g *api.GateLine) any { return g.Why }},
		{Head: "BY", Cell: func(g *api.GateLine) any { return report.Dash(g.By) }},
	}}
	return &cobra.Command{Use: "gates", Short: "List the calls that wait for approval, and the approvals and refusals, latest first",
		Args: cobra.NoArgs, RunE: l.run(o)}
}

func gateAmount(g *api.GateLine) any {
	if g.Amount == "" {
		return "-"
	}
	return g.Amount + " " + g.Currency
}

func grantCommand(o *options) *cobra.Command {
	var body api.GrantRequest
	var length string
	cmd := gateAnswerCommand(o, "grant",
		"Approve a call that waits: by default once, within 15 minutes, for the resource of the request", "granted",
		&body.Reason, func() (any, error) {
			var err error
			body.Seconds, err = secondsFlag("--for", length)
			body.By = currentUser()
			return body, err
		})
	cmd.Flags().StringVar(&length, "for", "", "how long the grant can be used (default 15m, at most 24h)")
	cmd.Flags().IntVar(&body.Uses, "uses", 0, "how often the grant can be used (default once)")
	cmd.Flags().StringVar(&body.Resource, "resource", "",
		"resource: a name or a pattern such as order:* (default: the resource of the request)")
	return cmd
}

func refuseCommand(o *options) *cobra.Command {
	var body api.RefuseRequest
	return gateAnswerCommand(o, "refuse", "Refuse a call that waits", "refused", &body.Reason, func() (any, error) {
		body.By = currentUser()
		return body, nil
	})
}

// gateAnswerCommand answers a call that waits, with the body that its flags make.
func gateAnswerCommand(o *options, use, short, done string, reason *string, body func() (any, error)) *cobra.Command {
	cmd := &cobra.Command{Use: use + " GATE", Short: short, Args: cobra.ExactArgs(1)}
	cmd.RunE = order(o, reason, func(ctx context.Context, c *controlClient, args []string) (string, error) {
		b, err := body()
		if err != nil {
			return "", err
		}
		return args[0] + " " + done, c.change(ctx, "/v1/grants/"+url.PathEscape(args[0])+"/"+use, b)
	})
	reasonFlag(cmd, reason)
	return cmd
}
