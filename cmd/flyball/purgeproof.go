package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"flyball/cmd/internal/report"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
	"flyball/schema/wire"
	"flyball/schema/wording"
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
	OpenRuns uint64          `json:"open_runs"`
	Holds    []query.HeldRun `json:"holds"` // on its runs
	Expires  []expiringCopy  `json:"expires"`
	// SharedRuns are some of the runs that had calls of other principals, too: what detection said about them was deleted.
	SharedRuns      []string `json:"shared_runs"`
	SharedRunsCount uint64   `json:"shared_runs_count"`
	// Mentions are the tables in whose texts the name still occurs; NotSearched says where it was not looked for.
	Mentions    []clickhouse.Mention `json:"mentions"`
	NotSearched []string             `json:"not_searched"`
	Notes       []string             `json:"notes"`
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

// notSearched are the places where no purge looks for a name.
var notSearched = []string{"topics, and original records of dead letters: they expire (see expires)",
	"other spellings of the name than as it is, percent-encoded, and in another case",
	"numbers and hashes: counters, digests, feature values"}

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
	if p.SharedRunsCount > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("%d of its runs have calls of other principals, too: these calls stay, and scores, findings and "+
			"decisions about the runs go (shared_runs)", p.SharedRunsCount))
	}
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
		report.Printf(w, "earlier: %s by %s: %s\n", e.At.UTC().Format(time.RFC3339), e.By, e.Reason)
	}
	if !slices.ContainsFunc(p.Tables, func(t clickhouse.PurgedTable) bool { return t.Rows > 0 || t.Left > 0 }) {
		report.Printf(w, "no stored row names this principal: is it spelt as in flyball find and flyball runs?\n")
		return p.printRest(w, digest)
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
	return p.printRest(w, digest)
}

// printRest prints what a purge did not reach.
func (p *purgeProof) printRest(w io.Writer, digest string) error {
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
	for i := range p.Mentions {
		printMention(w, &p.Mentions[i])
	}
	for _, text := range p.NotSearched {
		report.Printf(w, "not searched: %s\n", text)
	}
	for _, n := range p.Notes {
		report.Printf(w, "note: %s\n", n)
	}
	if p.Plan {
		return nil
	}
	return report.Printf(w, "proof %s (of the JSON, on one line), also in the audit trail: flyball audit list\n", digest)
}

func printMention(w io.Writer, m *clickhouse.Mention) {
	columns := slices.Sorted(maps.Keys(m.Columns))
	for i, name := range columns {
		columns[i] = fmt.Sprintf("%s %d", name, m.Columns[name])
	}
	text := fmt.Sprintf("the name still occurs: %s, %s (%s)", m.Where, wording.Count(m.Rows, "row"), strings.Join(columns, ", "))
	if len(m.Examples) > 0 {
		text += fmt.Sprintf(", such as %s %s", m.ExampleOf, strings.Join(m.Examples, ", "))
	}
	if m.Why != "" {
		text += ": " + m.Why
	}
	report.Printf(w, "%s\n", text)
}
