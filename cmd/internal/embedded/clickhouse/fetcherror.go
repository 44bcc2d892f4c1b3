package clickhouse

import (
	"errors"
	"fmt"
	"syscall"
)

// FetchError describes why a fetch failed and what a person can do.
type FetchError struct {
	What string
	Do   string
	Err  error
}

func (e *FetchError) Error() string {
	s := "fetch the ClickHouse engine: " + e.What
	if e.Err != nil {
		s += " (" + e.Err.Error() + ")"
	}
	return s + ": " + e.Do + "; or set " + EnvLib + " to a libchdb of your own, or clickhouse.addr to a server"
}

func (e *FetchError) Unwrap() error { return e.Err }

// ErrChecksum is wrapped by the error for a download that differs from the pinned package.
var ErrChecksum = errors.New("checksum differs from the pinned one")

func errChecksum(detail error) error {
	return &FetchError{What: "what was downloaded is not the pinned package and was thrown away",
		Do: "check the proxy or mirror in between, then run again", Err: fmt.Errorf("%w: %w", ErrChecksum, detail)}
}

func isDisk(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.EACCES)
}

func diskError(err error) error {
	e := &FetchError{What: "cannot write the library", Do: "name a folder of yours by " + EnvDir, Err: err}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		e.What, e.Do = "the disk is full", "free 1 GB, or name another folder by "+EnvDir
	}
	return e
}
