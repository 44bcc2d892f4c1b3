package clickhouse

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// fakePackage returns a tarball in the format of npm, and a pin for it.
func fakePackage(t *testing.T) (pin, []byte, []byte) {
	t.Helper()
	lib := make([]byte, 300_000)
	r := rand.NewChaCha8([32]byte{7})
	_, _ = r.Read(lib)
	var buf bytes.Buffer
	gz := gzip.NewWriter(&buf)
	tw := tar.NewWriter(gz)
	for _, f := range []struct {
		name string
		data []byte
	}{{"package/package.json", []byte("{}")}, {"package/" + libName, lib}, {"package/index.js", []byte("1")}} {
		if err := tw.WriteHeader(&tar.Header{Name: f.name, Mode: 0o755, Size: int64(len(f.data)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		_, _ = tw.Write(f.data)
	}
	_, _ = tw.Close(), gz.Close()
	sum := sha512.Sum512(buf.Bytes())
	return pin{
		pkg: "@example/lib", version: "1.2.3", integrity: "sha512-" + base64.StdEncoding.EncodeToString(sum[:]),
		packed: int64(buf.Len()), unpacked: int64(len(lib)), member: "package/" + libName,
	}, buf.Bytes(), lib
}

// mirror serves one tarball. A test can change the response of each request.
func mirror(t *testing.T, bend func(n int, w http.ResponseWriter, r *http.Request) bool, data []byte) *atomic.Int32 {
	t.Helper()
	var n atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i := int(n.Add(1))
		if bend != nil && bend(i, w, r) {
			return
		}
		http.ServeContent(w, r, "package.tgz", time.Time{}, bytes.NewReader(data))
	}))
	t.Cleanup(srv.Close)
	t.Setenv(EnvURL, srv.URL)
	old := downloadPause
	downloadPause = time.Millisecond
	t.Cleanup(func() { downloadPause = old })
	return &n
}

func wantLib(t *testing.T, path string, lib []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(got, lib) {
		t.Errorf("library: %d bytes of %d, err %v", len(got), len(lib), err)
	}
	left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*"))
	if _, err := os.Stat(filepath.Join(filepath.Dir(path), "fetch")); err == nil || len(left) > 0 {
		t.Errorf("left behind: fetch folder (%v), %q", err, left)
	}
}

func TestFetchSaysWhatItIsAboutToDoBeforeItDoesIt(t *testing.T) {
	p, data, lib := fakePackage(t)
	dir := t.TempDir()
	var out locked
	before := make(chan string, 1)
	mirror(t, func(int, http.ResponseWriter, *http.Request) bool { before <- out.String(); return false }, data)
	path, err := fetchPin(t.Context(), p, dir, &out)
	if err != nil {
		t.Fatal(err)
	}
	wantLib(t, path, lib)
	said := <-before
	for _, want := range []string{"0 MB", p.spec(), licence, dir} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is missing before the download: %q", want, said)
		}
	}
	if n := strings.Count(out.String(), "download:"); n < 1 || n > 11 || strings.Contains(out.String(), "\r") {
		t.Errorf("%d progress lines, or a bar, without a terminal: %q", n, out.String())
	}
}

