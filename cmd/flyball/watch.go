package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
)

// watch repeats a listing until the command is interrupted.
type watch struct {
	on    bool
	every durationValue
	wait  func(context.Context, time.Duration) // between two readings; nil: time passes
}

// minWatch is the shortest time between two readings.
const minWatch = 500 * time.Millisecond

// flags adds --watch and --every to a command.
func (w *watch) flags(cmd *cobra.Command) {
	w.every = durationValue(2 * time.Second)
	cmd.Flags().BoolVarP(&w.on, "watch", "w", false, "print the list again when it changes, until Ctrl-C; a terminal shows the latest one")
	cmd.Flags().Var(&w.every, "every", "with --watch: read this often")
}

// run prints what once prints, and again each time that it is another one. On a terminal it replaces what was there, and is
// printed each time, because ages change. An interrupt ends it without an error.
func (w *watch) run(ctx context.Context, p printer, once func(printer) error) error {
	every := time.Duration(w.every)
	if every < minWatch {
		return usage(fmt.Errorf("--every: %s is less than %s", every, minWatch))
	}
	var before []byte
	for first := true; ; first = false {
		var b bytes.Buffer
		shown := *p.out
		shown.Writer, shown.Now = &b, time.Now()
		err := once(printer{p.form, &shown})
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && first, err != nil && !errors.Is(err, errIncomplete):
			return err
		}
		if err := w.show(p.out, before, b.Bytes(), first); err != nil {
			return err
		}
		before = b.Bytes()
		if w.wait != nil {
			w.wait(ctx, every)
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(every):
		}
	}
}

// show prints a reading after the one before it.
func (w *watch) show(out *report.Screen, before, now []byte, first bool) error {
	if out.Width > 0 {
		if err := out.Clear(); err != nil {
			return err
		}
		_, err := out.Write(now)
		return err
	}
	if !first && bytes.Equal(before, now) {
		return nil
	}
	if !first {
		if _, err := io.WriteString(out, "\n"); err != nil {
			return err
		}
	}
	_, err := out.Write(now)
	return err
}
