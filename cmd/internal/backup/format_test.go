package backup

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"flyball/cmd/internal/archive"
)

func sources(t *testing.T) []Source {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"a": "first", "log": "kept and grown later"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return []Source{{Name: "secret.key", Path: filepath.Join(dir, "a"), Size: -1},
		{Name: "broker/x/0.dat", Path: filepath.Join(dir, "log"), Size: 4}, {Name: "engine/data/t", Link: "../store/t"}}
}

func written(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "b.tar.zst")
	if _, err := writeArchive(file, Header{Created: time.Now().UTC(), Key: true}, sources(t)); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestArchiveComesBack(t *testing.T) {
	file := written(t)
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("%v %v: the archive holds the key, others may read it", info.Mode(), err)
	}
	if r, err := Verify(file); err != nil || r.Files != 3 || r.Bytes != 9 || !r.Header.Key {
		t.Fatalf("%+v %v", r, err)
	}
	dir := t.TempDir()
	if _, err := extractArchive(file, dir); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(dir, "broker/x/0.dat"))
	if string(got) != "kept" || err != nil {
		t.Errorf("%q %v: want the bytes that the file had when the snapshot was taken", got, err)
	}
	if link, _ := os.Readlink(filepath.Join(dir, "engine/data/t")); link != "../store/t" {
		t.Errorf("link %q", link)
	}
	if _, err := writeArchive(file, Header{}, nil); err == nil {
		t.Error("an existing archive was replaced")
	}
}

// Every cut of an archive is refused, also one at the end of a file in it.
func TestHalfABackupIsTakenForAWholeOne(t *testing.T) {
	whole, err := os.ReadFile(written(t))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "half")
	for n := range whole {
		if err := os.WriteFile(file, whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(file); err == nil {
			t.Fatalf("%d of %d bytes were accepted", n, len(whole))
		}
	}
}

// A changed byte is refused, or changes nothing of what is restored (a byte of the compression's settings).
func TestChangedByteChangesTheDataInSilence(t *testing.T) {
	whole, err := os.ReadFile(written(t))
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "changed")
	for n := range whole {
		changed := append([]byte(nil), whole...)
		changed[n] ^= 0x41
		if err := os.WriteFile(file, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(file); err != nil {
			continue
		}
		dir := t.TempDir()
		if _, err := extractArchive(file, dir); err != nil {
			t.Fatal(err)
		}
		key, _ := os.ReadFile(filepath.Join(dir, "secret.key"))
		log, _ := os.ReadFile(filepath.Join(dir, "broker/x/0.dat"))
		if string(key) != "first" || string(log) != "kept" {
			t.Fatalf("byte %d of %d was changed: %q %q", n, len(whole), key, log)
		}
	}
}

