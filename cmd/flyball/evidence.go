package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/archive"
	"flyball/cmd/internal/evidence"
	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
	"flyball/schema/wording"
)

// evidenceReport is what `evidence` prints with -o json.
type evidenceReport struct {
	File     string             `json:"file"`
	Manifest *evidence.Manifest `json:"manifest"`
}

func evidenceCommand(o *options) *cobra.Command {
	out := ""
	cmd := &cobra.Command{Use: "evidence RUN|FINDING", Args: cobra.ExactArgs(1),
		Short: "Write everything that is stored about a run, or the run of a finding, into one archive",
		Long: `Write everything that is stored about a run, or the run of a finding, into one archive.

It has the run, its calls, what it touched, scores, findings, verdicts, decisions,
breakers, questions, receipts, baselines and audit entries, as JSON; and a manifest
with the SHA-256 of each file and of itself, what is missing, and who made it when.
Records are there as they were decoded: Flyball does not store the raw ones.
Two archives of the same rows differ in the time and the name of who made them only.
An archive is not signed: note its digest in another place (evidence verify --digest).

Exit status: 3 if something is known to be missing; the manifest says what.`}
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return writeEvidence(cmd, o, args[0], out) }
	cmd.Flags().StringVar(&out, "out", "", "file to write: .zip or .tar.gz (default: evidence-RUN.zip here); an existing one is not replaced")
	cmd.AddCommand(verifyEvidenceCommand(o))
	return cmd
}

func verifyEvidenceCommand(o *options) *cobra.Command {
	digest := ""
	cmd := &cobra.Command{Use: "verify FILE", Args: cobra.ExactArgs(1),
		Short: "Check an archive: the digest of each file and of the manifest",
		Long: `Check an archive: the digest of each file and of the manifest.

Nothing is unpacked, and nothing is asked of a deployment. Who can change the archive
can also compute its digests again: compare the digest of the manifest with the one
that was noted when the archive was made (--digest).`}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := o.printer(cmd, formTable, formJSON)
		if err != nil {
			return err
		}
		r, err := evidence.Verify(args[0])
		if err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
		if digest != "" && (r.Manifest == nil || !strings.EqualFold(r.Manifest.Digest, digest)) {
			r.Wrong = append(r.Wrong, "the digest of the manifest is not the one that was noted: this is another archive, or it was written anew")
		}
		if err := p.print(r, func(w io.Writer) error { return printVerified(w, args[0], r) }); err != nil {
			return err
		}
		if len(r.Wrong) > 0 {
			return fmt.Errorf("%s: %d things are not as they were written", args[0], len(r.Wrong))
		}
		return nil
	}
	cmd.Flags().StringVar(&digest, "digest", "", "digest of the manifest that was noted when the archive was made")
	return cmd
}

func printVerified(w io.Writer, file string, r *evidence.Result) error {
	for _, text := range r.Wrong {
		report.Printf(w, "WRONG: %s\n", text)
	}
	if r.Manifest == nil {
		return nil
	}
	m := r.Manifest
	report.Printf(w, "%s: evidence on %s %s, tenant %s, made by %s at %s\n", file, m.Question.Kind, m.Question.ID, m.Tenant, m.Made.By,
		m.Made.At.UTC().Format(time.RFC3339))
	for _, text := range m.Missing {
		report.Printf(w, "missing: %s\n", text)
	}
	if len(r.Wrong) > 0 {
		return nil
	}
	return report.Printf(w, "%d files are as they were written; digest %s\n", len(m.Files), m.Digest)
}

// subjectOfEvidence returns the run that a term names, or that of the finding that it names.
func subjectOfEvidence(r *request, db query.DB, term string) (query.Run, evidence.Question, error) {
	if api.LooksLikeSecret(term) {
		return query.Run{}, evidence.Question{}, usage(errors.New(masked(term) + ": " + secretAdvice))
	}
	run, err := resolveStored(r, db, term)
	if err == nil || !errors.Is(err, query.ErrNotFound) {
		return run, evidence.Question{Kind: "run", ID: run.RunID, Run: run.RunID}, err
	}
	f, other := query.ResolveFinding(r.ctx, db, "", term)
	if errors.Is(other, query.ErrNotFound) {
		return run, evidence.Question{}, fmt.Errorf("no run and no finding has the id or key %q: flyball runs and flyball findings list "+
			"them", term)
	}
	if other != nil {
		return run, evidence.Question{}, other
	}
	run, err = query.ResolveRun(r.ctx, db, f.RunID)
	if err != nil {
		err = fmt.Errorf("finding %s is about a run that is not stored any more: %w", f.ID, err)
	}
	return run, evidence.Question{Kind: "finding", ID: f.ID, Run: f.RunID}, err
}

