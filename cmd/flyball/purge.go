package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
	"flyball/schema/wire"
)

// purgeProof is what a purge has done. It does not contain the name of the principal.
type purgeProof struct {
	Format     string `json:"format"`
	Version    int    `json:"version"`
	Plan       bool   `json:"plan"`      // nothing was changed
	Principal  string `json:"principal"` // keyed id, as in the audit trail; empty with plan
	Tenant     string `json:"tenant"`
	Deployment string `json:"deployment,omitempty"`
	By         string `json:"by"`
	Why        string `json:"why,omitempty"`

	StartedAt  query.Time `json:"started_at"`
	FinishedAt query.Time `json:"finished_at"`
	// Earlier are the entries of the audit trail about purges of the same principal.
	Earlier []earlierPurge `json:"earlier"`

	Tables  []clickhouse.PurgedTable `json:"tables"`
	Removed uint64                   `json:"removed_rows"`
	Left    uint64                   `json:"left_rows"`
	// OpenRuns is the number of its runs that were open: detection writes them again when they go on or close.
	OpenRuns uint64               `json:"open_runs"`
	Holds    []query.HeldRun      `json:"holds"` // on its runs
	Expires  []expiringCopy       `json:"expires"`
	Mentions []clickhouse.Mention `json:"mentions"`
	Notes    []string             `json:"notes"`
}

type earlierPurge struct {
	At      query.Time `json:"at"`
	By      string     `json:"by"`
	Reason  string     `json:"reason"`
	Outcome string     `json:"outcome"`
}

// expiringCopy is a place that a purge does not reach.
type expiringCopy struct {
	Where string      `json:"where"`
	Until *query.Time `json:"until,omitempty"` // at the latest; absent: not known
	How   string      `json:"how"`
}

func purgeCommand(o *options) *cobra.Command {
	var principal, why string
	var plan, keepHolds bool
	cmd := &cobra.Command{Use: "purge --principal P", Args: cobra.NoArgs,
		Short: "Delete what is stored about a principal, and print a proof",
		Long: `Delete what is stored about a principal, and print a proof.

From ClickHouse: its calls, runs, touches, scores, findings, decisions and index
entries, the copies of held runs (unless --keep-holds), and breakers and baselines of
that name. Nothing else is reached: the proof names the topics with the time when
they have expired, what a hold keeps, and some places where the name still occurs:
paths, errors and attributes of the calls of others are not searched. The scores,
findings and decisions of a run that had several principals are deleted, too.
The audit trail gets a keyed id of the principal and the digest of the proof, and
not the name: do not write it into --why. It needs a token with the role admin, and
a user of ClickHouse who may delete. A purge that was interrupted is run again.

Exit status: 3 if rows are left: they were written meanwhile, or a hold keeps them.`}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		switch {
		case strings.TrimSpace(principal) == "":
			return usage(errors.New("--principal is needed: the name as in flyball touched --principal"))
		case !plan && checkWhy(why) != nil:
			return checkWhy(why)
		case !plan && strings.Contains(strings.ToLower(why), strings.ToLower(principal)):
			return usage(errors.New("--why contains the principal, and the audit trail would keep it for ever: name a case instead"))
		}
		return runPurge(cmd, o, purgeFlags{principal, why, plan, keepHolds})
	}
	fl := cmd.Flags()
	fl.StringVar(&principal, "principal", "", "whose rows: the name as it is stored")
	fl.BoolVar(&plan, "plan", false, "only count: change nothing")
	fl.BoolVar(&keepHolds, "keep-holds", false, "leave the copies of runs that are held")
	whyFlag(cmd, &why)
	return cmd
}

type purgeFlags struct {
	principal, why  string
	plan, keepHolds bool
}

