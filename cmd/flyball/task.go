package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
)

func taskCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "task",
		Short: "Declare, end and list tasks: an orchestrator declares what a run may write before the run begins"}
	l := listing[api.TaskLine]{query: fromControl[[]api.TaskLine]("/v1/runs"), empty: "No task is declared.",
		columns: []report.Column[api.TaskLine]{
			{Head: "TASK", Cell: func(t *api.TaskLine) any { return report.ID(t.ID) }},
			{Head: "AGENT", Cell: func(t *api.TaskLine) any { return t.AgentID }},
			{Head: "RUN KEY", Cell: func(t *api.TaskLine) any { return t.RunKey }},
			{Head: "TYPE??", Cell: func(t *api.TaskLine) any { return report.Dash(t.Type) }},
			{Head: "TARGETS", Cell: func(t *api.TaskLine) any { return targetsText(t.Targets) }},
			{Head: "DECLARED (UTC)?", Cell: func(t *api.TaskLine) any { return report.Stamped(t.At) }},
			{Head: "EXPIRES", Cell: func(t *api.TaskLine) any { return report.Stamped(t.Expires) }},
			{Head: "ENDED??", Cell: func(t *api.TaskLine) any { return report.Stamped(t.Ended) }},
			{Head: "BY???", Cell: func(t *api.TaskLine) any { return t.By }},
		}}
	cmd.AddCommand(taskDeclare(o), taskEnd(o), &cobra.Command{Use: "list", Short: "List tasks, latest first", Args: cobra.NoArgs,
		RunE: l.run(o)})
	return cmd
}

// maxTargets is how many targets of a task a cell of the table shows.
const maxTargets = 4

func targetsText(targets []string) string {
	if len(targets) == 0 {
		return "as its manifest"
	}
	text := strings.Join(targets[:min(len(targets), maxTargets)], ", ")
	if n := len(targets) - maxTargets; n > 0 {
		text += fmt.Sprintf(" and %d more", n)
	}
	return text
}

// taskNames is how tasks are named: by their id or by the key of their run.
var taskNames = names[api.TaskLine]{what: "task", list: "flyball task list", id: func(t *api.TaskLine) string { return t.ID },
	other: func(t *api.TaskLine) []string { return []string{t.RunKey} },
	show: func(t *api.TaskLine) string {
		state := "until " + t.Expires
		if t.Ended != "" {
			state = "ended " + t.Ended
		}
		return fmt.Sprintf("run %s of %s, %s", t.RunKey, t.AgentID, state)
	}}

func taskEnd(o *options) *cobra.Command {
	var reason string
	cmd := &cobra.Command{Use: "end TASK|RUN_KEY", Args: cobra.ExactArgs(1),
		Short: "End a task, by its id, the beginning of it or the key of its run: its scope and its grants end with it"}
	cmd.RunE = order(o, nil, func(ctx context.Context, c *controlClient, args []string) (changed, error) {
		list, err := get[[]api.TaskLine](ctx, c, "/v1/runs")
		if err != nil {
			return changed{}, err
		}
		t, err := taskNames.find(args[0], list)
		if err != nil {
			return changed{}, err
		}
		body := api.EndTaskRequest{Reason: reason, By: currentUser()}
		done, err := post[api.ChangeResult](ctx, c, "/v1/runs/"+url.PathEscape(t.ID)+"/end", body)
		return changed{result: done, what: fmt.Sprintf("%s: the task of run %s of %s has ended", t.ID, t.RunKey, t.AgentID),
			forever: "for good", final: "its run key is not used again; declare a task for another run key"}, err
	})
	reasonFlag(cmd, &reason)
	return cmd
}

func taskDeclare(o *options) *cobra.Command {
	var body api.DeclareTaskRequest
	var length string
	cmd := &cobra.Command{Use: "declare AGENT RUN_KEY",
		Short: "Declare a task: what its run may write, and until when", Args: cobra.ExactArgs(2)}
	cmd.RunE = order(o, nil, func(ctx context.Context, c *controlClient, args []string) (changed, error) {
		body.Agent, body.RunKey, body.By = args[0], args[1], currentUser()
		if length == "" {
			return changed{}, usage(errors.New("--for: empty; give the duration of the task, such as 30m"))
		}
		var err error
		if body.Seconds, err = secondsFlag("--for", length); err != nil {
			return changed{}, err
		}
		done, err := post[api.ChangeResult](ctx, c, "/v1/runs", body)
		return changed{result: done, what: fmt.Sprintf("%s: task of run %s of %s, which may write %s", done.Ref, body.RunKey, body.Agent,
			targetsText(body.Targets)), undo: o.undoOf("task", "end", done.Ref)}, err
	})
	f := cmd.Flags()
	f.StringVar(&body.TaskType, "type", "", "one of task_types in the agent's manifest")
	f.StringSliceVar(&body.Targets, "target", nil, "what it may write: order:123, order:* (repeat, or separate by commas)")
	f.StringVar(&length, "for", "", "duration")
	f.BoolVar(&body.Force, "force", false, "accept an agent that is not known, and a type that its manifest does not name")
	reasonFlag(cmd, &body.Reason)
	return cmd
}
