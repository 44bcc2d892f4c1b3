package main

import (
	"context"
	"errors"
	"net/url"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
)

func taskCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "task",
		Short: "Declare, end and list tasks: an orchestrator declares what a run may write before the run begins"}
	end := &cobra.Command{Use: "end TASK", Short: "End a task: its scope and its grants end with it", Args: cobra.ExactArgs(1)}
	end.RunE = order(o, nil, func(ctx context.Context, c *controlClient, args []string) (string, error) {
		return args[0] + " ended", c.change(ctx, "/v1/runs/"+url.PathEscape(args[0])+"/end", api.EndTaskRequest{By: currentUser()})
	})
	l := listing[api.TaskLine]{query: fromControl[[]api.TaskLine]("/v1/runs"), columns: []report.Column[api.TaskLine]{
		{Head: "TASK", Cell: func(t *api.TaskLine) any { return t.ID }},
		{Head: "AGENT", Cell: func(t *api.TaskLine) any { return t.AgentID }},
		{Head: "RUN KEY", Cell: func(t *api.TaskLine) any { return t.RunKey }},
		{Head: "TYPE", Cell: func(t *api.TaskLine) any { return report.Dash(t.Type) }},
		{Head: "TARGETS", Cell: func(t *api.TaskLine) any { return len(t.Targets) }},
		{Head: "DECLARED (UTC)", Cell: func(t *api.TaskLine) any { return report.Second(t.At) }},
		{Head: "EXPIRES", Cell: func(t *api.TaskLine) any { return report.Second(t.Expires) }},
		{Head: "ENDED", Cell: func(t *api.TaskLine) any { return report.Second(t.Ended) }},
		{Head: "BY", Cell: func(t *api.TaskLine) any { return t.By }},
	}}
	cmd.AddCommand(taskDeclare(o), end, &cobra.Command{Use: "list", Short: "List tasks, latest first", Args: cobra.NoArgs, RunE: l.run(o)})
	return cmd
}

func taskDeclare(o *options) *cobra.Command {
	var body api.DeclareTaskRequest
	var length string
	cmd := &cobra.Command{Use: "declare AGENT RUN_KEY",
		Short: "Declare a task: what its run may write, and until when", Args: cobra.ExactArgs(2)}
	cmd.RunE = order(o, nil, func(ctx context.Context, c *controlClient, args []string) (string, error) {
		body.Agent, body.RunKey, body.By = args[0], args[1], currentUser()
		if length == "" {
			return "", usage(errors.New("--for: empty; give the duration of the task, such as 30m"))
		}
		var err error
		if body.Seconds, err = secondsFlag("--for", length); err != nil {
			return "", err
		}
		done, err := post[api.ChangeResult](ctx, c, "/v1/runs", body)
		return done.Ref, err
	})
	f := cmd.Flags()
	f.StringVar(&body.TaskType, "type", "", "one of task_types in the agent's manifest")
	f.StringSliceVar(&body.Targets, "target", nil, "what it may write: order:123, order:* (repeat, or separate by commas)")
	f.StringVar(&length, "for", "", "duration")
	f.StringVar(&body.Reason, "reason", "", reasonHelp)
	return cmd
}
