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
	"path/filepath"
	"syscall"
	"time"

	"github.com/klauspost/compress/zstd"
)

// Format is the version of the archive's form.
const Format = 1

// Names of the first and of the last entry.
const (
	headerName   = "BACKUP.json"
	manifestName = "MANIFEST.json"
)

// Header describes a backup.
type Header struct {
	Format     int       `json:"format"`
	Flyball    string    `json:"flyball"` // version of the program
	Created    time.Time `json:"created"`
	Deployment string    `json:"deployment,omitempty"` // id; it reveals nothing of the key
	Tenant     string    `json:"tenant"`
	Running    bool      `json:"running"` // taken while Flyball ran
	Key        bool      `json:"key"`     // the archive holds the deployment's key and the passwords of the embedded parts
	Broker     bool      `json:"broker"`  // it holds the log of the embedded broker
	Engine     bool      `json:"engine"`  // it holds the tables of the embedded engine
	// Versions are the newest versions of the formats that outlive a process, by name. A program with an older one cannot read the data.
	Versions map[string]int `json:"versions"`
}

// File is an entry of the manifest. A link has a target and no digest.
type File struct {
	Name   string `json:"name"` // with slashes, below the data folder
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256,omitempty"`
	Link   string `json:"link,omitempty"`
}

// Source is a file to store.
type Source struct {
	Name string // in the archive
	Path string // on disk
	Size int64  // the first bytes that belong to the backup: a log can have grown since. -1: all
	Link string // target; the file is a symbolic link
}

// Result counts what an archive holds.
type Result struct {
	Header Header `json:"backup"`
	Files  int    `json:"files"`
	Bytes  int64  `json:"bytes"` // of the files
	Packed int64  `json:"packed_bytes"`
}

// Write writes an archive to a file, which must not exist. Until the archive is complete and on disk it has another name, with
// .partial at its end; a write that fails removes it.
func Write(path string, h Header, sources []Source) (r Result, err error) {
	if _, err := os.Lstat(path); err == nil {
		return r, fmt.Errorf("%s exists already; choose another name", path)
	}
	partial := path + ".partial"
	f, err := openPartial(partial)
	if err != nil {
		return r, err
	}
	defer func() {
		_ = f.Close()
		if err != nil {
			_ = os.Remove(partial)
		}
	}()
	if err := f.Chmod(0o600); err != nil { // a file of an interrupted backup can have been made readable
		return r, err
	}
	if r, err = writeTo(f, h, sources); err != nil {
		return r, err
	}
	if err := f.Sync(); err != nil {
		return r, err
	}
	info, err := f.Stat()
	if err != nil {
		return r, err
	}
	r.Packed = info.Size()
	if err := os.Link(partial, path); err != nil { // unlike a rename, it does not replace a file that was made meanwhile
		if errors.Is(err, os.ErrExist) {
			return r, err
		}
		if err := os.Rename(partial, path); err != nil {
			return r, err
		}
	} else if err := os.Remove(partial); err != nil {
		return r, err
	}
	return r, syncDir(filepath.Dir(path))
}

// openPartial opens the file of an archive that is being written, empty, for this process alone.
func openPartial(partial string) (f *os.File, err error) {
	if f, err = os.OpenFile(partial, os.O_CREATE|os.O_WRONLY, 0o600); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil, fmt.Errorf("%s: another backup is being written to it; wait, or choose another name", partial)
	}
	if err != nil && !errors.Is(err, errors.ErrUnsupported) { // a file system without locks
		return nil, err
	}
	// The writer before may have given the file its final name meanwhile.
	mine, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if named, err := os.Lstat(partial); err != nil || !os.SameFile(mine, named) {
		return nil, fmt.Errorf("%s: another backup has just been written; choose another name", partial)
	}
	// A finished archive: its writer was killed before it removed this name.
	if info, ok := mine.Sys().(*syscall.Stat_t); ok && info.Nlink > 1 {
		if err := errors.Join(f.Close(), os.Remove(partial)); err != nil {
			return nil, err
		}
		return openPartial(partial)
	}
	return f, f.Truncate(0)
}

func writeTo(w io.Writer, h Header, sources []Source) (Result, error) {
	r := Result{Header: h}
	z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderCRC(true))
	if err != nil {
		return r, err
	}
	defer z.Close()
	t := tar.NewWriter(z)
	r.Header.Format = Format
	if err := writeJSON(t, headerName, r.Header); err != nil {
		return r, err
	}
	var manifest []File
	for _, s := range sources {
		file, err := writeFile(t, s)
		if err != nil {
			return r, fmt.Errorf("%s: %w", s.Name, err)
		}
		manifest = append(manifest, file)
		r.Files, r.Bytes = r.Files+1, r.Bytes+file.Size
	}
	if err := writeJSON(t, manifestName, manifest); err != nil {
		return r, err
	}
	return r, errors.Join(t.Close(), z.Close())
}

func writeFile(t *tar.Writer, s Source) (File, error) {
	if !filepath.IsLocal(s.Name) {
		return File{}, errors.New("not a name below the data folder")
	}
	if s.Link != "" {
		link := &tar.Header{Typeflag: tar.TypeSymlink, Name: s.Name, Linkname: s.Link, Mode: 0o700}
		return File{Name: s.Name, Link: s.Link}, t.WriteHeader(link)
	}
	f, err := os.Open(s.Path)
	if err != nil {
		return File{}, err
	}
	defer f.Close()
	size := s.Size
	if size < 0 {
		info, err := f.Stat()
		if err != nil {
			return File{}, err
		}
		size = info.Size()
	}
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: s.Name, Size: size, Mode: 0o600}); err != nil {
		return File{}, err
	}
	sum := sha256.New()
	if _, err := io.CopyN(io.MultiWriter(t, sum), f, size); err != nil {
		return File{}, err
	}
	return File{Name: s.Name, Size: size, SHA256: hex.EncodeToString(sum.Sum(nil))}, nil
}

func writeJSON(t *tar.Writer, name string, v any) error {
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	if err := t.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: int64(len(text)), Mode: 0o600}); err != nil {
		return err
	}
	_, err = t.Write(text)
	return err
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
