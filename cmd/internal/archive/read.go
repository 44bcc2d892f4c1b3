package archive

import (
	"archive/tar"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/klauspost/compress/zstd"
)

// maxJSON is the most bytes of the first and of the last entry.
const maxJSON = 512 << 20

// maxWindow is the most memory of the decompression.
const maxWindow = 64 << 20

// ErrIncomplete means that an archive has no last entry: the backup was interrupted, or the file was cut.
var ErrIncomplete = errors.New("the archive is not complete: its backup was interrupted, or the file was cut")

// ReadHeader reads the description of an archive. It does not check the rest.
func ReadHeader(file string) (Header, error) {
	var h Header
	errDone := errors.New("done")
	err := each(file, func(hdr *tar.Header, r io.Reader, n int) error {
		var err error
		if h, err = readHeader(hdr, r); err != nil {
			return err
		}
		return errDone
	})
	if errors.Is(err, errDone) {
		err = nil
	}
	return h, err
}

func readHeader(hdr *tar.Header, r io.Reader) (h Header, err error) {
	if hdr.Name != headerName {
		return h, errors.New("not a backup of Flyball: its first entry is not " + headerName)
	}
	if err := readJSON(r, &h); err != nil {
		return h, fmt.Errorf("%s: %w", headerName, err)
	}
	if h.Format > Format {
		return h, fmt.Errorf("the archive has format %d, made by Flyball %s; this program reads up to %d: restore it with that version",
			h.Format, h.Flyball, Format)
	}
	if h.Format < 1 {
		return h, fmt.Errorf("format %d does not exist", h.Format)
	}
	return h, nil
}

// each calls do for the entries of an archive, n from 0. The end of a cut file is ErrIncomplete.
func each(file string, do func(hdr *tar.Header, r io.Reader, n int) error) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
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
		if err == nil {
			err = do(hdr, t, n)
		}
		if errors.Is(err, io.ErrUnexpectedEOF) {
			return ErrIncomplete
		}
		if err != nil {
			return err
		}
	}
}

// content reads the files of an archive. take is called for each and must read it.
func content(file string, take func(f File, r io.Reader) error) (r Result, err error) {
	var found []File
	var manifest []File
	ended := false
	err = each(file, func(hdr *tar.Header, in io.Reader, n int) error {
		switch {
		case ended:
			return fmt.Errorf("%s stands after the end", hdr.Name)
		case n == 0:
			r.Header, err = readHeader(hdr, in)
			return err
		case hdr.Name == manifestName:
			ended = true
			return readJSON(in, &manifest)
		}
		f, err := entry(hdr)
		if err != nil {
			return err
		}
		sum := sha256.New()
		if err := take(f, io.TeeReader(in, sum)); err != nil {
			return fmt.Errorf("%s: %w", f.Name, err)
		}
		if f.Link == "" {
			f.SHA256 = hex.EncodeToString(sum.Sum(nil))
		}
		found = append(found, f)
		r.Files, r.Bytes = r.Files+1, r.Bytes+f.Size
		return nil
	})
	switch {
	case err != nil:
		return r, err
	case !ended:
		return r, ErrIncomplete
	case len(found) != len(manifest):
		return r, fmt.Errorf("the archive has %d files, its manifest lists %d", len(found), len(manifest))
	}
	for i := range found {
		if found[i] != manifest[i] {
			return r, fmt.Errorf("%s is not what was stored: size or SHA-256 differ from the manifest's", found[i].Name)
		}
	}
	if info, err := os.Stat(file); err == nil {
		r.Packed = info.Size()
	}
	return r, nil
}

// entry checks the name of an entry: it stays below the folder to which it is extracted.
func entry(hdr *tar.Header) (File, error) {
	f := File{Name: hdr.Name, Size: hdr.Size}
	if !filepath.IsLocal(f.Name) || path.Clean(f.Name) != f.Name || strings.Contains(f.Name, `\`) {
		return f, fmt.Errorf("%q is not a name below the data folder", f.Name)
	}
	switch hdr.Typeflag {
	case tar.TypeReg:
		return f, nil
	case tar.TypeSymlink:
		f.Link = hdr.Linkname
		if path.IsAbs(f.Link) || !filepath.IsLocal(path.Join(path.Dir(f.Name), f.Link)) || f.Link == "" {
			return f, fmt.Errorf("%q is a link out of the data folder", f.Name)
		}
		return f, nil
	}
	return f, fmt.Errorf("%q is neither a file nor a link", f.Name)
}

// Verify reads a whole archive and compares every file with the manifest.
func Verify(file string) (Result, error) {
	return content(file, func(_ File, r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
}

// Extract writes the files of an archive into an empty folder, and compares them with the manifest while it writes.
func Extract(file, dir string) (Result, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Result{}, err
	}
	defer root.Close()
	made := map[string]bool{".": true}
	return content(file, func(f File, r io.Reader) error {
		if parent := path.Dir(f.Name); !made[parent] {
			if err := root.MkdirAll(parent, 0o700); err != nil {
				return err
			}
			made[parent] = true
		}
		if f.Link != "" {
			return root.Symlink(f.Link, f.Name)
		}
		out, err := root.OpenFile(f.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, r)
		return errors.Join(err, out.Close())
	})
}

func readJSON(r io.Reader, into any) error {
	text, err := io.ReadAll(io.LimitReader(r, maxJSON))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
