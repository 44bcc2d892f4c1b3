package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/detect/enforce/ledger"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// auditReport is what `flyball audit verify -o json` prints.
type auditReport struct {
	Entries uint64             `json:"entries"`
	Broken  *ledger.ChainFault `json:"first_bad_entry,omitempty"`
	// End is how far the trail came; Live what the enforcement point holds, absent
	// when none answers.
	End  ledger.Chain  `json:"end"`
	Live *ledger.Chain `json:"live,omitempty"`
	Say  string        `json:"say"`
}

// trailEnds remembers the last entries of a trail that was walked.
type trailEnds []ledger.Chain

const mostTrailEnds = 4096

func (t *trailEnds) note(batch []schema.AuditEntry) {
	for _, e := range batch[max(0, len(batch)-mostTrailEnds):] {
		*t = append(*t, ledger.Chain{Seq: e.Seq, Hash: e.Hash})
	}
	*t = (*t)[max(0, len(*t)-mostTrailEnds):]
}

func (t trailEnds) hash(seq uint64) (string, bool) {
	for _, e := range t {
		if e.Seq == seq {
			return e.Hash, true
		}
	}
	return "", false
}

// storedWithin is how long a store that has read everything may take to show an entry.
const storedWithin = 10 * time.Second

// compareTrail compares a stored trail that holds together with what an enforcement
// point has folded of the log: entry by entry where both end, and at the earlier of
// the two ends where they differ. caughtUp says that the store has read everything
// that was written. It returns what is wrong, whether the comparison is complete, and
// a sentence.
func compareTrail(end ledger.Chain, ends trailEnds, live *api.AuditEnd, caughtUp bool) (
	broken *ledger.ChainFault, complete bool, say string) {
	wrong := func(seq uint64, why string) (*ledger.ChainFault, bool, string) {
		return &ledger.ChainFault{Seq: seq, Why: why}, false, fmt.Sprintf("entry %d %s", seq, why)
	}
	const anew = "is not the one that the enforcement point holds: the trail was written anew"
	if end.Seq > live.Seq {
		hash, known := ends.hash(live.Seq)
		switch {
		case known && live.Seq > 0 && hash != live.Hash:
			return wrong(live.Seq, anew)
		case live.Stale:
			return nil, false, fmt.Sprintf("%d entries hold together; the point that answers has folded %d of them, and does not hear the log",
				end.Seq, live.Seq)
		}
		return wrong(live.Seq+1, "is in the table and not in the log: no command made it")
	}
	missing := live.Seq - end.Seq
	switch {
	case end.Seq > 0 && live.At == nil:
		return nil, false, fmt.Sprintf("%d entries hold together; the enforcement point has %d and no longer holds number %d to compare it with",
			end.Seq, live.Seq, end.Seq)
	case end.Seq > 0 && live.At.Hash != end.Hash:
		return wrong(end.Seq, anew)
	case missing == 0:
		return nil, true, fmt.Sprintf("%d entries hold together and end where the enforcement point's trail does", end.Seq)
	case caughtUp && live.Next != nil && live.Clock-live.Next.At > int64(storedWithin):
		return wrong(end.Seq+1, fmt.Sprintf("is missing: it was made %s ago, and the store has read everything since; %d entries more follow",
			time.Duration(live.Clock-live.Next.At).Round(time.Second), missing))
	}
	return nil, false, fmt.Sprintf("%d entries hold together, as the enforcement point has them; of its %d the last %d are not stored yet",
		end.Seq, live.Seq, missing)
}

// liveTrail asks an enforcement point about the end that a stored trail has. A point
// that has folded less is given a while: the table may have been written by another
// one that is further.
func liveTrail(o *options, end ledger.Chain) (live api.AuditEnd, err error) {
	for range 10 {
		if live, err = get[api.AuditEnd](o, fmt.Sprint("/v1/audit?at=", end.Seq)); err != nil || live.Seq >= end.Seq {
			return live, err
		}
		time.Sleep(300 * time.Millisecond)
	}
	return live, err
}

