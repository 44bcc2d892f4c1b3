package clickhouse

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// Fetch fetches the pinned library into dir unless it is there, and returns its path. It writes to out what it downloads before it
// begins. If it fails, dir contains no library that Locate accepts.
//
// The package is downloaded with the npm client, so the user's registry, proxy and credentials are used. npm cannot resume inside a
// tarball, but a complete tarball is not downloaded again. If FLYBALL_ENGINE_URL names a mirror of the tarball, it is downloaded over
// HTTP and resumed at the last byte.
func Fetch(ctx context.Context, dir string, out io.Writer) (string, error) {
	p, err := pinned()
	if err != nil {
		return "", err
	}
	return fetchPin(ctx, p, dir, out)
}

func fetchPin(ctx context.Context, p pin, dir string, out io.Writer) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", diskError(err)
	}
	lib := filepath.Join(dir, libName)
	if quickCheck(dir, p) == nil {
		return lib, nil
	}
	unlock, err := lockFile(ctx, filepath.Join(dir, "fetch.lock"))
	if err != nil {
		return "", fmt.Errorf("wait for another fetch into %s: %w", dir, err)
	}
	defer unlock()
	if quickCheck(dir, p) == nil { // another process has fetched it
		return lib, nil
	}

	source := "npm"
	if os.Getenv(EnvURL) != "" {
		source = EnvURL
	}
	fmt.Fprintf(out, "fetching the ClickHouse engine: %s to download, %s on disk\n  package  %s by %s, licence %s\n  into     %s\n",
		megabytes(p.packed), megabytes(p.unpacked), p.spec(), source, licence, dir)
	if err := roomFor(dir, p); err != nil {
		return "", err
	}
	work := filepath.Join(dir, "fetch")
	if err := os.MkdirAll(work, 0o755); err != nil {
		return "", diskError(err)
	}
	tarball, err := obtain(ctx, p, work, out)
	if err != nil {
		return "", err
	}
	pr := newProgress(out, "unpack", p.unpacked)
	err = unpack(tarball, dir, p, pr)
	pr.end()
	if err != nil {
		return "", fmt.Errorf("unpack %s: %w", p.spec(), err)
	}
	_ = os.RemoveAll(work)
	fmt.Fprintf(out, "  ready    %s\n", lib)
	return lib, nil
}

// obtain returns a tarball with the pinned checksum.
func obtain(ctx context.Context, p pin, work string, out io.Writer) (string, error) {
	whole := filepath.Join(work, "package.tgz")
	if err := verify(whole, p.integrity); err == nil {
		fmt.Fprintln(out, "  download: found whole from an earlier run")
		return whole, nil
	}
	pr := newProgress(out, "download", p.packed)
	got := whole + ".part"
	var err error
	if url := os.Getenv(EnvURL); url != "" {
		err = download(ctx, url, got, p.packed, pr)
	} else {
		got, err = npmPack(ctx, p, work, pr)
	}
	pr.end()
	if err != nil {
		return "", err
	}
	if err := verify(got, p.integrity); err != nil {
		// If it were kept, it would be resumed or found in the cache again at each attempt.
		_ = os.Remove(got)
		_ = os.RemoveAll(filepath.Join(work, "npm"))
		return "", err
	}
	return whole, os.Rename(got, whole)
}

// roomFor returns an error before the download if the disk has not enough free space.
func roomFor(dir string, p pin) error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return nil // not critical: without space, the later write fails
	}
	need := 2*p.packed + p.unpacked
	if free := int64(st.Bavail) * int64(st.Bsize); free < need {
		return diskError(fmt.Errorf("%w: %s free in %s, %s needed", syscall.ENOSPC, megabytes(free), dir, megabytes(need)))
	}
	return nil
}

// errLocked is the error of tryLock if another process holds the lock.
var errLocked = errors.New("locked by another process")
