package archive

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"time"
)

// epoch is the time of every file in a tar.gz: two archives with the same files have the same bytes.
var epoch = time.Date(1980, 1, 1, 0, 0, 0, 0, time.UTC)

// TarGz writes a tar.gz file. Two with the same files have the same bytes.
type TarGz struct {
	z *gzip.Writer
	t *tar.Writer
}

// NewTarGz returns a writer of a tar.gz file.
func NewTarGz(w io.Writer) *TarGz {
	z := gzip.NewWriter(w)
	return &TarGz{z, tar.NewWriter(z)}
}

// Add writes one file. It is kept on disk until its size is known, which comes before its bytes.
func (a *TarGz) Add(name string, write func(io.Writer) error) (Entry, error) {
	f, err := os.CreateTemp("", "flyball-archive-*")
	if err != nil {
		return Entry{}, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	e, err := summed(f, name, write)
	if err != nil {
		return Entry{}, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return Entry{}, err
	}
	if err := a.t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: e.Size, Mode: 0o644, ModTime: epoch}); err != nil {
		return Entry{}, err
	}
	_, err = io.Copy(a.t, f)
	return e, err
}

// Close ends the file.
func (a *TarGz) Close() error {
	if err := a.t.Close(); err != nil {
		return err
	}
	return a.z.Close()
}

// ReadTarGz reads a tar.gz file: one gzip member, plain files only, and nothing behind them.
func ReadTarGz(f io.Reader, take Take) error {
	z, err := gzip.NewReader(f)
	if err != nil {
		return Refuse("no gzip file: %v", err)
	}
	z.Multistream(false)
	t := tar.NewReader(z)
	for n := 1; ; n++ {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return Refuse("no tar file: %v", err)
		}
		if n > maxEntries {
			return Refuse("more than %d files", maxEntries)
		}
		if h.Typeflag != tar.TypeReg || h.Linkname != "" || isSparse(h) || h.Format != tar.FormatUSTAR && h.Size < maxUSTAR {
			return Refuse("file %q is no plain file", h.Name)
		}
		if h.Size > maxFileSize {
			return Refuse("file %q is larger than %d bytes", h.Name, int64(maxFileSize))
		}
		if err := take(Entry{Name: h.Name, Size: h.Size}, t); err != nil {
			return err
		}
	}
	rest, err := io.Copy(io.Discard, io.LimitReader(z, 1<<20+1))
	if err != nil || rest > 1<<20 {
		return Refuse("there are bytes behind the last file")
	}
	return nil
}