// storeCaughtUp reports whether the process of the configuration says that its store
// has nothing left to read.
func storeCaughtUp(ctx context.Context, c config.Config) bool {
	m, err := scrape(ctx, c.Metrics.Listen)
	return err == nil && m["flyball_store_lag_records"] != nil && m.sum("flyball_store_lag_records") == 0
}

func auditCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "The chain of everything that was commanded"}
	verify := &cobra.Command{Use: "verify", Short: "Walk the stored trail; name the first entry that was changed, left out or put in", Args: cobra.NoArgs}
	verify.RunE = o.asks(func(cmd *cobra.Command, _ []string, format string, c config.Config, db database) error {
		var r auditReport
		var ends trailEnds
		err := query.AuditTrail(cmd.Context(), db, func(batch []schema.AuditEntry) bool {
			r.End, r.Broken = ledger.Verify(r.End, batch)
			ends.note(batch)
			return r.Broken == nil
		})
		if err != nil {
			return err
		}
		r.Entries = r.End.Seq
		complete := false
		if r.Broken != nil {
			r.Say = fmt.Sprintf("entry %d %s", r.Broken.Seq, r.Broken.Why)
		} else if live, err := liveTrail(o, r.End); err != nil {
			r.Say = fmt.Sprintf("%d entries hold together; no enforcement point answers, so the last ones may be missing", r.Entries)
		} else {
			r.Live = &live.Chain
			r.Broken, complete, r.Say = compareTrail(r.End, ends, &live, storeCaughtUp(cmd.Context(), c))
		}
		if format == "json" {
			err = report.JSON(cmd.OutOrStdout(), r)
		} else {
			_, err = fmt.Fprintln(cmd.OutOrStdout(), r.Say)
		}
		switch {
		case err != nil:
			return err
		case r.Broken != nil:
			return fmt.Errorf("the audit trail does not hold: %s", r.Say)
		case !complete:
			return errIncomplete
		}
		return nil
	})
	cmd.AddCommand(verify, auditList(o))
	return cmd
}

func auditList(o *options) *cobra.Command {
	var limit int
	cmd := &cobra.Command{Use: "list", Short: "The latest entries", Args: cobra.NoArgs, RunE: o.asks(func(cmd *cobra.Command, _ []string, format string, _ config.Config, db database) error {
		list, err := query.AuditLatest(cmd.Context(), db, limit)
		if err != nil {
			return err
		}
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), list)
		}
		return report.Table(cmd.OutOrStdout(), "SEQ | AT (UTC) | BY | ROLE | WHAT | ABOUT | OUTCOME | REASON", func(row func(...any)) {
			for _, e := range list {
				row(e.Seq, time.Unix(0, e.At).UTC().Format(time.DateTime), orDash(e.By), orDash(e.Role), e.Kind, e.Subject, e.Outcome, orDash(e.Reason))
			}
		})
	})}
	cmd.Flags().IntVar(&limit, "limit", 50, "at most this many")
	return cmd
}

func tokenCommand() *cobra.Command {
	var file string
	cmd := &cobra.Command{Use: "token", Short: "Make a token for the control API: printed once; what is kept is its hash", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		raw := make([]byte, 32)
		if _, err := rand.Read(raw); err != nil {
			return err
		}
		token := "fly_" + hex.EncodeToString(raw)
		fmt.Fprintln(cmd.OutOrStdout(), token)
		if file == "" {
			fmt.Fprintf(cmd.ErrOrStderr(), "keep in value_file: %s\n", api.TokenHashLine(token))
			return nil
		}
		return os.WriteFile(file, []byte(api.TokenHashLine(token)+"\n"), 0o600)
	}}
	cmd.Flags().StringVar(&file, "hash-to", "", "write the hash to this file, for control.tokens[].value_file")
	return cmd
}
