package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"flyball/cmd/internal/archive"
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

// writeArchive writes the archive of a backup, as archive.Publish does.
func writeArchive(path string, h Header, sources []Source) (r Result, err error) {
	packed, err := archive.Publish(path, func(f *os.File) error {
		r, err = writeTo(f, h, sources)
		return err
	})
	r.Packed = packed
	return r, err
}

func writeTo(w io.Writer, h Header, sources []Source) (Result, error) {
	r := Result{Header: h}
	a, err := archive.NewTarZstd(w)
	if err != nil {
		return r, err
	}
	defer a.Abort()
	r.Header.Format = Format
	if err := writeJSON(a, headerName, r.Header); err != nil {
		return r, err
	}
	var manifest []archive.Entry
	for _, s := range sources {
		file, err := writeFile(a, s)
		if err != nil {
			return r, fmt.Errorf("%s: %w", s.Name, err)
		}
		manifest = append(manifest, file)
		r.Files, r.Bytes = r.Files+1, r.Bytes+file.Size
	}
	if err := writeJSON(a, manifestName, manifest); err != nil {
		return r, err
	}
	return r, a.Close()
}

func writeFile(a *archive.TarZstd, s Source) (archive.Entry, error) {
	if !filepath.IsLocal(s.Name) {
		return archive.Entry{}, errors.New("not a name below the data folder")
	}
	if s.Link != "" {
		return a.AddLink(s.Name, s.Link)
	}
	f, err := os.Open(s.Path)
	if err != nil {
		return archive.Entry{}, err
	}
	defer f.Close()
	size := s.Size
	if size < 0 {
		info, err := f.Stat()
		if err != nil {
			return archive.Entry{}, err
		}
		size = info.Size()
	}
	return a.AddFile(s.Name, size, f)
}

func writeJSON(a *archive.TarZstd, name string, v any) error {
	text, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		return err
	}
	_, err = a.AddFile(name, int64(len(text)), strings.NewReader(string(text)))
	return err
}

// Most bytes of the first entry, which is of one form, and of the last one, which names each file.
const (
	maxHeader   = 1 << 20
	maxManifest = 512 << 20
)

// headerOf reads the description of an archive. It does not check the rest.
func headerOf(file string) (Header, error) {
	var h Header
	errDone := errors.New("done")
	err := each(file, func(e archive.Entry, r io.Reader) error {
		var err error
		if h, err = readHeader(e, r); err != nil {
			return err
		}
		return errDone
	})
	if errors.Is(err, errDone) {
		err = nil
	}
	return h, err
}

func each(file string, take archive.Take) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return archive.ReadTarZstd(f, take)
}

func readHeader(e archive.Entry, r io.Reader) (h Header, err error) {
	if e.Name != headerName {
		return h, errors.New("not a backup of Flyball: its first entry is not " + headerName)
	}
	if e.Size > maxHeader {
		return h, fmt.Errorf("not a backup of Flyball: its first entry has %d bytes, at most %d", e.Size, maxHeader)
	}
	if err := readJSON(r, maxHeader, &h); err != nil {
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

// content reads the files of an archive. take is called for each and must read it.
func content(file string, take archive.Take) (r Result, err error) {
	var found, manifest []archive.Entry
	begun, ended := false, false
	err = each(file, func(e archive.Entry, in io.Reader) error {
		switch {
		case ended:
			return fmt.Errorf("%s stands after the end", e.Name)
		case !begun:
			begun = true
			r.Header, err = readHeader(e, in)
			return err
		case e.Name == manifestName:
			ended = true
			return readJSON(in, maxManifest, &manifest)
		case ofRestore(e.Name):
			return fmt.Errorf("%q is a name that no backup has", e.Name)
		}
		sum := archive.NewSum()
		if err := take(e, io.TeeReader(in, sum)); err != nil {
			return fmt.Errorf("%s: %w", e.Name, err)
		}
		if e.Link == "" {
			e.SHA256 = sum.Hex()
		}
		found = append(found, e)
		r.Files, r.Bytes = r.Files+1, r.Bytes+e.Size
		return nil
	})
	switch {
	case err != nil:
		return r, err
	case !ended:
		return r, archive.ErrIncomplete
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

// Verify reads a whole archive and compares every file with the manifest.
func Verify(file string) (Result, error) {
	return content(file, func(_ archive.Entry, r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
}

// extractArchive writes the files of an archive into an empty folder, and compares them with the manifest while it writes.
func extractArchive(file, dir string) (Result, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Result{}, err
	}
	defer root.Close()
	made := map[string]bool{".": true}
	var links []string
	result, err := content(file, func(e archive.Entry, r io.Reader) error {
		if parent := path.Dir(e.Name); !made[parent] {
			if err := root.MkdirAll(parent, 0o700); err != nil {
				return err
			}
			made[parent] = true
		}
		if e.Link != "" {
			links = append(links, e.Name)
			return root.Symlink(e.Link, e.Name)
		}
		out, err := root.OpenFile(e.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, r)
		return errors.Join(err, out.Close())
	})
	if err != nil {
		return result, err
	}
	// A link over another one can lead out of the folder although each of the two seems to stay in it.
	for _, name := range links {
		if _, err := root.Stat(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return result, fmt.Errorf("%q is a link out of the data folder, or one that cannot be followed: %w", name, err)
		}
	}
	return result, nil
}

func readJSON(r io.Reader, most int64, into any) error {
	text, err := io.ReadAll(io.LimitReader(r, most))
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}
