package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
	"flyball/detect/baselinestore"
	"flyball/detect/enforce/api"
	"flyball/detect/evaluate"
	"flyball/detect/model/baseline"
	"flyball/schema"
)

func baselinesCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "baselines", Short: "What is normal for each agent: versions, states, what moved; freeze and reset"}
	cmd.AddCommand(baselinesList(o), baselinesShow(o), baselinesDiff(o), baselinesFreeze(o), baselinesReset(o), baselinesRescore(o))
	return cmd
}

// versions opens the topic that versions are published to.
func (o *options) versions() (config.Config, []kgo.Opt, error) {
	c, err := o.load()
	if err != nil {
		return c, nil, err
	}
	kafka, err := app.KafkaOpts(c)
	return c, kafka, err
}

func baselinesList(o *options) *cobra.Command {
	return &cobra.Command{Use: "list", Short: "Versions that are kept, latest first", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		format, err := o.outputIs("table", "json")
		if err != nil {
			return err
		}
		c, kafka, err := o.versions()
		if err != nil {
			return err
		}
		list := []report.Version{}
		drop := func(version string) {
			for i := range list {
				if list[i].Version == version {
					list = append(list[:i], list[i+1:]...)
					return
				}
			}
		}
		err = baselinestore.ForEachVersion(cmd.Context(), kafka, c.Tenant, func(version string, value []byte) {
			drop(version)
			v := report.Version{Version: version, Bytes: len(value)}
			if body, err := baselinestore.Decode(version, value); err != nil {
				v.Error = err.Error()
			} else {
				v.Fill(body)
			}
			list = append([]report.Version{v}, list...)
		}, drop)
		if err != nil {
			return err
		}
		for i := range list { // the last one that can be read is scored by
			if list[i].Error == "" {
				list[i].Active = true
				break
			}
		}
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), list)
		}
		if len(list) == 0 {
			fmt.Fprintln(cmd.ErrOrStderr(), "No baseline yet: runs are scored once learn.min_runs of them have been closed for learn.quarantine, or at once with flyball learn --once.")
		}
		return report.Versions(cmd.OutOrStdout(), list)
	}}
}

// versionOf reads one version: the latest where none is named.
func versionOf(ctx context.Context, c config.Config, kafka []kgo.Opt, name string) (*baseline.Baseline, error) {
	body, err := baselinestore.LatestBaseline(ctx, kafka, func(v string) bool {
		return baselinestore.VersionTenant(v) == c.Tenant && (name == "" || v == name || strings.TrimPrefix(v, c.Tenant+"/") == name)
	})
	switch {
	case errors.Is(err, baselinestore.ErrNotPublished) && name == "":
		return nil, fmt.Errorf("%w: run flyball learn --once first", err)
	case errors.Is(err, baselinestore.ErrNotPublished):
		return nil, fmt.Errorf("%w: %q; flyball baselines list says which are kept", err, name)
	}
	return body, err
}

func baselinesShow(o *options) *cobra.Command {
	var agent string
	cmd := &cobra.Command{Use: "show [VERSION]", Short: "One version, or what it holds of one agent: its own usual figures beside its peers' and humans'", Args: cobra.MaximumNArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		format, err := o.outputIs("table", "json")
		if err != nil {
			return err
		}
		c, kafka, err := o.versions()
		if err != nil {
			return err
		}
		body, err := versionOf(cmd.Context(), c, kafka, strings.Join(args, ""))
		if err != nil {
			return err
		}
		if agent == "" {
			v := report.BaselineOf(body)
			if format == "json" {
				return report.JSON(cmd.OutOrStdout(), v)
			}
			return report.Baseline(cmd.OutOrStdout(), v)
		}
		v, known := report.AgentOf(body, agent)
		if !known {
			return fmt.Errorf("agent %q: not in baseline %s; its runs are compared with those of group %q. Names are as flyball baselines show lists them", agent, body.Version, v.Group)
		}
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), v)
		}
		return report.AgentBaseline(cmd.OutOrStdout(), v)
	}}
	cmd.Flags().StringVar(&agent, "agent", "", "one agent, as the version names it")
	return cmd
}

