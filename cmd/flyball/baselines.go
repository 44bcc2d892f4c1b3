package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
	"flyball/detect/baselinestore"
	"flyball/detect/evaluate"
	"flyball/detect/model/baseline"
	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wording"
)

func baselinesCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "baselines", Short: "Show, compare, freeze and reset the baselines of agents"}
	cmd.AddCommand(baselinesListCommand(o), baselinesShowCommand(o), baselinesDiffCommand(o), baselinesFreezeCommand(o),
		baselinesResetCommand(o), baselinesRescoreCommand(o))
	return cmd
}

// baselineTopic is the connection to the topic that baseline versions are published to.
type baselineTopic struct {
	config config.Config
	kafka  kafka.Config
}

func (r *request) baselineTopic() (baselineTopic, error) {
	c, err := r.fileConfig()
	if err != nil {
		return baselineTopic{}, err
	}
	clients, err := app.ConnectKafka(r.ctx, c)
	return baselineTopic{c, clients}, err
}

func baselinesListCommand(o *options) *cobra.Command {
	a := answer[[]report.Version]{table: report.Versions, rows: itself[[]report.Version], query: func(r *request) ([]report.Version, error) {
		t, err := r.baselineTopic()
		if err != nil {
			return nil, err
		}
		return t.list(r.ctx)
	}}
	return &cobra.Command{Use: "list", Short: "List the versions that are kept, latest first", Args: cobra.NoArgs, RunE: a.run(o)}
}

// list are the versions that are kept, latest first. The first of them that this binary
// can read is in force.
func (t baselineTopic) list(ctx context.Context) ([]report.Version, error) {
	list := []report.Version{}
	drop := func(version string) {
		list = slices.DeleteFunc(list, func(v report.Version) bool { return v.Version == version })
	}
	err := baselinestore.ForEachVersion(ctx, t.kafka, t.config.Tenant, func(version string, value []byte) {
		drop(version)
		v := report.Version{Version: version, Bytes: len(value)}
		if body, err := baselinestore.Decode(version, value); err != nil {
			v.Error = err.Error()
		} else {
			v.Fill(body)
		}
		list = slices.Insert(list, 0, v)
	}, drop)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(list, func(v report.Version) bool { return v.Error == "" }); i >= 0 {
		list[i].Active = true
	}
	return list, nil
}

// complete returns the version that a prefix of at least six characters names. A name that fits none
// is returned unchanged.
func (t baselineTopic) complete(ctx context.Context, name string) (string, error) {
	if len(name) < schema.MinIDPrefix {
		return name, nil
	}
	list, err := t.list(ctx)
	if err != nil {
		return name, err
	}
	v, err := baselineNames(t.config.Tenant).find(name, list)
	switch {
	case err == nil:
		return v.Version, nil
	case isUsage(err):
		return name, err
	}
	return name, nil
}

// baselineNames is how versions of a tenant are named: with or without the tenant.
func baselineNames(tenant string) names[report.Version] {
	return names[report.Version]{what: "baseline version", list: "flyball baselines list",
		id:    func(v *report.Version) string { return strings.TrimPrefix(v.Version, tenant+"/") },
		other: func(v *report.Version) []string { return []string{v.Version} },
		show:  func(v *report.Version) string { return v.Version }}
}

// read reads one version: the latest where none is named.
func (t baselineTopic) read(r *request, name string) (*baseline.Baseline, error) {
	ctx, tenant := r.ctx, t.config.Tenant
	name, err := t.complete(ctx, name)
	if err != nil {
		return nil, err
	}
	body, err := baselinestore.LatestBaseline(ctx, t.kafka, func(v string) bool {
		return baselinestore.VersionTenant(v) == tenant && (name == "" || v == name || strings.TrimPrefix(v, tenant+"/") == name)
	})
	switch {
	case errors.Is(err, baselinestore.ErrNotPublished) && name == "":
		return nil, errors.New(noBaseline(r, t.config))
	case errors.Is(err, baselinestore.ErrNotPublished):
		return nil, fmt.Errorf("%w: %q; flyball baselines list lists those that are kept", err, name)
	}
	return body, err
}

