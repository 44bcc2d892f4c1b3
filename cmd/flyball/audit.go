package main

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/answer"
	"flyball/cmd/internal/config"
	"flyball/detect/control"
	"flyball/detect/ledger"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// auditReport is what `flyball audit verify -o json` prints.
type auditReport struct {
	Entries uint64         `json:"entries"`
	Broken  *ledger.Broken `json:"first_bad_entry,omitempty"`
	// End is how far the trail came; Live what the enforcement point holds, absent
	// when none answers.
	End  ledger.Chain  `json:"end"`
	Live *ledger.Chain `json:"live,omitempty"`
	Say  string        `json:"say"`
}

func auditCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "audit", Short: "The chain of everything that was commanded"}
	cmd.AddCommand(&cobra.Command{Use: "verify", Short: "Walk the stored trail; name the first entry that was changed, left out or put in", Args: cobra.NoArgs, RunE: o.asks(func(cmd *cobra.Command, _ []string, format string, _ config.Config, db *clickhouse.Conn) error {
		var r auditReport
		err := query.AuditTrail(cmd.Context(), db, func(batch []schema.AuditEntry) bool {
			r.End, r.Broken = ledger.Verify(r.End, batch)
			return r.Broken == nil
		})
		if err != nil {
			return err
		}
		r.Entries = r.End.Seq
		live, err := get[ledger.Chain](o, "/v1/audit")
		switch {
		case r.Broken != nil:
			r.Say = fmt.Sprintf("entry %d %s", r.Broken.Seq, r.Broken.Why)
		case err != nil:
			r.Say = fmt.Sprintf("%d entries hold together; no enforcement point answers, so the last ones may be missing", r.Entries)
		case live.Seq < r.End.Seq:
			r.Live, r.Say = &live, fmt.Sprintf("%d entries hold together; the point that answers has folded %d of them", r.Entries, live.Seq)
		case live.Seq == r.End.Seq && live.Hash != r.End.Hash:
			r.Live, r.Broken = &live, &ledger.Broken{Seq: r.End.Seq, Why: "is not the one that the enforcement point holds: the whole trail was written anew"}
			r.Say = fmt.Sprintf("entry %d %s", r.Broken.Seq, r.Broken.Why)
		case live.Seq > r.End.Seq:
			r.Live = &live
			r.Say = fmt.Sprintf("%d entries hold together; the enforcement point has %d: the last %d are missing, or not stored yet", r.Entries, live.Seq, live.Seq-r.End.Seq)
		default:
			r.Live, r.Say = &live, fmt.Sprintf("%d entries hold together and end where the enforcement point's trail does", r.Entries)
		}
		if format == "json" {
			err = answer.JSON(cmd.OutOrStdout(), r)
		} else {
			_, err = fmt.Fprintln(cmd.OutOrStdout(), r.Say)
		}
		switch {
		case err != nil:
			return err
		case r.Broken != nil:
			return fmt.Errorf("the audit trail does not hold: %s", r.Say)
		case r.Live == nil || r.Live.Seq != r.End.Seq:
			return errIncomplete
		}
		return nil
	})}, auditList(o))
	return cmd
}

func auditList(o *options) *cobra.Command {
	var limit int
	cmd := &cobra.Command{Use: "list", Short: "The latest entries", Args: cobra.NoArgs, RunE: o.asks(func(cmd *cobra.Command, _ []string, format string, _ config.Config, db *clickhouse.Conn) error {
		list, err := query.AuditLatest(cmd.Context(), db, limit)
		if err != nil {
			return err
		}
		if format == "json" {
			return answer.JSON(cmd.OutOrStdout(), list)
		}
		return answer.Table(cmd.OutOrStdout(), "SEQ | AT (UTC) | BY | ROLE | WHAT | ABOUT | OUTCOME | REASON", func(row func(...any)) {
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
			fmt.Fprintf(cmd.ErrOrStderr(), "keep in value_file: %s\n", control.HashLine(token))
			return nil
		}
		return os.WriteFile(file, []byte(control.HashLine(token)+"\n"), 0o600)
	}}
	cmd.Flags().StringVar(&file, "hash-to", "", "write the hash to this file, for control.tokens[].value_file")
	return cmd
}
