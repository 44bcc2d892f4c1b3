package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockFile takes an advisory lock on a file and waits for it until ctx ends. The kernel releases the lock when the process dies, so
// nothing must be cleaned up after kill -9.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	for {
		unlock, err = tryLock(path)
		if !errors.Is(err, errLocked) {
			return unlock, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", err, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func tryLock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, errLocked
		}
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { f.Close() }, nil
}

// lockName is the name of the file in the engine's folder that a running engine keeps locked.
const lockName = "engine.lock"

// NotInABackup are the names in the engine's folder that a backup leaves out: the lock, what is made at each start, and what is no data.
var NotInABackup = []string{lockName, accessFile, "tmp", "shadow", "status", "preprocessed_configs"}

// Lock takes the lock of the folder of an engine that does not run, so that none starts meanwhile. The error says that one runs.
func Lock(path string) (unlock func(), err error) { return tryLock(filepath.Join(path, lockName)) }
