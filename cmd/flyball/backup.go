package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/backup"
	"flyball/cmd/internal/report"
)

func backupCommand(o *options) *cobra.Command {
	var out string
	var withoutKey bool
	a := answer[backup.Taken]{query: func(r *request) (backup.Taken, error) { return takeBackup(r, out, withoutKey) },
		table: func(w io.Writer, t backup.Taken) error {
			how := "Flyball was stopped"
			if t.Header.Running {
				how = fmt.Sprintf("the broker stood still for %d ms", t.FrozenMS)
			}
			_ = report.Printf(w, "%s\n%d files, %s, %s packed, in %.1f s; %s\n", t.File, t.Files, size(t.Bytes), size(t.Packed), t.Seconds, how)
			return printBackupContents(w, t.Header)
		}}
	cmd := &cobra.Command{Use: "backup --out FILE|DIR", Args: cobra.NoArgs, RunE: a.run(o),
		Short: "Store the embedded engine, the embedded broker's log and the key in one file, while Flyball runs",
		Long: `Store the embedded engine, the embedded broker's log and the key in one file, while Flyball runs.

Run it on the machine of flyball up, as the same user and with the same --data. The broker stands still while hard links to its
files are made and the engine freezes its tables; then the files are copied. The archive holds the deployment's key and the
passwords of the embedded parts: only its owner may read it. --without-key leaves them out; restore then wants the key from elsewhere.
An outside Kafka or ClickHouse (kafka.brokers, clickhouse.addr), and flyball.yaml, are not part of it.`}
	cmd.Flags().StringVar(&out, "out", "", "file to write, or a folder for it")
	cmd.Flags().BoolVar(&withoutKey, "without-key", false, "leave out the deployment's key and the passwords of the embedded parts")
	cmd.AddCommand(backupVerifyCommand(o))
	return cmd
}

func takeBackup(r *request, out string, withoutKey bool) (backup.Taken, error) {
	c, err := r.options.load()
	if err != nil {
		return backup.Taken{}, err
	}
	h, err := app.BackupHeader(c, !withoutKey)
	if err != nil {
		return backup.Taken{}, err
	}
	if !withoutKey && !h.Key {
		report.Printf(r.stderr, "secret_key_file is outside the data folder: the key is not part of the backup, keep %s elsewhere\n",
			c.SecretKeyFile)
	}
	return backup.Take(r.ctx, backup.Options{Data: c.Data, Out: out, Header: h, Broker: len(c.Kafka.Brokers) == 0,
		Engine: len(c.ClickHouse.Addr) == 0, Now: time.Now})
}

func backupVerifyCommand(o *options) *cobra.Command {
	a := answer[backup.Result]{query: func(r *request) (backup.Result, error) {
		result, err := backup.Verify(r.args[0])
		if err != nil {
			err = fmt.Errorf("%s: %w", r.args[0], err)
		}
		return result, err
	}, table: func(w io.Writer, r backup.Result) error {
		_ = report.Printf(w, "whole: %d files, %s, as they were stored at %s by Flyball %s\n", r.Files, size(r.Bytes),
			r.Header.Created.Format(time.RFC3339), r.Header.Flyball)
		return printBackupContents(w, r.Header)
	}}
	return &cobra.Command{Use: "verify FILE", Args: cobra.ExactArgs(1), RunE: a.run(o),
		Short: "Read a whole backup and compare every file with its SHA-256"}
}

func printBackupContents(w io.Writer, h backup.Header) error {
	has := func(name string, is bool) string {
		if is {
			return name
		}
		return "no " + name
	}
	key := "the deployment's key and passwords: keep it as you keep them"
	if !h.Key {
		key = "no key"
	}
	return report.Printf(w, "holds of deployment %s: %s, %s, %s\n", h.Deployment, has("log of the embedded broker", h.Broker),
		has("tables of the embedded engine", h.Engine), key)
}

func restoreCommand(o *options) *cobra.Command {
	var force bool
	a := answer[backup.Restored]{query: func(r *request) (backup.Restored, error) {
		c, err := r.options.load()
		if err != nil {
			return backup.Restored{}, err
		}
		return backup.Restore(backup.RestoreOptions{File: r.args[0], Data: c.Data, Force: force, Versions: app.FormatVersions(), Now: time.Now})
	}, table: func(w io.Writer, r backup.Restored) error {
		_ = report.Printf(w, "restored to %s in %.1f s: %d files, %s, of %s\n", r.Data, r.Seconds, r.Files, size(r.Bytes),
			r.Header.Created.Format(time.RFC3339))
		if r.Before != "" {
			_ = report.Printf(w, "what was there before is in %s: delete it when it is not needed any more\n", r.Before)
		}
		if !r.Header.Key {
			_ = report.Printf(w, "the backup holds no key: put the key of deployment %s into %s/secret.key, mode 0600, before the start\n",
				r.Header.Deployment, r.Data)
		}
		return printBackupContents(w, r.Header)
	}}
	cmd := &cobra.Command{Use: "restore FILE", Args: cobra.ExactArgs(1), RunE: a.run(o),
		Short: "Put a backup into the data folder; the archive is checked first",
		Long: `Put a backup into the data folder (--data, or data of the configuration).

Every file is compared with its SHA-256 before anything is written. A folder that holds something is refused without --force, which
moves what is there into a folder before-restore-TIME below it. Until the restore is complete nothing starts in the folder; an
interrupted one is run again.`}
	cmd.Flags().BoolVar(&force, "force", false, "move what is in the data folder away")
	return cmd
}

// size returns a number of bytes for people.
func size(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", (n+1023)>>10)
}
