package backup

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"flyball/cmd/internal/embedded/broker"
	engine "flyball/cmd/internal/embedded/clickhouse"
)

// Options say what is stored and where.
type Options struct {
	Data   string // the data folder
	Out    string // the archive's file, or a folder for it
	Header Header
	// Broker and Engine say which parts are embedded in this deployment.
	Broker, Engine bool
	Now            func() time.Time
}

// Taken is the result of a backup.
type Taken struct {
	Result
	File string `json:"file"`
	// FrozenMS is how long the broker stood still, in milliseconds; 0 when Flyball was stopped.
	FrozenMS int64   `json:"frozen_ms"`
	Seconds  float64 `json:"seconds"`
}

// answerTimeout is how long a running process may need for a snapshot.
const answerTimeout = time.Minute

// Take makes a backup. It asks the process that uses the data folder, or locks the folder if there is none.
func Take(ctx context.Context, o Options) (Taken, error) {
	began := o.Now()
	if err := CheckRestored(o.Data); err != nil {
		return Taken{}, err
	}
	if _, err := os.Stat(o.Data); err != nil {
		return Taken{}, fmt.Errorf("--data: %w; name the data folder of the deployment", err)
	}
	file, err := outFile(o, began)
	if err != nil {
		return Taken{}, err
	}
	h := o.Header
	h.Created = began.UTC()
	running := broker.Running(filepath.Join(o.Data, brokerDir)) || engine.InUse(filepath.Join(o.Data, engineDir))
	var a answer
	var release func()
	if running {
		a, release, err = ask(ctx, o.Data)
	} else {
		a, release, err = readStopped(o)
	}
	if err != nil {
		return Taken{}, err
	}
	defer release()
	h.Running, h.Broker, h.Engine = running, a.Broker, a.Engine
	result, err := writeArchive(file, h, append(ownFiles(o.Data, h.Key), a.Sources...))
	return Taken{result, file, a.FrozenMS, o.Now().Sub(began).Seconds()}, err
}

// outFile returns the file of the archive: in a folder it is named by deployment and time.
func outFile(o Options, now time.Time) (string, error) {
	if o.Out == "" {
		return "", errors.New("--out: empty; name a file, or a folder")
	}
	info, err := os.Stat(o.Out)
	switch {
	case err == nil && info.IsDir():
		name := strings.TrimSuffix("flyball-"+o.Header.Deployment, "-") + now.UTC().Format("-20060102T150405Z")
		return filepath.Join(o.Out, name+".tar.zst"), nil
	case err == nil:
		return "", fmt.Errorf("--out: %s exists already; choose another name", o.Out)
	}
	return o.Out, nil
}

// ask makes a request and waits for its answer. release lets the process remove what it made.
func ask(ctx context.Context, data string) (a answer, release func(), err error) {
	raw := make([]byte, 8)
	if _, err := rand.Read(raw); err != nil {
		return a, nil, err
	}
	id := hex.EncodeToString(raw)
	parent := filepath.Join(data, requestsDir)
	fresh, dir := filepath.Join(parent, "new-"+id), filepath.Join(parent, requestPrefix+id)
	if err := os.MkdirAll(fresh, 0o700); err != nil {
		return a, nil, err
	}
	lock, err := os.OpenFile(filepath.Join(fresh, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return a, nil, err
	}
	release = func() { _ = lock.Close() }
	defer func() {
		if err != nil {
			release()
		}
	}()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return a, release, err
	}
	if err := os.Rename(fresh, dir); err != nil {
		return a, release, err
	}
	limit, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	for {
		text, err := os.ReadFile(filepath.Join(dir, answerFile))
		switch {
		case err == nil:
			if err := json.Unmarshal(text, &a); err != nil {
				return a, release, err
			}
			if a.Error != "" {
				return a, release, errors.New(a.Error)
			}
			return a, release, nil
		case !errors.Is(err, fs.ErrNotExist):
			return a, release, err
		}
		select {
		case <-limit.Done():
			if ctx.Err() != nil {
				return a, release, ctx.Err()
			}
			return a, release, fmt.Errorf("a process uses %s and did not answer within %s: it is of a version without backups, or it hangs; "+
				"stop it and try again", data, answerTimeout)
		case <-time.After(pollEvery / 3):
		}
	}
}

// readStopped returns the files of a folder that no process uses. release unlocks it.
func readStopped(o Options) (a answer, release func(), err error) {
	var unlock []func()
	release = func() {
		for _, u := range unlock {
			u()
		}
	}
	for _, part := range []struct {
		embedded bool
		name     string
		lock     func(string) (func(), error)
		list     func() ([]Source, error)
		has      *bool
	}{
		{o.Broker, brokerDir, broker.Lock, func() ([]Source, error) { return brokerFiles(o.Data) }, &a.Broker},
		{o.Engine, engineDir, engine.Lock, func() ([]Source, error) { return engineFiles(o.Data, true) }, &a.Engine},
	} {
		dir := filepath.Join(o.Data, part.name)
		if _, err := os.Stat(dir); !part.embedded || err != nil {
			continue
		}
		u, err := part.lock(dir)
		if err != nil {
			release()
			return a, nil, err
		}
		unlock = append(unlock, u)
		list, err := part.list()
		if err != nil {
			release()
			return a, nil, err
		}
		a.Sources, *part.has = append(a.Sources, list...), true
	}
	return a, release, nil
}

// locked reports whether a living process holds the lock of a file.
func locked(file string) bool {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}

// validID reports whether an id is one that ask makes: it becomes part of a statement and of paths.
func validID(id string) bool {
	raw, err := hex.DecodeString(id)
	return err == nil && len(raw) == 8
}
