package evidence

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"

	"flyball/cmd/internal/archive"
)

// Result is the result of a verification.
type Result struct {
	Manifest *Manifest `json:"manifest"` // nil: it cannot be read
	// Wrong has a sentence for each thing that is not as it was written; empty: nothing was changed.
	Wrong []string `json:"wrong"`
}

// maxManifest is the most bytes of the manifest, which is held in memory.
const maxManifest = 4 << 20

// goodName matches the names of files: no folder, no device, nothing that a shell or a file system reads differently.
var goodName = regexp.MustCompile(`^(SHA256SUMS|README\.txt|[a-z][a-z_]{0,40}\.(json|jsonl))$`)

func checkName(name string) error {
	if !goodName.MatchString(name) {
		return archive.Refuse("file %q: a name that no archive has", name)
	}
	return nil
}

// Verify reads an archive and compares each file with the manifest. Nothing is unpacked, and files are never held in memory but the
// manifest. The error wraps archive.ErrRefused for a file that is no archive, or that is made to be read differently by different programs.
func Verify(path string) (*Result, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return verifyBytes(f, info.Size())
}

func verifyBytes(f io.ReaderAt, size int64) (_ *Result, err error) {
	v := &verification{seen: map[string]File{}}
	magic := make([]byte, 4)
	if _, err := f.ReadAt(magic, 0); err != nil {
		return nil, archive.Refuse("%d bytes: too short", size)
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		err = archive.ReadTarGz(io.NewSectionReader(f, 0, size), v.take)
	case bytes.Equal(magic, []byte("PK\x03\x04")):
		err = archive.ReadZip(f, size, checkName, v.take)
	default:
		err = archive.Refuse("neither a zip nor a tar.gz file")
	}
	if err != nil {
		return nil, err
	}
	return v.result(), nil
}

// verification is what was read of an archive.
type verification struct {
	seen     map[string]File
	order    []string
	manifest []byte
	sums     []byte
}

// take reads one file.
func (v *verification) take(e archive.Entry, r io.Reader) error {
	name := e.Name
	if err := checkName(name); err != nil {
		return err
	}
	if _, twice := v.seen[name]; twice {
		return archive.Refuse("file %q is there twice", name)
	}
	sum := archive.NewSum()
	var keep bytes.Buffer
	w := io.Writer(sum)
	limit := e.Size
	if slices.Contains(listedNowhere, name) {
		w, limit = io.MultiWriter(sum, &keep), min(limit, maxManifest)
	}
	n, err := io.Copy(w, io.LimitReader(r, limit+1))
	if err != nil {
		return archive.Refuse("file %q cannot be read: %v", name, err)
	}
	if n > limit {
		return archive.Refuse("file %q is larger than %d bytes", name, limit)
	}
	switch name {
	case manifestName:
		v.manifest = keep.Bytes()
	case sumsName:
		v.sums = keep.Bytes()
	}
	v.seen[name] = File{Name: name, Size: n, SHA256: sum.Hex()}
	v.order = append(v.order, name)
	return nil
}

// result compares what was read with the manifest.
func (v *verification) result() *Result {
	out := &Result{Wrong: []string{}}
	wrong := func(format string, args ...any) { out.Wrong = append(out.Wrong, fmt.Sprintf(format, args...)) }
	if v.manifest == nil {
		wrong("%s is missing", manifestName)
		return out
	}
	m, err := parseManifest(v.manifest)
	if err != nil {
		wrong("%v", err)
		return out
	}
	out.Manifest = m
	if own := m.own(); own != m.Digest {
		wrong("%s was changed: its digest is %s, it says %s", manifestName, own, m.Digest)
	}
	if content := m.content(); content != m.Content {
		wrong("%s was changed: the digest of its content is %s, it says %s", manifestName, content, m.Content)
	}
	for _, f := range m.Files {
		got, there := v.seen[f.Name]
		switch {
		case !there:
			wrong("%s is missing", f.Name)
		case got.SHA256 != f.SHA256:
			wrong("%s was changed: its SHA-256 is %s of %d bytes, the manifest says %s of %d bytes", f.Name, got.SHA256, got.Size, f.SHA256, f.Size)
		case got.Size != f.Size:
			wrong("%s was changed: it has %d bytes, the manifest says %d", f.Name, got.Size, f.Size)
		}
		delete(v.seen, f.Name)
	}
	for _, name := range v.order {
		if _, left := v.seen[name]; left && !slices.Contains(listedNowhere, name) {
			wrong("%s was added: the manifest does not list it", name)
		}
	}
	if want := m.sums(v.seen[manifestName].SHA256); v.sums != nil && string(v.sums) != want {
		wrong("%s was changed: it has not the digests of the manifest", sumsName)
	}
	return out
}
