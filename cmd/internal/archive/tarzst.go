package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// maxWindow is the most memory of the decompression.
const maxWindow = 64 << 20

// ErrIncomplete means that the end of a tar.zst file is missing: it was cut, or its writer was interrupted.
var ErrIncomplete = errors.New("the archive is not complete: its backup was interrupted, or the file was cut")

// TarZstd writes a tar.zst file.
type TarZstd struct {
	z *zstd.Encoder
	t *tar.Writer
}

// NewTarZstd returns a writer of a tar.zst file. It must be closed.
func NewTarZstd(w io.Writer) (*TarZstd, error) {
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(true))
	if err != nil {
		return nil, err
	}
	return &TarZstd{z, tar.NewWriter(z)}, nil
}

// AddFile writes a file of a size from r, which can have more.
func (a *TarZstd) AddFile(name string, size int64, r io.Reader) (Entry, error) {
	if err := a.t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600}); err != nil {
		return Entry{}, err
	}
	sum := NewSum()
	if _, err := io.CopyN(io.MultiWriter(a.t, sum), r, size); err != nil {
		return Entry{}, err
	}
	return sum.Entry(name), nil
}

// AddLink writes a symbolic link.
func (a *TarZstd) AddLink(name, target string) (Entry, error) {
	err := a.t.WriteHeader(&tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o700})
	return Entry{Name: name, Link: target}, err
}

// Close ends the file.
func (a *TarZstd) Close() error { return errors.Join(a.t.Close(), a.z.Close()) }

// Abort frees what the writer holds, after an error.
func (a *TarZstd) Abort() { _ = a.z.Close() }

// ReadTarZstd passes the entries of a tar.zst file to take. Their names stay below the folder to which they are extracted. The end of a cut
// file is ErrIncomplete.
func ReadTarZstd(f io.Reader, take Take) error {
	z, err := zstd.NewReader(f, zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return err
	}
	defer z.Close()
	t := tar.NewReader(z)
	for n := 0; ; n++ {
		hdr, err := t.Next()
		if err == io.EOF {
			if n == 0 {
				return ErrIncomplete
			}
			return nil
		}
		var e Entry
		if err == nil {
			e, err = entryOf(hdr)
		}
		if err == nil {
			err = take(e, t)
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return ErrIncomplete
		}
		if err != nil {
			return err
		}
	}
}

// entryOf checks the name of an entry: it stays below the folder to which it is extracted.
func entryOf(hdr *tar.Header) (Entry, error) {
	e := Entry{Name: hdr.Name, Size: hdr.Size}
	if !filepath.IsLocal(e.Name) || path.Clean(e.Name) != e.Name || strings.Contains(e.Name, `\`) {
		return e, fmt.Errorf("%q is not a name below the data folder", e.Name)
	}
	switch hdr.Typeflag {
	case tar.TypeReg:
		if isSparse(hdr) {
			return e, fmt.Errorf("%q is a file with holes, which no backup has", e.Name)
		}
		return e, nil
	case tar.TypeSymlink:
		e.Link = hdr.Linkname
		if path.IsAbs(e.Link) || !filepath.IsLocal(path.Join(path.Dir(e.Name), e.Link)) || e.Link == "" {
			return e, fmt.Errorf("%q is a link out of the data folder", e.Name)
		}
		return e, nil
	}
	return e, fmt.Errorf("%q is neither a file nor a link", e.Name)
}
