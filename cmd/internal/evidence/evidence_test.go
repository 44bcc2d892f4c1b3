package evidence

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"flyball/cmd/internal/archive"
)

// content is what the archives of these tests have.
var content = []struct{ name, text string }{{"README.txt", "what it is\n"}, {"run.json", `{"run_id": "1"}` + "\n"},
	{"calls.jsonl", strings.Repeat(`{"path": "/v1/orders/7"}`+"\n", 500)}, {"audit.jsonl", ""}}

// build writes an archive made at a time and returns its bytes and its manifest.
func build(t *testing.T, name string, at time.Time) ([]byte, *Manifest) {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, name)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range content {
		if err := w.Add(c.name, func(w io.Writer) (int64, error) {
			_, err := io.WriteString(w, c.text)
			return int64(strings.Count(c.text, "\n")), err
		}); err != nil {
			t.Fatal(err)
		}
	}
	m, err := w.Close(Manifest{Question: Question{"run", "1", "1"}, Tenant: "default", Complete: true, Made: Made{At: at, By: "ada"}})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), m
}

func verify(t *testing.T, b []byte) (*Result, error) {
	t.Helper()
	return verifyBytes(bytes.NewReader(b), int64(len(b)))
}

func TestSameRowsGiveOtherBytes(t *testing.T) {
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for _, name := range []string{"e.zip", "e.tar.gz", "e.tgz"} {
		a, m := build(t, name, at)
		b, _ := build(t, name, at)
		if !bytes.Equal(a, b) {
			t.Errorf("%s: two archives of the same rows and time differ", name)
		}
		_, later := build(t, name, at.Add(time.Hour))
		if m.Content != later.Content || m.Digest == later.Digest {
			t.Errorf("%s: an hour later content %s and %s, digest %s and %s", name, m.Content, later.Content, m.Digest, later.Digest)
		}
		r, err := verify(t, a)
		if err != nil || len(r.Wrong) > 0 || r.Manifest.Digest != m.Digest {
			t.Errorf("%s: an archive that nobody changed: %v, %+v", name, err, r)
		}
	}
	if _, err := NewWriter(io.Discard, "e.rar"); err == nil {
		t.Error("an archive of a form that does not exist")
	}
}