func runPurge(cmd *cobra.Command, o *options, f purgeFlags) error {
	p, err := o.printer(cmd, formTable, formJSON)
	if err != nil {
		return err
	}
	r := newRequest(cmd, o, nil)
	defer r.close()
	known, err := readCompleteness(r)
	if err != nil {
		return err
	}
	conn, ok := r.db.(*clickhouse.Conn)
	if !ok {
		return errors.New("purge: no connection to ClickHouse")
	}
	c, err := r.config()
	if err != nil {
		return err
	}
	proof := &purgeProof{Format: "flyball-purge-proof", Version: 1, Plan: f.plan, Tenant: c.Tenant, By: currentUser(), Why: f.why,
		StartedAt: query.Time{Time: time.Now()}, Earlier: []earlierPurge{}, Holds: []query.HeldRun{}, Mentions: []clickhouse.Mention{}}
	record := func(string, string) error { return nil }
	if !f.plan {
		client, err := o.control()
		if err != nil {
			return err
		}
		record = func(reason, digest string) error {
			done, err := post[api.PurgeResult](r.ctx, client, "/v1/purges",
				api.PurgeRequest{Principal: f.principal, Reason: reason, Proof: digest, By: currentUser()})
			if err != nil {
				return err
			}
			proof.Principal, proof.Tenant, proof.Deployment = done.Principal, done.Tenant, client.reached.id
			return nil
		}
		if err := record(f.why, ""); err != nil { // who may not, or is not recorded, deletes nothing
			return err
		}
	}
	if err := proof.look(r, conn, f); err != nil {
		return known.explain(err)
	}
	progress := progressWriter()
	opts := clickhouse.PurgeOptions{Target: clickhouse.Target{Cluster: c.ClickHouse.Cluster}, Tenant: proof.Tenant, Principal: f.principal,
		KeepHolds: f.keepHolds, Plan: f.plan, Step: func(table string) { report.Printf(progress, "deleting rows of %s\n", table) }}
	if proof.Tables, err = clickhouse.Purge(r.ctx, conn, opts); err != nil {
		return known.explain(err)
	}
	for _, t := range proof.Tables {
		proof.Removed += t.Removed
		proof.Left += t.Left
	}
	if proof.Mentions, err = clickhouse.Mentions(r.ctx, conn, proof.Tenant, f.principal); err != nil {
		return known.explain(err)
	}
	proof.finish(f, known)
	digest, err := proof.digest()
	if err != nil {
		return err
	}
	if err := record(fmt.Sprintf("%s; finished: %d rows removed, %d left", f.why, proof.Removed, proof.Left), digest); err != nil {
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

// finish says what the purge did not reach.
func (p *purgeProof) finish(f purgeFlags, known *completeness) {
	now := time.Now()
	p.FinishedAt = query.Time{Time: now}
	p.Expires = []expiringCopy{}
	for _, t := range wire.Specs {
		e := expiringCopy{Where: "topic " + t.Name, How: "at the latest, by the retention that flyball migrate sets"}
		switch {
		case t.Name == wire.StateTopic:
			e.How = "open runs, until they have closed and their state is replaced"
		case t.Retention == 0:
			continue // of breakers, points and baselines: the newest of each key
		default:
			e.Until = &query.Time{Time: now.Add(t.Retention)}
			if t.Name == wire.CallsTopic || t.Name == wire.JournalTopic {
				e.How += "; on the embedded broker as soon as all readers have read it"
			}
		}
		p.Expires = append(p.Expires, e)
	}
	p.Expires = append(p.Expires,
		expiringCopy{Where: "topics of the gateways (kafka.inputs)", How: "by the retention that you have set"},
		expiringCopy{Where: "backups and snapshots of the database, exports, evidence archives", How: "as long as you keep them; a " +
			"restore brings the rows back: run the same command after it"},
		expiringCopy{Where: "pages that were sent (pagers, chats, mail)", How: "by the receivers"})
	p.Notes = append(p.Notes, "the audit trail has the keyed id of the principal; without the key of the deployment no name can be tried",
		"counters by minute and hour and baselines have no principals: sums and hashes are left as they are",
		"a principal that is named in a new record is stored as a new one")
	if p.OpenRuns > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("%d runs of it were open: detection writes these again when they go on or close; run the same "+
			"command then", p.OpenRuns))
	}
	if known.backlog == nil {
		p.Notes = append(p.Notes, "whether records of it are in Kafka and not stored yet is not known: run the same command later")
	} else if len(known.backlog.Unread) > 0 {
		p.Notes = append(p.Notes, "records were in Kafka and not stored yet: run the same command when they are (flyball status)")
	}
	if len(p.Holds) > 0 {
		what := "their copies are deleted; the holds stay in force for rows to come"
		if f.keepHolds {
			what = "their copies are kept until flyball hold release"
		}
		if p.Plan && !f.keepHolds {
			what = "their copies would be deleted (--keep-holds leaves them)"
		}
		p.Notes = append(p.Notes, fmt.Sprintf("%d of its runs are held: %s", len(p.Holds), what))
	}
}

// digest returns the SHA-256 of the proof as JSON on one line.
func (p *purgeProof) digest() (string, error) {
	b, err := json.Marshal(p)
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), err
}

func (p *purgeProof) print(w io.Writer, digest string) error {
	if p.Plan {
		report.Printf(w, "plan: nothing is changed, in tenant %s\n", p.Tenant)
	} else {
		report.Printf(w, "purged %s, in tenant %s of deployment %s: %d rows removed, %d left\n", p.Principal, p.Tenant, report.Dash(p.Deployment),
			p.Removed, p.Left)
	}
	for _, e := range p.Earlier {
		report.Printf(w, "earlier: %s by %s: %s\n", e.At, e.By, e.Reason)
	}
	err := report.Table(w, "TABLE | ROWS | REMOVED | LEFT | KEPT BY A HOLD", func(row func(...any)) {
		for _, t := range p.Tables {
			kept := "-"
			if t.Kept && t.Rows > 0 {
				kept = "yes"
			}
			if t.Rows > 0 || t.Left > 0 {
				row(t.Table, t.Rows, t.Removed, t.Left, kept)
			}
		}
	})
	if err != nil {
		return err
	}
	for _, h := range p.Holds {
		report.Printf(w, "held: run %s by %s: %s\n", h.RunID, h.By, h.Why)
	}
	for _, e := range p.Expires {
		until := ""
		if e.Until != nil {
			until = " until " + e.Until.UTC().Format(time.DateOnly)
		}
		report.Printf(w, "not reached: %s%s: %s\n", e.Where, until, e.How)
	}
	for _, m := range p.Mentions {
		report.Printf(w, "the name still occurs: %s, %d rows: %s\n", m.Where, m.Rows, m.Why)
	}
	for _, n := range p.Notes {
		report.Printf(w, "note: %s\n", n)
	}
	if p.Plan {
		return nil
	}
	return report.Printf(w, "proof %s (of the JSON, on one line), also in the audit trail: flyball audit list\n", digest)
}
