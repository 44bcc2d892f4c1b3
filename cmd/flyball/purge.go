package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// maxPurgeWhy is the maximum length of the reason of a purge in characters: the control API takes 1,000, and finishedWhy adds to it.
const maxPurgeWhy = 900

func purgeCommand(o *options) *cobra.Command {
	var principal, why string
	var plan, keepHolds bool
	search := defaultSearch
	cmd := &cobra.Command{Use: "purge --principal P", Args: cobra.NoArgs,
		Short: "Delete what is stored about a principal, and print a proof",
		Long: `Delete what is stored about a principal, and print a proof.

From ClickHouse: its calls, runs, touches, scores, findings, decisions and index
entries, the copies of held runs (unless --keep-holds), and breakers and baselines of
that name. Nothing else is reached: the proof names the topics with the time when
they have expired, what a hold keeps, and where the name still occurs. It is
searched in every column of text (paths, errors, attributes of the calls of others,
audit entries, …), as it is and percent-encoded, for at most --search; the proof
says what was not searched. The scores, findings and decisions of a run that had
several principals are deleted, too: the proof counts such runs.
The audit trail gets a keyed id of the principal and the digest of the proof, and
not the name: do not write it into --reason. It needs a token with the role admin, and
a user of ClickHouse who may delete. A purge that was interrupted is run again.

Exit status: 3 if rows are left: they were written meanwhile, or a hold keeps them.`}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case strings.TrimSpace(principal) == "":
			return usage(errors.New("--principal is needed: the name as in flyball touched --principal"))
		case !plan && checkReason(why) != nil:
			return checkReason(why)
		case !plan && utf8.RuneCountInString(why) > maxPurgeWhy:
			return usage(fmt.Errorf("--reason: %d characters, at most %d: the end of the purge is recorded with it", utf8.RuneCountInString(why),
				maxPurgeWhy))
		case !plan && strings.Contains(strings.ToLower(why), strings.ToLower(principal)):
			return usage(errors.New("--reason contains the principal, and the audit trail would keep it for ever: name a case instead"))
		}
		return runPurge(cmd, o, purgeFlags{principal, why, plan, keepHolds, search})
	}
	fl := cmd.Flags()
	fl.StringVar(&principal, "principal", "", "whose rows: the name as it is stored")
	fl.BoolVar(&plan, "plan", false, "only count: change nothing")
	fl.BoolVar(&keepHolds, "keep-holds", false, "leave the copies of runs that are held")
	fl.DurationVar(&search, "search", search, "how long the name is searched in texts, at most; 0: not at all")
	reasonFlag(cmd, &why)
	return cmd
}

type purgeFlags struct {
	principal, why  string
	plan, keepHolds bool
	search          time.Duration
}

// defaultSearch is how long a name is searched in texts, by default.
const defaultSearch = 5 * time.Minute

// maxSharedRuns is the number of runs with calls of several principals that a proof lists.
const maxSharedRuns = 20

// finishedWhy is the reason with which the end of a purge is recorded.
func finishedWhy(why string, removed, left uint64) string {
	return fmt.Sprintf("%s; finished: %d rows removed, %d left", why, removed, left)
}

func runPurge(cmd *cobra.Command, o *options, f purgeFlags) error {
	p, err := o.printer(cmd, formTable, formJSON)
	if err != nil {
		return err
	}
	r := newRequest(cmd, o, nil)
	defer r.close()
	u, err := newPurge(r, o, f)
	if err != nil {
		return err
	}
	if err := u.record(f.why, ""); err != nil { // who may not, or is not recorded, deletes nothing
		return err
	}
	proof := u.proof
	if err := u.run(); err != nil {
		return u.known.explain(err)
	}
	proof.finish(f, u.known)
	digest, err := proof.digest()
	if err != nil {
		return err
	}
	if err := u.record(finishedWhy(f.why, proof.Removed, proof.Left), digest); err != nil {
		return fmt.Errorf("the rows are deleted, and the end is not recorded: run the same command again (%w)", err)
	}
	if err := p.print(proof, func(w io.Writer) error { return proof.print(w, digest) }); err != nil {
		return err
	}
	if !f.plan && proof.Left > 0 {
		return errIncomplete
	}
	return nil
}

