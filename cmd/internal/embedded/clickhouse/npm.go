package clickhouse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// npmPack downloads the package's tarball into work with the npm client. npm uses the registry, proxy and credentials of the user's
// configuration. Its cache is stored beside the tarball: a fetch that is interrupted after the download finds the tarball there, and the
// user's own cache does not grow.
func npmPack(ctx context.Context, p pin, work string, pr *progress) (string, error) {
	npm, err := exec.LookPath("npm")
	if err != nil {
		return "", &FetchError{What: "npm is not installed", Do: "install Node.js with npm", Err: err}
	}
	cache, dest := filepath.Join(work, "npm"), filepath.Join(work, "pack")
	// Files that a killed npm left incomplete cannot be used.
	_ = os.RemoveAll(filepath.Join(cache, "_cacache", "tmp"))
	_ = os.RemoveAll(dest)
	if err := os.MkdirAll(dest, 0o755); err != nil {
		return "", diskError(err)
	}
	cmd := exec.CommandContext(ctx, npm, "pack", p.spec(),
		"--cache", cache, "--pack-destination", dest, "--prefer-offline", "--loglevel", "error", "--no-update-notifier")
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 5 * time.Second
	var stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = nil, &stderr
	stop := pr.poll(func() int64 { return treeSize(cache) })
	err = cmd.Run()
	stop()
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", npmError(p, stderr.String(), err)
	}
	got, err := filepath.Glob(filepath.Join(dest, "*.tgz"))
	if err != nil || len(got) != 1 {
		return "", &FetchError{What: fmt.Sprintf("npm pack left %d tarballs, wanted 1", len(got)), Do: "update npm"}
	}
	return got[0], nil
}

// npmError returns an error with the cause according to the code that npm prints ("npm error code ENOTFOUND").
func npmError(p pin, stderr string, err error) error {
	has := func(codes ...string) bool {
		for _, c := range codes {
			if strings.Contains(stderr, c) {
				return true
			}
		}
		return false
	}
	e := &FetchError{What: "npm pack failed", Do: "run `npm pack " + p.spec() + "` by hand to see why", Err: errors.New(firstLines(stderr, 4))}
	switch {
	case strings.TrimSpace(stderr) == "":
		e.Err = err
	case has("ENOSPC"):
		e.What, e.Do = "the disk is full", "free 1 GB, or name another folder by "+EnvDir
	case has("EINTEGRITY"):
		e.What, e.Do = "what npm downloaded has a wrong checksum", "check the proxy or mirror in front of the registry"
	case has("E404", "ETARGET", "notarget"):
		e.What, e.Do = "the npm registry in use has no "+p.spec(), "check `npm config get registry`"
	case has("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "ERR_SOCKET_TIMEOUT", "network"):
		e.What, e.Do = "no network to the npm registry", "check the network and `npm config get proxy`, then run again"
	}
	return e
}

func firstLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) > n {
		lines = lines[:n] // npm prints the cause first and its log file last
	}
	return strings.Join(lines, "; ")
}

func treeSize(dir string) int64 {
	var sum int64
	_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if i, err := d.Info(); err == nil {
				sum += i.Size()
			}
		}
		return nil
	})
	return sum
}
