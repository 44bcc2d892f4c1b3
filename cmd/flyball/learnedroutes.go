package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce"
	"flyball/detect/enforce/api"
	"flyball/schema/clickhouse/query"
	"flyball/schema/route"
)

// learnedRoute is a line of `flyball routes learned`.
type learnedRoute struct {
	api.RouteLine
	// Examples are paths that were called within the period of the command.
	Examples []string `json:"examples"`
}

var learnedRouteColumns = []report.Column[learnedRoute]{
	{Head: "ROUTE", Cell: func(l *learnedRoute) any { return l.Route }},
	{Head: "STATE", Cell: func(l *learnedRoute) any { return l.State }},
	{Head: "SINCE (UTC)", Cell: func(l *learnedRoute) any { return report.Stamped(l.Since) }},
	{Head: "DIFFERENT WORDS??", Cell: func(l *learnedRoute) any { return report.Dash(wordsText(l.Words)) }},
	{Head: "CALLS THEN???", Cell: func(l *learnedRoute) any {
		if l.Calls == 0 {
			return "-"
		}
		return l.Calls
	}},
	{Head: "BY?", Cell: func(l *learnedRoute) any { return report.Dash(l.By) }},
	{Head: "WHY", Cell: func(l *learnedRoute) any { return report.Dash(l.Reason) }},
	{Head: "EXAMPLES???", Cell: func(l *learnedRoute) any { return report.Dash(strings.Join(l.Examples, " ")) }},
}

// wordsText is the number of different words at each parameter: "over 100, over 100".
func wordsText(words []int) string {
	out := make([]string, len(words))
	for i, n := range words {
		out[i] = fmt.Sprint(n)
		if n >= route.MaxWords {
			out[i] = fmt.Sprintf("over %d", route.MaxWords-1)
		}
	}
	return strings.Join(out, ", ")
}

func learnedRoutesCommand(o *options) *cobra.Command {
	var w window
	l := listing[learnedRoute]{window: &w, columns: learnedRouteColumns, query: readLearnedRoutes,
		empty: "No route was learned, and no command is in force about one. Where more than 100 different words stand at one place of a path " +
			"in a day, in calls that did not fail, the place becomes a parameter."}
	cmd := &cobra.Command{Use: "learned", Args: cobra.NoArgs, RunE: l.run(o),
		Short: "List the routes that were learned, by which evidence and since when, and those that commands pinned or undid"}
	w.flags(cmd, defaultPeriod)
	return cmd
}

func readLearnedRoutes(r *request) ([]learnedRoute, error) {
	lines, err := fromControl[[]api.RouteLine]("/v1/routes")(r)
	if err != nil {
		return nil, err
	}
	var examples map[string][]string
	if len(lines) > 0 {
		db, err := r.database()
		more := false
		if err == nil {
			examples, more, err = query.RouteExamples(r.ctx, db, r.since)
		}
		if more {
			err = fmt.Errorf("more than %d routes have calls, and the others have none here: give a later --since", query.MaxExampleRoutes)
		}
		if err != nil {
			r.unknown("examples of paths", err)
		}
	}
	out := make([]learnedRoute, 0, len(lines))
	for _, l := range lines {
		out = append(out, learnedRoute{l, append([]string{}, examples[l.Route]...)})
	}
	return out, nil
}

// routeOrder is a command that changes what applies to a template.
type routeOrder struct {
	use, short, long string
	done             string // what is printed after the template
}

const routeRule = `TEMPLATE is a method and a template: 'GET /repos/{owner}/{name}/issues'. A declared route (configuration,
OpenAPI) and a template that a source logs apply before it. Breakers, manifests and quotas that name the route by another
of its names still apply, and nobody is asked again for approval of a call. The next baseline (learn.every, an hour if nothing
is set) knows the calls of its period under their present routes; until it is made, changed routes look new to detection.
flyball learn --once makes it at once.`

// learnedLater is what the answer to an order says of learning, which no order starts: a baseline costs minutes where much is
// stored, and orders come in groups.
const learnedLater = "calls of changed routes look new to detection until the next baseline (learn.every, 1h if nothing is set); " +
	"flyball learn --once makes it now"

var (
	pinRoute = routeOrder{use: "pin TEMPLATE", done: "pinned",
		short: "Pin a template: calls that fit it have it as their route, whatever is learned",
		long: "Use it for routes that are learned too late, and for a word that is no value: 'GET /items/sale' stays although\n" +
			"GET /items/{slug} is learned."}
	undoRoute = routeOrder{use: "undo TEMPLATE", done: "undone",
		short: "Undo a learned template: calls that fit it have routes of their words, also if it is learned again",
		long:  "Use it where names of operations were taken for values."}
	clearRoute = routeOrder{use: "clear TEMPLATE", done: "cleared",
		short: "Remove what a command ordered about a template: what is learned applies again"}
)

func routeOrderCommand(o *options, c routeOrder) *cobra.Command {
	var reason string
	cmd := &cobra.Command{Use: c.use, Short: c.short, Args: cobra.ExactArgs(1),
		Long: c.short + ".\n\n" + strings.TrimSpace(c.long+"\n"+routeRule)}
	verb, _, _ := strings.Cut(c.use, " ")
	cmd.RunE = order(o, &reason, func(ctx context.Context, client *controlClient, args []string) (changed, error) {
		slot, err := route.ParseSlot(args[0])
		if err != nil {
			return changed{}, usage(err)
		}
		body := api.RouteRequest{Route: slot.String(), Reason: reason, By: currentUser()}
		done, err := post[api.ChangeResult](ctx, client, "/v1/routes/"+verb, body)
		if refused := (*apiError)(nil); errors.As(err, &refused) && refused.detail == string(enforce.NoSuchRoute) {
			return changed{}, fmt.Errorf("%s: no command is in force about it: flyball routes learned lists those that are", slot)
		}
		return changed{result: done, what: slot.String() + ": " + c.done, forever: "until a command changes it", later: learnedLater,
			undo: undoOfRoute(o, slot, done.Met)}, err
	})
	reasonFlag(cmd, &reason)
	return cmd
}

// undoOfRoute is the command line that brings back what held before, by what the change met.
func undoOfRoute(o *options, slot route.Slot, met []string) string {
	before, verb := strings.Join(met, "\n"), "clear"
	switch {
	case strings.HasPrefix(before, "a command had pinned"):
		verb = "pin"
	case strings.HasPrefix(before, "a command had undone"):
		verb = "undo"
	}
	return o.undoOf("routes", verb, slot.String())
}
