package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"flyball/cmd/internal/config"
)

// secretFiles reads files with tokens, passwords, keys and certificates again when they change, and on SIGHUP; and the configuration
// file with the files that it names. A file that cannot be used changes nothing: the value before stays in force, and the part has a
// warning. Values are used by new connections and requests; open connections go on.
type secretFiles struct {
	log *slog.Logger

	looking sync.Mutex // held while look applies
	mu      sync.Mutex
	watches []*watch
}

// watch is a value that comes from files.
type watch struct {
	key      string // in the configuration
	paths    []string
	stamps   []fileStamp
	apply    func() error
	err      error // of the last change; nil: it is in force
	reported bool  // apply logs what has changed, and the status of the process says why it cannot be used
}

// fileStamp identifies a state of a file.
type fileStamp struct{ modified, size int64 }

// readStamp returns the stamp of a file, or the zero value if there is none.
func readStamp(file string) fileStamp {
	info, err := os.Stat(file)
	if err != nil {
		return fileStamp{}
	}
	return fileStamp{info.ModTime().UnixNano(), info.Size()}
}

// secretFilesEvery is the time between two looks at the files.
const secretFilesEvery = time.Second

// watched reads a value now, and, unless w is nil, again when one of its files changes.
func watched[T any](w *secretFiles, key string, paths []string, read func() (T, error)) (*atomic.Pointer[T], error) {
	value := &atomic.Pointer[T]{}
	apply := func() error {
		v, err := read()
		if err == nil {
			value.Store(&v)
		}
		return err
	}
	// The stamps are older than the value: a change in between is noticed.
	stamps := readStamps(paths)
	if err := apply(); err != nil {
		return nil, err
	}
	w.add(&watch{key: key, paths: paths, stamps: stamps, apply: apply})
	return value, nil
}

func (w *secretFiles) add(one *watch) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.watches = append(w.watches, one)
}

// watchKey warns while the file of the deployment's key holds other keys than those with which the process started, if it has one.
func (w *secretFiles) watchKey(c config.Config, started Keys) {
	if started.Current == nil {
		return
	}
	paths := []string{keyFile(c)}
	w.add(&watch{key: "secret_key_file", paths: paths, stamps: readStamps(paths), apply: func() error {
		now, err := ReadKeys(c, false)
		if err == nil && !slices.EqualFunc(append(now.FormerBytes(), now.Current), append(started.FormerBytes(), started.Current), bytes.Equal) {
			err = errors.New("it holds other keys than at the start: restart this process")
		}
		return err
	}})
}

func readStamps(paths []string) (out []fileStamp) {
	for _, p := range paths {
		out = append(out, readStamp(p))
	}
	return out
}

// run looks at the files until ctx ends.
func (w *secretFiles) run(ctx context.Context) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	defer signal.Stop(hangup)
	tick := time.NewTicker(secretFilesEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			w.look(false)
		case <-hangup:
			w.look(true)
		}
	}
}

// look applies what has changed; all: also what has not. What it applies may take seconds: meanwhile warning and unusable answer.
func (w *secretFiles) look(all bool) {
	w.looking.Lock()
	defer w.looking.Unlock()
	w.mu.Lock()
	watches := slices.Clone(w.watches)
	w.mu.Unlock()
	for _, one := range watches {
		now, before := readStamps(one.paths), one.err
		same := !all && slices.Equal(now, one.stamps)
		if same && before == nil {
			continue
		}
		// What failed is tried again although the file is the same: permissions may have been mended, or the process had no file handles.
		one.stamps = now
		err := one.apply()
		w.mu.Lock()
		one.err = err
		w.mu.Unlock()
		if err != nil {
			if same && err.Error() == before.Error() {
				continue
			}
			w.log.Error("a changed file cannot be used, the value before stays in force", "key", one.key, "error", err)
			continue
		}
		if !one.reported {
			w.log.Info("read again", "key", one.key)
		}
	}
}

// warning returns which changed files cannot be used; nil: none.
func (w *secretFiles) warning() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []error
	for _, one := range w.watches {
		if one.err != nil && !one.reported {
			all = append(all, fmt.Errorf("%s: the changed file cannot be used, the value before stays in force: %w", one.key, one.err))
		}
	}
	return errors.Join(all...)
}

// unusable returns how many values cannot be used as their files are now.
func (w *secretFiles) unusable() (n float64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, one := range w.watches {
		if one.err != nil {
			n++
		}
	}
	return n
}
