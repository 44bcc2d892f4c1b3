package clickhouse

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Environment variables with the place of the library and the source to fetch it from.
const (
	EnvLib = "FLYBALL_ENGINE_LIB" // the library file itself
	EnvDir = "FLYBALL_ENGINE_DIR" // the directory that Fetch writes to and Locate reads
	EnvURL = "FLYBALL_ENGINE_URL" // a mirror of the package's tarball, instead of npm
)

// ErrNoLibrary is the error of Locate if no directory contains the library.
var ErrNoLibrary = errors.New("the ClickHouse engine library is not here")

// Locate returns the path of the library. It accepts a directory only with the stamp that Fetch wrote for the pinned version, so that an
// incomplete or older library is not loaded but fetched again.
func Locate() (string, error) {
	if f := os.Getenv(EnvLib); f != "" {
		if st, err := os.Stat(f); err != nil || !st.Mode().IsRegular() {
			return "", fmt.Errorf("%s=%s is not a readable file: point it at a libchdb, or unset it", EnvLib, f)
		}
		return f, nil
	}
	p, err := pinned()
	if err != nil {
		return "", err
	}
	var tried []string
	for _, dir := range searchDirs() {
		if quickCheck(dir, p) == nil {
			return filepath.Join(dir, libName), nil
		}
		tried = append(tried, dir)
	}
	return "", fmt.Errorf("%w (looked for %s in %q): run `make engine` or `flyball up` to fetch it, set %s, or set clickhouse.addr",
		ErrNoLibrary, p.version, tried, EnvLib)
}

func searchDirs() []string {
	if d := os.Getenv(EnvDir); d != "" {
		return []string{d}
	}
	var dirs []string
	if d, ok := treeDir(); ok {
		dirs = append(dirs, d)
	}
	if d, ok := cacheDir(); ok {
		dirs = append(dirs, d)
	}
	return dirs
}

// DefaultDir returns the default directory of Fetch: .engine beside the bin directory of a checkout if that is writable, otherwise the
// user's cache directory.
func DefaultDir() string {
	if d := os.Getenv(EnvDir); d != "" {
		return d
	}
	if d, ok := treeDir(); ok && writable(filepath.Dir(d)) {
		return d
	}
	if d, ok := cacheDir(); ok {
		return d
	}
	return filepath.Join(os.TempDir(), "flyball-engine")
}

// treeDir returns .engine beside the bin directory of the executable.
func treeDir() (string, bool) {
	exe, err := os.Executable()
	if err != nil {
		return "", false
	}
	if real, err := filepath.EvalSymlinks(exe); err == nil {
		exe = real
	}
	bin := filepath.Dir(exe)
	if filepath.Base(bin) != "bin" {
		return "", false
	}
	return filepath.Join(filepath.Dir(bin), ".engine"), true
}

func cacheDir() (string, bool) {
	d, err := os.UserCacheDir()
	if err != nil {
		return "", false
	}
	return filepath.Join(d, "flyball", "engine"), true
}

func writable(dir string) bool {
	f, err := os.CreateTemp(dir, ".flyball-writable-*")
	if err != nil {
		return false
	}
	f.Close()
	return os.Remove(f.Name()) == nil
}