// purge is one run of the command.
type purge struct {
	r       *request
	flags   purgeFlags
	db      *clickhouse.Conn
	cluster string
	client  *controlClient // records the purge; nil: it is only planned
	known   *completeness
	proof   *purgeProof
}

// newPurge opens the connections of a purge. It deletes nothing.
func newPurge(r *request, o *options, f purgeFlags) (*purge, error) {
	known, err := readCompleteness(r)
	if err != nil {
		return nil, err
	}
	conn, ok := r.db.(*clickhouse.Conn)
	if !ok {
		return nil, errors.New("purge: no connection to ClickHouse")
	}
	c, err := r.config()
	if err != nil {
		return nil, err
	}
	u := &purge{r: r, flags: f, db: conn, cluster: c.ClickHouse.Cluster, known: known,
		proof: &purgeProof{Format: "flyball-purge-proof", Version: 1, Plan: f.plan, Tenant: c.Tenant, By: currentUser(), Why: f.why,
			StartedAt: query.Time{Time: time.Now()}, Earlier: []earlierPurge{}, Holds: []query.HeldRun{}}}
	if !f.plan {
		u.client, err = o.control()
	}
	return u, err
}

// record writes the beginning or, with the digest of the proof, the end of the purge to the audit trail. A plan is not recorded.
func (u *purge) record(reason, digest string) error {
	if u.client == nil {
		return nil
	}
	done, err := post[api.PurgeResult](u.r.ctx, u.client, "/v1/purges",
		api.PurgeRequest{Principal: u.flags.principal, Reason: reason, Proof: digest, By: currentUser()})
	if err != nil {
		return err
	}
	u.proof.Principal, u.proof.Tenant, u.proof.Deployment = done.Principal, done.Tenant, u.client.reached.id
	return nil
}

// run deletes the rows, or counts them for a plan, and searches what mentions the name.
func (u *purge) run() error {
	ctx, proof, f := u.r.ctx, u.proof, u.flags
	if err := proof.look(u.r, u.db, f); err != nil {
		return err
	}
	progress := progressWriter()
	opts := clickhouse.PurgeOptions{Target: clickhouse.Target{Cluster: u.cluster}, Tenant: proof.Tenant, Principal: f.principal,
		KeepHolds: f.keepHolds, Plan: f.plan, Step: func(table string) { report.Printf(progress, "deleting rows of %s\n", table) }}
	var err error
	if proof.SharedRuns, proof.SharedRunsCount, err = clickhouse.SharedRuns(ctx, u.db, opts, maxSharedRuns); err != nil {
		return err
	}
	if proof.Tables, err = clickhouse.Purge(ctx, u.db, opts); err != nil {
		return err
	}
	for _, t := range proof.Tables {
		proof.Removed += t.Removed
		proof.Left += t.Left
	}
	report.Printf(progress, "searching the name in texts, for at most %v\n", f.search)
	found, err := clickhouse.FindMentions(ctx, u.db, opts, proof.Tables, f.search)
	if err != nil {
		return err
	}
	proof.Mentions, proof.NotSearched = found.List, append(found.NotSearched, notSearched...)
	return nil
}

// look reads what a purge does not delete, before it begins.
func (p *purgeProof) look(r *request, db database, f purgeFlags) error {
	held, err := query.HeldRuns(r.ctx, db)
	if err != nil {
		return err
	}
	of, err := query.HeldRunsOfPrincipal(r.ctx, db, p.Tenant, f.principal)
	if err != nil {
		return err
	}
	for _, h := range held {
		if of[h.RunID] {
			p.Holds = append(p.Holds, h)
		}
	}
	if p.OpenRuns, err = query.OpenRunsOfPrincipal(r.ctx, db, p.Tenant, f.principal); err != nil {
		return err
	}
	if p.Principal == "" {
		return nil
	}
	entries, err := query.AuditAbout(r.ctx, db, p.Tenant, "principal:"+p.Principal, p.StartedAt.Time)
	for _, e := range entries {
		p.Earlier = append(p.Earlier, earlierPurge{query.Time{Time: time.Unix(0, e.At)}, e.By, e.Reason, e.Outcome})
	}
	return err
}