// locked is a buffer that a test can read while Fetch writes.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) { l.mu.Lock(); defer l.mu.Unlock(); return l.b.Write(p) }
func (l *locked) String() string              { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

func TestFetchTwiceDownloadsOnce(t *testing.T) {
	p, data, lib := fakePackage(t)
	dir := t.TempDir()
	n := mirror(t, nil, data)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if _, err := fetchPin(t.Context(), p, dir, new(bytes.Buffer)); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	wantLib(t, filepath.Join(dir, libName), lib)
	if n.Load() != 1 {
		t.Errorf("%d downloads", n.Load())
	}
}

// cut responds with the beginning of a file and then closes the connection.
func cut(w http.ResponseWriter, data []byte, at int) {
	w.Header().Set("Content-Length", fmt.Sprint(len(data)))
	_, _ = w.Write(data[:at])
	panic(http.ErrAbortHandler)
}

func TestDownloadThatBreaksOffIsResumedAtTheByte(t *testing.T) {
	p, data, lib := fakePackage(t)
	dir := t.TempDir()
	var mu sync.Mutex
	var ranges []string
	mirror(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		ranges = append(ranges, r.Header.Get("Range"))
		mu.Unlock()
		if n == 1 {
			cut(w, data, 100_000)
		}
		return false
	}, data)
	path, err := fetchPin(t.Context(), p, dir, new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	wantLib(t, path, lib)
	mu.Lock()
	defer mu.Unlock()
	if len(ranges) != 2 || ranges[0] != "" || ranges[1] != "bytes=100000-" {
		t.Errorf("ranges %q", ranges)
	}
}

func TestDownloadIsResumedByTheNextRun(t *testing.T) {
	p, data, lib := fakePackage(t)
	dir := t.TempDir()
	var up atomic.Bool
	n := mirror(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
		if up.Load() {
			return false
		}
		if r.Header.Get("Range") == "" {
			cut(w, data, 50_000)
		}
		panic(http.ErrAbortHandler)
	}, data)
	_, err := fetchPin(t.Context(), p, dir, new(bytes.Buffer))
	var fe *FetchError
	if !errors.As(err, &fe) || !strings.Contains(err.Error(), "run again") {
		t.Fatalf("got %v", err)
	}
	if located(dir, p) {
		t.Fatal("half a library is found")
	}
	up.Store(true)
	before := n.Load()
	path, err := fetchPin(t.Context(), p, dir, new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	wantLib(t, path, lib)
	if n.Load() != before+1 {
		t.Errorf("%d requests after the server came back", n.Load()-before)
	}
}

// located reports whether Locate accepts one directory.
func located(dir string, p pin) bool { return quickCheck(dir, p) == nil }

func TestServerThatIgnoresRangesCostsADownloadAndNoLibrary(t *testing.T) {
	p, data, lib := fakePackage(t)
	dir := t.TempDir()
	mirror(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n == 1 {
			cut(w, data, 1000)
		}
		_, _ = w.Write(data) // 200, the whole file
		return true
	}, data)
	path, err := fetchPin(t.Context(), p, dir, new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	wantLib(t, path, lib)
}

func TestWrongChecksumIsRefusedAndThrownAway(t *testing.T) {
	p, data, lib := fakePackage(t)
	dir := t.TempDir()
	bad := bytes.Clone(data)
	bad[len(bad)/2] ^= 1
	mirror(t, func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n == 1 {
			_, _ = w.Write(bad)
		}
		return n == 1
	}, data)
	if _, err := fetchPin(t.Context(), p, dir, new(bytes.Buffer)); !errors.Is(err, ErrChecksum) {
		t.Fatalf("got %v", err)
	}
	if located(dir, p) {
		t.Fatal("a library with a wrong checksum is found")
	}
	path, err := fetchPin(t.Context(), p, dir, new(bytes.Buffer))
	if err != nil {
		t.Fatalf("the bad bytes are still there: %v", err)
	}
	wantLib(t, path, lib)
}

func TestLongerFileThanPinnedIsRefused(t *testing.T) {
	p, data, _ := fakePackage(t)
	mirror(t, nil, append(bytes.Clone(data), make([]byte, 1<<20)...))
	if _, err := fetchPin(t.Context(), p, t.TempDir(), new(bytes.Buffer)); !errors.Is(err, ErrChecksum) {
		t.Errorf("got %v", err)
	}
}

func TestMirrorWithoutTheFileIsNamed(t *testing.T) {
	p, _, _ := fakePackage(t)
	mirror(t, func(_ int, w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(404); return true }, nil)
	_, err := fetchPin(t.Context(), p, t.TempDir(), new(bytes.Buffer))
	if err == nil || !strings.Contains(err.Error(), "404") || !strings.Contains(err.Error(), EnvLib) ||
		!strings.Contains(err.Error(), "clickhouse.addr") {
		t.Errorf("got %v", err)
	}
}

