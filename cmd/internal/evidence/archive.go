// Package evidence writes and verifies archives of what is stored about a run: files of JSON, and a manifest with the digest of
// each of them and of itself. It does not read the database and decides nothing about what an archive contains.
package evidence

import (
	"fmt"
	"io"
	"strings"

	"flyball/cmd/internal/archive"
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

// Writer writes an archive, one file after the other.
type Writer struct {
	out   container
	files []File
}

// container is a form of archive.
type container interface {
	Add(name string, write func(io.Writer) error) (archive.Entry, error)
	Close() error
}

// NewWriter returns a writer of the form that the name of the file ends with: .zip, .tar.gz or .tgz.
func NewWriter(w io.Writer, name string) (*Writer, error) {
	switch {
	case strings.HasSuffix(name, ".zip"):
		return &Writer{out: archive.NewZip(w)}, nil
	case strings.HasSuffix(name, ".tar.gz"), strings.HasSuffix(name, ".tgz"):
		return &Writer{out: archive.NewTarGz(w)}, nil
	}
	return nil, fmt.Errorf("%q: the name must end with .zip, .tar.gz or .tgz", name)
}

// Add writes a file and notes its digest. write returns the number of records in the file.
func (a *Writer) Add(name string, write func(io.Writer) (records int64, err error)) error {
	var records int64
	e, err := a.out.Add(name, func(w io.Writer) (err error) {
		records, err = write(w)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	a.files = append(a.files, File{Name: name, Size: e.Size, Records: records, SHA256: e.SHA256})
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
	own, err := a.out.Add(manifestName, func(w io.Writer) error { _, err := w.Write(text); return err })
	if err != nil {
		return nil, fmt.Errorf("%s: %w", manifestName, err)
	}
	sums := m.sums(own.SHA256)
	if _, err := a.out.Add(sumsName, func(w io.Writer) error { _, err := io.WriteString(w, sums); return err }); err != nil {
		return nil, fmt.Errorf("%s: %w", sumsName, err)
	}
	return &m, a.out.Close()
}