// repack writes a zip file from another, with each file as change returns it; nil: it is left out.
func repack(t *testing.T, b []byte, change func(name string, text []byte) []byte, more ...string) []byte {
	t.Helper()
	z, err := zip.NewReader(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	add := func(name string, text []byte) {
		f, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate})
		if err == nil && !strings.HasSuffix(name, "/") {
			_, err = f.Write(text)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		if text = change(f.Name, text); text != nil {
			add(f.Name, text)
		}
	}
	for _, name := range more {
		add(name, []byte("x"))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func same(_ string, text []byte) []byte { return text }

func TestChangedFileIsNotNamed(t *testing.T) {
	b, _ := build(t, "e.zip", time.Now())
	for _, c := range append(content, struct{ name, text string }{manifestName, ""}, struct{ name, text string }{sumsName, ""}) {
		changed := repack(t, b, func(name string, text []byte) []byte {
			if name != c.name {
				return text
			}
			if name == manifestName {
				return bytes.Replace(text, []byte(`"default"`), []byte(`"another"`), 1)
			}
			return append(text, 'x')
		})
		r, err := verify(t, changed)
		if err != nil || len(r.Wrong) == 0 || !strings.Contains(strings.Join(r.Wrong, "\n"), c.name) {
			t.Errorf("%s was changed: %v, %+v", c.name, err, r)
		}
		removed := repack(t, b, func(name string, text []byte) []byte {
			if name == c.name {
				return nil
			}
			return text
		})
		r, err = verify(t, removed)
		if c.name != sumsName && (err != nil || len(r.Wrong) == 0 || !strings.Contains(strings.Join(r.Wrong, "\n"), c.name)) {
			t.Errorf("%s was removed: %v, %+v", c.name, err, r)
		}
	}
	r, err := verify(t, repack(t, b, same, "extra.json"))
	if err != nil || len(r.Wrong) != 1 || !strings.Contains(r.Wrong[0], "extra.json was added") {
		t.Errorf("a file was added: %v, %+v", err, r)
	}
	for _, text := range []string{`{}`, `null`, `[]`, `{"format": "flyball-evidence", "version": 2}`, strings.Repeat("[", 100_000), "\x00"} {
		r, err := verify(t, repack(t, b, func(name string, old []byte) []byte {
			if name == manifestName {
				return []byte(text)
			}
			return old
		}))
		if err != nil || len(r.Wrong) != 1 {
			t.Errorf("manifest %.20q: %v, %+v", text, err, r)
		}
	}
	// A member that no manifest has would be read by somebody, and is in no digest.
	r, err = verify(t, repack(t, b, func(name string, text []byte) []byte {
		if name == manifestName {
			return bytes.Replace(text, []byte(`{`), []byte(`{ "note": "nothing happened",`), 1)
		}
		return text
	}))
	if err != nil || len(r.Wrong) == 0 {
		t.Errorf("a member was added to the manifest: %v, %+v", err, r)
	}
}

// Every single byte of an archive is covered.
func TestFlippedByteIsUnseen(t *testing.T) {
	for _, name := range []string{"e.zip", "e.tar.gz"} {
		b, _ := build(t, name, time.Unix(1e9, 0))
		unseen, local := 0, map[int]bool{}
		for i := range b {
			changed := bytes.Clone(b)
			changed[i] ^= 0x10
			if r, err := verify(t, changed); err == nil && len(r.Wrong) == 0 {
				unseen++ // times and flags in the directory of the container, which say nothing
				if name == "e.zip" && i < bytes.Index(b, []byte("PK\x01\x02")) {
					local[i] = true
				}
			}
		}
		if len(local) > len(content)+2 { // the last bits of a packed file that nothing reads
			t.Errorf("%s: %d of %d bytes before the directory were changed unseen: %v", name, len(local), len(b), local)
		}
		t.Logf("%s: %d of %d bytes can be changed without a word, none of them in a file", name, unseen, len(b))
	}
}

func TestTricksOfContainersAreRead(t *testing.T) {
	b, _ := build(t, "e.zip", time.Now())
	cut := bytes.Index(b, []byte("PK\x01\x02"))
	hidden := bytes.Clone(b)
	copy(hidden[bytes.Index(hidden, []byte("calls.jsonl")):], "notes.jsonl") // the entry's own header says otherwise than the directory
	for what, file := range map[string][]byte{
		"a path":               repack(t, b, same, "../../etc/passwd"),
		"an absolute path":     repack(t, b, same, "/etc/passwd"),
		"a folder":             repack(t, b, same, "folder/"),
		"a backslash":          repack(t, b, same, `..\calls.json`),
		"a twin":               repack(t, b, same, "calls.jsonl"),
		"a twin of another":    repack(t, b, same, "CALLS.JSONL"),
		"a control character":  repack(t, b, same, "calls\x00.json"),
		"bytes before":         append([]byte("#!/bin/sh\n"), b...),
		"bytes between":        append(append(bytes.Clone(b[:cut]), "PK\x03\x04 hidden"...), b[cut:]...),
		"another zip before":   append(bytes.Clone(b), b...),
		"another name":         hidden,
		"nothing":              {},
		"a directory alone":    b[cut:],
		"the first half":       b[:len(b)/2],
		"a bomb of small size": repack(t, b, same, bombNames(2000)...),
	} {
		if r, err := verify(t, file); !errors.Is(err, archive.ErrRefused) {
			t.Errorf("%s: %v, %+v", what, err, r)
		}
	}
	for what, headers := range map[string][]tar.Header{
		"a link":      {{Typeflag: tar.TypeSymlink, Name: "run.json", Linkname: "/etc/passwd"}},
		"a hard link": {{Typeflag: tar.TypeLink, Name: "run.json", Linkname: "/etc/passwd"}},
		"a device":    {{Typeflag: tar.TypeChar, Name: "run.json"}},
		"a path":      {{Typeflag: tar.TypeReg, Name: "../run.json"}},
		"a twin":      {{Typeflag: tar.TypeReg, Name: "run.json"}, {Typeflag: tar.TypeReg, Name: "run.json"}},
		"pax":         {{Typeflag: tar.TypeReg, Name: "run.json", PAXRecords: map[string]string{"comment": "x"}, Format: tar.FormatPAX}},
	} {
		var out bytes.Buffer
		z := gzip.NewWriter(&out)
		w := tar.NewWriter(z)
		for _, h := range headers {
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(w.Close(), z.Close()); err != nil {
			t.Fatal(err)
		}
		if r, err := verify(t, out.Bytes()); !errors.Is(err, archive.ErrRefused) {
			t.Errorf("tar with %s: %v, %+v", what, err, r)
		}
	}
}

func bombNames(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("f%s.json", strings.Repeat("a", 1+i%40)))
	}
	return out
}

// lines writes a file of an archive that is as long as asked, in lines that are made while it is read.
func lines(n int) func(io.Writer) (int64, error) {
	return func(w io.Writer) (int64, error) {
		line := bytes.Repeat([]byte("x"), 1<<10)
		line[len(line)-1] = '\n'
		for i := range n {
			binary.LittleEndian.PutUint64(line, uint64(i)*0x9e3779b97f4a7c15)
			if _, err := w.Write(line); err != nil {
				return 0, err
			}
		}
		return int64(n), nil
	}
}

// allocated returns the bytes that do allocates in total, freed ones included.
func allocated(do func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// A run of a million calls has an archive of a GB: neither writing nor verifying may hold a file of it in memory.
func TestArchiveIsHeldInMemory(t *testing.T) {
	const size, most = 16 << 20, 6 << 20
	for _, name := range []string{"e.zip", "e.tar.gz"} {
		path := filepath.Join(t.TempDir(), name)
		wrote := allocated(func() {
			f, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			w, err := NewWriter(f, name)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Add("calls.jsonl", lines(size>>10)); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Close(Manifest{Question: Question{"run", "1", "1"}, Tenant: "default", Complete: true}); err != nil {
				t.Fatal(err)
			}
		})
		read := allocated(func() {
			if r, err := Verify(path); err != nil || len(r.Wrong) > 0 || r.Manifest.Files[0].Size != size {
				t.Errorf("%s: %v, %+v", name, err, r)
			}
		})
		if wrote > most || read > most {
			t.Errorf("%s of %d bytes: %d bytes were allocated to write it, %d to verify it", name, size, wrote, read)
		}
	}
}