func TestCancelledFetchEndsAndKeepsItsPart(t *testing.T) {
	p, data, _ := fakePackage(t)
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	mirror(t, func(_ int, w http.ResponseWriter, r *http.Request) bool {
		w.Header().Set("Content-Length", fmt.Sprint(len(data)))
		_, _ = w.Write(data[:70_000])
		_ = http.NewResponseController(w).Flush()
		for st, err := os.Stat(filepath.Join(dir, "fetch", "package.tgz.part")); err != nil || st.Size() < 70_000; st,
			err = os.Stat(filepath.Join(dir, "fetch", "package.tgz.part")) {
			time.Sleep(time.Millisecond)
		}
		cancel()
		<-r.Context().Done()
		return true
	}, data)
	if _, err := fetchPin(ctx, p, dir, new(bytes.Buffer)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if st, err := os.Stat(filepath.Join(dir, "fetch", "package.tgz.part")); err != nil || st.Size() != 70_000 {
		t.Errorf("part: %v, %v", st, err)
	}
}

// fakeNPM puts a two-line npm script first in the path.
func fakeNPM(t *testing.T, script string) {
	t.Helper()
	t.Setenv(EnvURL, "")
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "npm"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

func TestPackageComesThroughTheNpmClient(t *testing.T) {
	p, data, lib := fakePackage(t)
	tgz := filepath.Join(t.TempDir(), "p.tgz")
	if err := os.WriteFile(tgz, data, 0o644); err != nil {
		t.Fatal(err)
	}
	fakeNPM(t, `[ "$1 $2" = "pack @example/lib@1.2.3" ] || exit 9
while [ $# -gt 0 ]; do [ "$1" = --pack-destination ] && cp `+tgz+` "$2/example-lib-1.2.3.tgz"; shift; done`)
	path, err := fetchPin(t.Context(), p, t.TempDir(), new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	wantLib(t, path, lib)
}

func TestWhatNpmSaysBecomesWhatToDo(t *testing.T) {
	p, _, _ := fakePackage(t)
	for said, want := range map[string]string{
		"npm error code ENOTFOUND":          "no network",
		"npm error code ENOSPC":             "disk is full",
		"npm error code E404":               "has no @example/lib@1.2.3",
		"npm error code EINTEGRITY":         "wrong checksum",
		"npm error something unheard of":    "by hand",
		"npm error code ERR_SOCKET_TIMEOUT": "no network",
	} {
		fakeNPM(t, "echo '"+said+"' >&2; exit 1")
		_, err := fetchPin(t.Context(), p, t.TempDir(), new(bytes.Buffer))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), said) {
			t.Errorf("npm said %q, error is %v", said, err)
		}
	}
}

func TestMissingNpmIsNamed(t *testing.T) {
	p, _, _ := fakePackage(t)
	t.Setenv(EnvURL, "")
	t.Setenv("PATH", t.TempDir())
	_, err := fetchPin(t.Context(), p, t.TempDir(), new(bytes.Buffer))
	if err == nil || !strings.Contains(err.Error(), "npm is not installed") || !strings.Contains(err.Error(), EnvLib) {
		t.Errorf("got %v", err)
	}
}

func TestChangedLibraryIsNotTakenForThePinnedOne(t *testing.T) {
	p, data, lib := fakePackage(t)
	dir := t.TempDir()
	mirror(t, nil, data)
	path, err := fetchPin(t.Context(), p, dir, new(bytes.Buffer))
	if err != nil {
		t.Fatal(err)
	}
	// A library with a new time but the same content is accepted, and later checks are fast.
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	if err := quickCheck(dir, p); err != nil {
		t.Errorf("touched: %v", err)
	}
	bad := bytes.Clone(lib)
	bad[5] ^= 1
	if err := os.WriteFile(path, bad, 0o755); err != nil {
		t.Fatal(err)
	}
	if quickCheck(dir, p) == nil {
		t.Error("changed library passes")
	}
	if _, err := fetchPin(t.Context(), p, dir, new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	wantLib(t, path, lib)
	p.version = "1.2.4"
	if quickCheck(dir, p) == nil {
		t.Error("another version passes")
	}
}

func TestPlatformWithoutAnEngineIsTold(t *testing.T) {
	_, err := pinFor("plan9", "mips")
	if err == nil || !strings.Contains(err.Error(), "no engine for plan9/mips") || !strings.Contains(err.Error(), "clickhouse.addr") {
		t.Errorf("got %v", err)
	}
}

func TestLocateGoesByTheEnvironmentFirst(t *testing.T) {
	dir := t.TempDir()
	t.Setenv(EnvDir, dir)
	t.Setenv(EnvLib, "")
	if _, err := Locate(); err == nil || errors.Is(err, ErrNoLibrary) && !strings.Contains(err.Error(), dir) {
		t.Errorf("empty folder: %v", err)
	}
	if DefaultDir() != dir {
		t.Errorf("default folder is %s", DefaultDir())
	}
	lib := filepath.Join(dir, "mine.so")
	t.Setenv(EnvLib, lib)
	if _, err := Locate(); err == nil || !strings.Contains(err.Error(), EnvLib) {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(lib, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if got, err := Locate(); err != nil || got != lib {
		t.Errorf("got %s, %v", got, err)
	}
}