func baselinesDiff(o *options) *cobra.Command {
	var agent string
	var limit int
	cmd := &cobra.Command{Use: "diff V1 V2", Short: "What moved most from one version to another", Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command, args []string) error {
		format, err := o.outputIs("table", "json")
		if err != nil {
			return err
		}
		c, kafka, err := o.versions()
		if err != nil {
			return err
		}
		was, err := versionOf(cmd.Context(), c, kafka, args[0])
		if err != nil {
			return err
		}
		is, err := versionOf(cmd.Context(), c, kafka, args[1])
		if err != nil {
			return err
		}
		d := report.DifferenceOf(was, is, agent, limit)
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), d)
		}
		return report.Difference(cmd.OutOrStdout(), d)
	}}
	cmd.Flags().StringVar(&agent, "agent", "", "only this agent")
	cmd.Flags().IntVar(&limit, "limit", 20, "at most this many changes")
	return cmd
}

func baselinesFreeze(o *options) *cobra.Command {
	var f api.FreezeBaselineRequest
	var all bool
	var length string
	cmd := &cobra.Command{Use: "freeze", Short: "Keep the counts of an agent as they are from the next version on, until --for is over or --off", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		if (f.Agent == "") == !all {
			return usage(errors.New("name one of --agent and --all"))
		}
		if all {
			f.Agent = schema.EveryAgent
		}
		if f.Reason == "" {
			return usage(errors.New("--reason: empty; say why, it goes into the history"))
		}
		if f.Off && length != "" {
			return usage(errors.New("--off ends a freeze now: --for has no meaning beside it"))
		}
		var err error
		if f.Seconds, err = seconds("--for", length); err != nil {
			return err
		}
		f.By = whoami()
		if _, err := o.ask(http.MethodPost, "/v1/baselines/freeze", f); err != nil {
			return err
		}
		what := "frozen from the next version on"
		if f.Off {
			what = "learns again from the next version on"
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", f.Agent, what)
		return nil
	}}
	cmd.Flags().StringVar(&f.Agent, "agent", "", "whose, as flyball baselines show lists it")
	cmd.Flags().BoolVar(&all, "all", false, "every agent's")
	cmd.Flags().BoolVar(&f.Off, "off", false, "end it")
	cmd.Flags().StringVar(&length, "for", "", "how long (default until --off)")
	cmd.Flags().StringVar(&f.Reason, "reason", "", "why; it goes into the history")
	return cmd
}

func baselinesReset(o *options) *cobra.Command {
	var f api.ResetBaselineRequest
	cmd := &cobra.Command{Use: "reset", Short: "Forget what was learned of an agent: its runs so far never teach again", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		if f.Agent == "" || f.Reason == "" {
			return usage(errors.New("--agent and --reason are both needed: what is forgotten does not come back"))
		}
		f.By = whoami()
		if _, err := o.ask(http.MethodPost, "/v1/baselines/reset", f); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: learns anew from the next version on, compared with its peers until then\n", f.Agent)
		return nil
	}}
	cmd.Flags().StringVar(&f.Agent, "agent", "", "whose, as flyball baselines show lists it")
	cmd.Flags().StringVar(&f.Reason, "reason", "", "why; it goes into the history")
	return cmd
}

func baselinesRescore(o *options) *cobra.Command {
	var version string
	cmd := &cobra.Command{Use: "rescore RUN", Short: "Score a stored run again, by the version that its finding names, and say whether it comes to the same", Args: cobra.ExactArgs(1), RunE: o.asks(func(cmd *cobra.Command, args []string, format string, c config.Config, db database) error {
		run, err := resolve(cmd, db, args[0])
		if err != nil {
			return err
		}
		kafka, err := app.KafkaOpts(c)
		if err != nil {
			return err
		}
		stored, err := evaluate.ReadStoredScore(cmd.Context(), db, c.Tenant, run.RunID)
		if err != nil {
			return err
		}
		if version == "" {
			version = stored.Baseline
		}
		body, err := versionOf(cmd.Context(), c, kafka, version)
		if err != nil {
			return err
		}
		r, err := evaluate.Rescore(cmd.Context(), db, body, stored)
		if err != nil {
			return err
		}
		if format == "json" {
			err = report.JSON(cmd.OutOrStdout(), r)
		} else {
			err = report.Rescored(cmd.OutOrStdout(), r)
		}
		if err == nil && !r.Same && r.Baseline == stored.Baseline {
			return errIncomplete
		}
		return err
	})}
	cmd.Flags().StringVar(&version, "version", "", "by this version instead")
	return cmd
}