func baselinesShowCommand(o *options) *cobra.Command {
	var agent string
	read := func(r *request) (body *baseline.Baseline, tripShare float64, err error) {
		t, err := r.baselineTopic()
		if err != nil {
			return nil, 0, err
		}
		body, err = t.read(r, strings.Join(r.args, ""))
		return body, t.config.Detect.FalseTripsPer1000 / 1000, err
	}
	whole := answer[*report.BaselineSummary]{table: report.Baseline, query: func(r *request) (*report.BaselineSummary, error) {
		body, tripShare, err := read(r)
		if err != nil {
			return nil, err
		}
		return report.NewBody(body, tripShare), nil
	}}.run(o)
	one := answer[*report.Agent]{table: report.AgentBaseline, query: func(r *request) (*report.Agent, error) {
		body, tripShare, err := read(r)
		if err != nil {
			return nil, err
		}
		v, known := report.NewAgent(body, agent, tripShare)
		if !known {
			return nil, fmt.Errorf("agent %q: not in baseline %s; its runs are compared with those of group %q, as those of %s "+
				"(%s). Names are as flyball baselines show lists them", agent, body.Version, v.Group, v.Learned.Acquaintance,
				wording.Acquaintance(v.Learned.Acquaintance))
		}
		return v, nil
	}}.run(o)
	cmd := &cobra.Command{Use: "show [VERSION]", Args: cobra.MaximumNArgs(1),
		Short: "Show a version, or one agent's usual figures in it, beside those of its peers and of humans"}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if agent == "" {
			return whole(cmd, args)
		}
		return one(cmd, args)
	}
	cmd.Flags().StringVar(&agent, "agent", "", "show only this agent, by its name in the version")
	return cmd
}

func baselinesDiffCommand(o *options) *cobra.Command {
	var agent string
	var limit int
	a := answer[*report.Differences]{table: report.Difference, query: func(r *request) (*report.Differences, error) {
		t, err := r.baselineTopic()
		if err != nil {
			return nil, err
		}
		was, err := t.read(r, r.args[0])
		if err != nil {
			return nil, err
		}
		is, err := t.read(r, r.args[1])
		if err != nil {
			return nil, err
		}
		return report.CompareBaselines(was, is, agent, limit), nil
	}}
	cmd := &cobra.Command{Use: "diff V1 V2",
		Short: "Show the largest changes from one version to another", Args: cobra.ExactArgs(2), RunE: a.run(o)}
	cmd.Flags().StringVar(&agent, "agent", "", "show only this agent")
	cmd.Flags().IntVar(&limit, "limit", 20, "print at most this many changes")
	return cmd
}

func baselinesRescoreCommand(o *options) *cobra.Command {
	var version string
	a := answer[*evaluate.Rescored]{table: report.Rescored,
		query: func(r *request) (*evaluate.Rescored, error) { return rescore(r, version) },
		exit: func(r *evaluate.Rescored) error {
			if !r.Same && r.Baseline == r.StoredScore.Baseline {
				return errIncomplete
			}
			return nil
		}}
	cmd := &cobra.Command{Use: "rescore RUN", Args: cobra.ExactArgs(1), RunE: a.run(o),
		Short: "Score a stored run again with the version that its finding names, and report whether the result is the same"}
	cmd.Flags().StringVar(&version, "version", "", "score with this version instead")
	return cmd
}

func rescore(r *request, version string) (*evaluate.Rescored, error) {
	t, err := r.baselineTopic()
	if err != nil {
		return nil, err
	}
	db, err := r.database()
	if err != nil {
		return nil, err
	}
	run, err := resolveRun(r, db, r.args[0])
	if err != nil {
		return nil, err
	}
	stored, err := evaluate.ReadStoredScore(r.ctx, db, t.config.Tenant, run.RunID)
	if err != nil {
		return nil, err
	}
	if version == "" {
		version = stored.Baseline
	}
	body, err := t.read(r, version)
	if err != nil {
		return nil, err
	}
	return evaluate.Rescore(r.ctx, db, body, stored)
}