// hostile writes an archive with the given entries, and a manifest that lists what a writer would list.
func hostile(t *testing.T, header string, entries ...tar.Header) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "hostile")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	z, _ := zstd.NewWriter(f)
	w := tar.NewWriter(z)
	put := func(h tar.Header, text string) {
		h.Size, h.Mode = int64(len(text)), 0o600
		if err := errors.Join(w.WriteHeader(&h)); err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte(text))
	}
	put(tar.Header{Typeflag: tar.TypeReg, Name: headerName}, header)
	for _, e := range entries {
		put(e, "")
	}
	manifest := []archive.Entry{}
	for _, e := range entries {
		m := archive.Entry{Name: e.Name, Link: e.Linkname}
		if e.Linkname == "" {
			m = archive.NewSum().Entry(e.Name)
		}
		manifest = append(manifest, m)
	}
	text, err := json.Marshal(manifest)
	if err != nil {
		t.Fatal(err)
	}
	put(tar.Header{Typeflag: tar.TypeReg, Name: manifestName}, string(text))
	if err := errors.Join(w.Close(), z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestArchiveWritesOutsideTheFolder(t *testing.T) {
	for _, e := range []tar.Header{{Typeflag: tar.TypeReg, Name: "../x"}, {Typeflag: tar.TypeReg, Name: "/etc/x"},
		{Typeflag: tar.TypeReg, Name: "a/../../x"}, {Typeflag: tar.TypeSymlink, Name: "l", Linkname: "/etc"},
		{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "../.."}, {Typeflag: tar.TypeLink, Name: "l", Linkname: "/etc/passwd"},
		{Typeflag: tar.TypeFifo, Name: "p"}, {Typeflag: tar.TypeSymlink, Name: "engine/l", Linkname: "../../x"}} {
		file := hostile(t, `{"format":1}`, e)
		if _, err := extractArchive(file, t.TempDir()); err == nil || !strings.Contains(err.Error(), "data folder") &&
			!strings.Contains(err.Error(), "neither") {
			t.Errorf("%s %s: %v", e.Name, e.Linkname, err)
		}
	}
}

func TestArchiveOfANewerProgramIsRead(t *testing.T) {
	for header, want := range map[string]string{`{"format":2,"flyball":"9.0"}`: "format 2, made by Flyball 9.0",
		`{}`: "format 0", `x`: headerName} {
		if _, err := Verify(hostile(t, header)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", header, err)
		}
	}
	other := filepath.Join(t.TempDir(), "other")
	_ = os.WriteFile(other, []byte("PK\x03\x04"), 0o600)
	if _, err := Verify(other); err == nil {
		t.Error("another file was accepted")
	}
}

// A backup is killed between its two names, or somebody else has put a link there.
func TestNextBackupEmptiesAFinishedOne(t *testing.T) {
	for _, link := range []func(string, string) error{os.Link, os.Symlink} {
		kept := written(t)
		file := filepath.Join(filepath.Dir(kept), "next.tar.zst")
		if err := link(kept, file+".partial"); err != nil {
			t.Fatal(err)
		}
		_, _ = writeArchive(file, Header{}, sources(t))
		if _, err := Verify(kept); err != nil {
			t.Errorf("%v: another file was overwritten", err)
		}
	}
}

// Each of the links seems to stay in the folder. What is later written to the last one is beside it.
func TestLinkOverALinkLeadsOutOfTheFolder(t *testing.T) {
	link := func(name, to string) tar.Header {
		return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: to}
	}
	deep, out := link("a/b/c", "../../z"), link("broker", "a/b/c/../../evil")
	for what, entries := range map[string][]tar.Header{
		"out":          {{Typeflag: tar.TypeReg, Name: "z/f"}, deep, out},
		"out, dangles": {deep, {Typeflag: tar.TypeReg, Name: "z/f"}, out},
		"round":        {link("a", "b"), link("b", "a")},
	} {
		_, err := extractArchive(hostile(t, `{"format":1}`, entries...), t.TempDir())
		if err == nil || !strings.Contains(err.Error(), "data folder") {
			t.Errorf("%s: %v", what, err)
		}
	}
	plain := hostile(t, `{"format":1}`, tar.Header{Typeflag: tar.TypeReg, Name: "z/f"}, deep, link("l", "z/not-there"))
	if _, err := extractArchive(plain, t.TempDir()); err != nil {
		t.Errorf("links that stay inside: %v", err)
	}
}

func TestHeaderOfABackupIsABomb(t *testing.T) {
	file := hostile(t, `{"format":1,"flyball":"`+strings.Repeat(" ", 64<<20)+`"}`)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := headerOf(file)
	runtime.ReadMemStats(&after)
	if err == nil || after.TotalAlloc-before.TotalAlloc > 48<<20 {
		t.Errorf("%v: %d bytes were allocated", err, after.TotalAlloc-before.TotalAlloc)
	}
}

// The files by which a restore works are overwritten when those of the backup are put in place.
func TestBackupHoldsAFileOfTheRestore(t *testing.T) {
	for _, name := range []string{markerFile + "/x", markerFile, markerFile + ".tmp", extractDir + "/x", beforePrefix + "1/x"} {
		if _, err := Verify(hostile(t, `{"format":1}`, tar.Header{Typeflag: tar.TypeReg, Name: name})); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