func writeEvidence(cmd *cobra.Command, o *options, term, out string) error {
	p, err := o.printer(cmd, formTable, formJSON)
	if err != nil {
		return err
	}
	r := newRequest(cmd, o, nil)
	defer r.close()
	r.ctx = query.WithBounds(r.ctx, query.Bounds{Memory: query.DefaultBounds.Memory, Block: 1024}) // of any length
	known, err := readCompleteness(r)
	if err != nil {
		return err
	}
	db, err := query.WithHolds(r.ctx, r.db, term)
	if err != nil {
		return known.explain(err)
	}
	run, question, err := subjectOfEvidence(r, db, term)
	if err != nil {
		return known.explain(err)
	}
	out = cmp.Or(out, "evidence-"+run.RunID+".zip")
	if err := notThere(out); err != nil {
		return err
	}
	var m *evidence.Manifest
	_, err = archive.Publish(out, func(f *os.File) error {
		a, err := evidence.NewWriter(f, out)
		if err != nil {
			return usage(fmt.Errorf("--out: %w", err))
		}
		g := &gathering{request: r, db: db, run: run, archive: a, known: known}
		if m, err = g.write(question); err != nil {
			return known.explain(err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := p.print(evidenceReport{out, m}, func(w io.Writer) error { return printEvidence(w, out, m) }); err != nil {
		return err
	}
	if !m.Complete {
		return errIncomplete
	}
	return nil
}

// notThere returns an error if a file exists: evidence is never replaced.
func notThere(out string) error {
	if _, err := os.Lstat(out); err == nil {
		return usage(fmt.Errorf("--out: %s exists, and evidence is not replaced: choose another name", out))
	}
	return nil
}

func printEvidence(w io.Writer, file string, m *evidence.Manifest) error {
	report.Printf(w, "%s: evidence on %s %s, tenant %s\n", file, m.Question.Kind, m.Question.ID, m.Tenant)
	if err := report.Lines(w, func(row func(...any)) {
		for _, f := range m.Files {
			row("  "+f.Name, wording.Count(f.Records, "record"), wording.Count(f.Size, "byte"))
		}
	}); err != nil {
		return err
	}
	if m.Complete {
		report.Printf(w, "complete: nothing is known to be missing\n")
	} else {
		report.Printf(w, "NOT COMPLETE:\n")
	}
	for _, text := range m.Missing {
		report.Printf(w, "  - %s\n", text)
	}
	report.Printf(w, "digest %s: note it in another place\n", m.Digest)
	return report.Printf(w, "check it: flyball evidence verify %s --digest %s\n", shellWord(file), m.Digest)
}

// gathering writes the files of one archive.
type gathering struct {
	*request
	db      query.DB
	run     query.Run
	archive *evidence.Writer
	known   *completeness
	missing []string
}

const evidenceText = `Evidence of Flyball on one run of an agent.

manifest.json    what this is about, what is missing, and the SHA-256 of each file and of the manifest itself
run.json         the run: who acted, by which rule its calls belong together, breakers, linked runs
calls.jsonl      every stored row of its calls, one a line, in the order of their time. counted: this row counts the call;
                 other rows are of the same request, as another observer saw it
touched.json     what it touched: counts and totals; touched_resources.jsonl: one resource a line, the most dangerous first
scores.jsonl, findings.jsonl, verdicts.jsonl, decisions.jsonl, breakers.jsonl, gates.jsonl, receipts.jsonl, baselines.jsonl
audit.jsonl      entries of the audit trail about the run. hash is the SHA-256 over the fields of an entry and prev, the hash of the
                 entry before it in the whole trail

Records are as Flyball decoded them. The raw records of the gateways are not stored.
Absent members are not known, or zero. Times are UTC.
Check it with: flyball evidence verify FILE, or after unpacking: sha256sum -c SHA256SUMS
`

// write writes all files and the manifest.
func (g *gathering) write(q evidence.Question) (*evidence.Manifest, error) {
	text := func(w io.Writer) (int64, error) {
		_, err := io.WriteString(w, evidenceText)
		return 0, err
	}
	files := []struct {
		name  string
		write func(io.Writer) (int64, error)
	}{{"README.txt", text}, {"run.json", g.writeRun}, {"calls.jsonl", g.writeCalls}}
	for _, f := range files {
		if err := g.archive.Add(f.name, f.write); err != nil {
			return nil, err
		}
	}
	if err := g.writeTouched(); err != nil {
		return nil, err
	}
	for _, t := range query.EvidenceTables() {
		err := g.archive.Add(t.Name+".jsonl", func(w io.Writer) (n int64, err error) {
			err = t.Each(g.ctx, g.db, &g.run, g.run.AgentID, func(m map[string]any) error {
				n++
				return report.JSONLine(w, m)
			})
			return n, err
		})
		if err != nil {
			return nil, err
		}
	}
	if err := g.archive.Add("receipts.jsonl", g.writeReceipts); err != nil {
		return nil, err
	}
	err := g.archive.Add("audit.jsonl", func(w io.Writer) (n int64, err error) {
		return n, query.AuditOf(g.ctx, g.db, &g.run, func(e schema.AuditEntry) error {
			n++
			return report.JSONLine(w, e)
		})
	})
	if err != nil {
		return nil, err
	}
	m := evidence.Manifest{Question: q, Tenant: g.run.Tenant, Program: versionText(), Schema: clickhouse.Version,
		Deployment: g.deployment(), Complete: len(g.missing) == 0, Missing: g.missing, Notes: []string{
			"records are as they were decoded: the raw records of the gateways are not stored",
			"calls of linked runs are not in this archive: linked_runs in run.json names these"},
		Made: evidence.Made{At: g.now.UTC(), By: currentUser()}}
	if b := g.known.backlog; b != nil && len(b.Unread) == 0 {
		m.Made.AsOf = &b.AsOf
	}
	return g.archive.Close(m)
}

func (g *gathering) writeRun(w io.Writer) (int64, error) {
	rep, left, err := query.RunRecord(g.ctx, g.db, g.run)
	if err != nil {
		return 0, err
	}
	g.missing = append(g.missing, left...)
	return 1, report.JSON(w, rep)
}

func (g *gathering) writeCalls(w io.Writer) (n int64, err error) {
	return n, query.EachCall(g.ctx, g.db, &g.run, func(m map[string]any) error {
		n++
		return report.JSONLine(w, m)
	})
}

// writeTouched writes the touched set, and notes what it may not contain.
func (g *gathering) writeTouched() error {
	var head *query.Touched
	err := g.archive.Add("touched_resources.jsonl", func(w io.Writer) (n int64, err error) {
		head, err = query.EachTouched(g.ctx, g.db, &g.run, func(r *query.TouchedResource) error {
			n++
			return report.JSONLine(w, r)
		})
		return n, err
	})
	if err != nil {
		return err
	}
	g.known.addTo(head)
	g.missing = append(g.missing, head.Caveats...)
	return g.archive.Add("touched.json", func(w io.Writer) (int64, error) {
		return 1, report.JSON(w, struct {
			Subject  query.Subject           `json:"subject"`
			Since    query.Time              `json:"since"`
			Until    query.Time              `json:"until"`
			Calls    uint64                  `json:"calls"`
			Totals   query.Totals            `json:"totals"`
			Coverage []query.GatewayCoverage `json:"coverage"`
			Others   []query.OtherCaller     `json:"other_callers,omitempty"`
		}{head.Subject, head.Since, head.Until, head.Calls, head.Totals, head.Coverage, head.OtherCallers})
	})
}

// writeReceipts writes the openings of breakers because of the run that an enforcement point still remembers.
func (g *gathering) writeReceipts(w io.Writer) (n int64, err error) {
	list, err := fromControl[[]receipt]("/v1/receipts")(g.request)
	if err != nil {
		g.missing = append(g.missing, fmt.Sprintf("receipts_unknown: the enforcement point did not answer (%v): when each point applied a "+
			"breaker is not in the archive", err))
		return 0, nil
	}
	for i := range list {
		if list[i].RunID.String() != g.run.RunID {
			continue
		}
		if err := list[i].addSlipped(g.ctx, g.db); err != nil {
			return n, err
		}
		n++
		if err := report.JSONLine(w, list[i]); err != nil {
			return n, err
		}
	}
	return n, nil
}

// deployment returns the id of the deployment, if a control API or the key tells it.
func (g *gathering) deployment() string {
	c, err := g.config()
	if err != nil {
		return ""
	}
	if !isRemote(c) {
		if key, err := app.ReadSecretKey(c, false); err == nil {
			return app.DeploymentID(key)
		}
	}
	client, err := g.control()
	if err != nil {
		return ""
	}
	if _, err := get[api.CallerLine](g.ctx, client, "/v1/caller"); err != nil {
		return ""
	}
	return client.reached.id
}
