// Command flyball watches the API traffic of AI agents from the side of who
// owns the APIs. See README.md.
//
// This package holds flags, signals and exit codes. It refuses to hold
// anything else: the parts are joined in cmd/internal/app.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

// Exit statuses.
const (
	exitDone       = 0
	exitFailed     = 1
	exitUsage      = 2
	exitIncomplete = 3 // done, but something could not be read or a report is incomplete
)

// exitError carries an exit status with a message; an empty message prints nothing.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func usage(err error) error { return &exitError{exitUsage, err} }

var errIncomplete = &exitError{exitIncomplete, errors.New("incomplete")}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	go func() {
		// The first signal drains; a second one quits.
		<-ctx.Done()
		stop()
		again := make(chan os.Signal, 1)
		signal.Notify(again, os.Interrupt, syscall.SIGTERM)
		<-again
		os.Exit(exitFailed)
	}()
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var ee *exitError
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, errIncomplete):
		return exitIncomplete
	case errors.As(err, &ee):
		fmt.Fprintln(os.Stderr, "flyball:", err)
		return ee.code
	}
	fmt.Fprintln(os.Stderr, "flyball:", err)
	return exitFailed
}
