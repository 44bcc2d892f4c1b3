// Package evidence writes and verifies archives of what is stored about a run: files of JSON, and a manifest with the digest of
// each of them and of itself. It does not read the database and decides nothing about what an archive contains.
package evidence

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"strings"
	"time"
)

// Format names the format of an archive, and Version its version.
const (
	Format  = "flyball-evidence"
	Version = 1
)

// Names of the files that every archive has.
const (
	manifestName = "manifest.json"
	sumsName     = "SHA256SUMS"
)

// epoch is the time of every file in an archive: two archives of the same rows have the same bytes.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// Writer writes an archive, one file after the other.
type Writer struct {
	out   container
	files []File
}

// container is a form of archive.
type container interface {
	// add writes one file.
	add(name string, write func(io.Writer) error) error
	close() error
}

// NewWriter returns a writer of the form that the name of the file ends with: .zip, .tar.gz or .tgz.
func NewWriter(w io.Writer, name string) (*Writer, error) {
	switch {
	case strings.HasSuffix(name, ".zip"):
		return &Writer{out: &zipFile{zip.NewWriter(w)}}, nil
	case strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".tgz"):
		z := gzip.NewWriter(w)
		return &Writer{out: &tarFile{z, tar.NewWriter(z)}}, nil
	}
	return nil, fmt.Errorf("%q: the name must end with .zip, .tar.gz or .tgz", name)
}

// Add writes a file and notes its digest. write returns the number of records in the file.
func (a *Writer) Add(name string, write func(io.Writer) (records int64, err error)) error {
	f := File{Name: name}
	sum := newCounter()
	err := a.out.add(name, func(w io.Writer) (err error) {
		buffered := bufio.NewWriterSize(io.MultiWriter(w, sum), 64<<10)
		if f.Records, err = write(buffered); err != nil {
			return err
		}
		return buffered.Flush()
	})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	f.Size, f.SHA256 = sum.n, sum.hex()
	a.files = append(a.files, f)
	return nil
}

// Close writes the manifest with the digests of all files, and the list of digests for sha256sum, and returns the manifest.
func (a *Writer) Close(m Manifest) (*Manifest, error) {
	m.Format, m.Version, m.Files = Format, Version, a.files
	m.seal()
	text, err := m.encode()
	if err != nil {
		return nil, err
	}
	if err := a.out.add(manifestName, func(w io.Writer) error { _, err := w.Write(text); return err }); err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	own := newCounter()
	_, _ = own.Write(text)
	sums := m.sums(own.hex())
	if err := a.out.add(sumsName, func(w io.Writer) error { _, err := io.WriteString(w, sums); return err }); err != nil {
		return nil, fmt.Errorf("%s: %w", sumsName, err)
	}
	return &m, a.out.close()
}

type zipFile struct{ *zip.Writer }

func (z *zipFile) add(name string, write func(io.Writer) error) error {
	h := &zip.FileHeader{Name: name, Method: zip.Deflate}
	//lint:ignore SA1019 Modified would add a field to each header; this is epoch
	h.ModifiedDate = 1<<5 | 1
	w, err := z.CreateHeader(h)
	if err != nil {
		return err
	}
	return write(w)
}

func (z *zipFile) close() error { return z.Close() }

type tarFile struct {
	z *gzip.Writer
	*tar.Writer
}

// add keeps the file on disk until its size is known, which comes before its bytes.
func (t *tarFile) add(name string, write func(io.Writer) error) error {
	f, err := os.CreateTemp("", "flyball-evidence-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if err := write(f); err != nil {
		return err
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o644, ModTime: epoch}); err != nil {
		return err
	}
	_, err = io.Copy(t.Writer, f)
	return err
}

func (t *tarFile) close() error {
	if err := t.Close(); err != nil {
		return err
	}
	return t.z.Close()
}

// counter counts and hashes what is written.
type counter struct {
	h hash.Hash
	n int64
}

func newCounter() *counter { return &counter{h: sha256.New()} }

func (c *counter) Write(b []byte) (int, error) {
	c.n += int64(len(b))
	return c.h.Write(b)
}

func (c *counter) hex() string { return hex.EncodeToString(c.h.Sum(nil)) }
