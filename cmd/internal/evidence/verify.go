package evidence

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
)

// Result is the result of a verification.
type Result struct {
	Manifest *Manifest `json:"manifest"` // nil: it cannot be read
	// Wrong has a sentence for each thing that is not as it was written; empty: nothing was changed.
	Wrong []string `json:"wrong"`
}

const (
	maxFiles    = 1000
	maxManifest = 4 << 20
	maxFileSize = 1 << 40 // a larger file is refused before it is read
	maxUSTAR    = 8 << 30 // of a file in the plain form of tar
)

// ErrRefused is wrapped by the error for a file that no Writer writes: it is not read further.
var ErrRefused = errors.New("refused")

func refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}

// goodName matches the names of files: no folder, no device, nothing that a shell or a file system reads differently.
var goodName = regexp.MustCompile(`^(SHA256SUMS|README\.txt|[a-z][a-z_]{0,40}\.(json|jsonl))$`)

func checkName(name string) error {
	if !goodName.MatchString(name) {
		return refuse("file %q: a name that no archive has", name)
	}
	return nil
}

// Verify reads an archive and compares each file with the manifest. Nothing is unpacked, and files are never held in memory but the
// manifest. The error wraps ErrRefused for a file that is no archive, or that is made to be read differently by different programs.
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
		return nil, refuse("%d bytes: too short", size)
	}
	switch {
	case bytes.HasPrefix(magic, []byte{0x1f, 0x8b}):
		err = v.readTar(io.NewSectionReader(f, 0, size))
	case bytes.Equal(magic, []byte("PK\x03\x04")):
		err = v.readZip(f, size)
	default:
		err = refuse("neither a zip nor a tar.gz file")
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
func (v *verification) take(name string, r io.Reader) error {
	if err := checkName(name); err != nil {
		return err
	}
	if _, twice := v.seen[name]; twice {
		return refuse("file %q is there twice", name)
	}
	if len(v.order) == maxFiles {
		return refuse("more than %d files", maxFiles)
	}
	sum := newCounter()
	var keep bytes.Buffer
	w := io.Writer(sum)
	limit := int64(maxFileSize)
	if slices.Contains(listedNowhere, name) {
		w, limit = io.MultiWriter(sum, &keep), maxManifest
	}
	n, err := io.Copy(w, io.LimitReader(r, limit+1))
	if err != nil {
		return refuse("file %q cannot be read: %v", name, err)
	}
	if n > limit {
		return refuse("file %q is larger than %d bytes", name, limit)
	}
	switch name {
	case manifestName:
		v.manifest = keep.Bytes()
	case sumsName:
		v.sums = keep.Bytes()
	}
	v.seen[name] = File{Name: name, Size: n, SHA256: sum.hex()}
	v.order = append(v.order, name)
	return nil
}

// readZip reads a zip file whose directory and whose entries say the same: entries lie one after the other from the first byte, without
// gaps, and their own headers have the names of the directory.
func (v *verification) readZip(f io.ReaderAt, size int64) error {
	z, err := zip.NewReader(f, size)
	if err != nil {
		return refuse("no zip file: %v", err)
	}
	if z.Comment != "" {
		return refuse("the zip file has a comment")
	}
	if len(z.File) > maxFiles {
		return refuse("more than %d files", maxFiles)
	}
	var end int64 // of the entry before
	for _, e := range z.File {
		if err := checkName(e.Name); err != nil {
			return err
		}
		if e.Mode().Type() != 0 || e.Flags&1 != 0 || e.Method != zip.Deflate && e.Method != zip.Store || e.Comment != "" {
			return refuse("file %q is a link, encrypted, or packed in a way that no archive has", e.Name)
		}
		if e.UncompressedSize64 > maxFileSize {
			return refuse("file %q is larger than %d bytes", e.Name, int64(maxFileSize))
		}
		start, err := e.DataOffset()
		if err != nil {
			return refuse("file %q: %v", e.Name, err)
		}
		head := make([]byte, 30+len(e.Name)) // without further fields
		at := start - localHeader(f, end)
		if at != end {
			return refuse("file %q does not follow the one before it", e.Name)
		}
		if _, err := f.ReadAt(head, at); err != nil || !sameHeader(head, e) {
			return refuse("file %q has another name, size or form in its own header", e.Name)
		}
		end = start + int64(e.CompressedSize64)
		if e.Flags&8 != 0 {
			if end, err = afterDescriptor(f, end, e); err != nil {
				return err
			}
		}
		r, err := e.Open()
		if err != nil {
			return refuse("file %q: %v", e.Name, err)
		}
		err = v.take(e.Name, r)
		_ = r.Close()
		if err != nil {
			return err
		}
	}
	from, to := directory(f, size)
	if from != end || to != size {
		return refuse("there are bytes between the files and the directory of the zip file, or behind it")
	}
	if !plainDirectory(io.NewSectionReader(f, from, size-from), len(z.File)) {
		return refuse("the directory of the zip file has fields that no archive has")
	}
	return nil
}

// plainDirectory reports whether the fields of a directory that no reader compares with another place are those that Writer writes: the
// version, disks, attributes, comments and further fields.
func plainDirectory(f io.Reader, files int) bool {
	r := bufio.NewReader(f)
	head := make([]byte, 46)
	u16 := func(at int) uint16 { return binary.LittleEndian.Uint16(head[at:]) }
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(head[at:]) }
	for range files {
		if _, err := io.ReadFull(r, head); err != nil || string(head[:4]) != "PK\x01\x02" {
			return false
		}
		large := u32(20) == 1<<32-1 || u32(24) == 1<<32-1 || u32(42) == 1<<32-1
		if u16(4) != 20 || u16(32) != 0 || u16(34) != 0 || u16(36) != 0 || u32(38) != 0 || u16(30) != 0 && !large {
			return false
		}
		if _, err := r.Discard(int(u16(28)) + int(u16(30))); err != nil {
			return false
		}
	}
	next, err := r.Peek(12)
	if err != nil || string(next[:4]) != "PK\x05\x06" { // of more than 4 GiB
		return err == nil && string(next[:4]) == "PK\x06\x06"
	}
	copy(head, next)
	return u16(4) == 0 && u16(6) == 0 && int(u16(8)) == files && int(u16(10)) == files
}

// directory returns where the directory of a zip file begins, and where the file ends by what its last records say; 0: they are damaged.
func directory(f io.ReaderAt, size int64) (from, to int64) {
	const end, locator, end64 = 22, 20, 56
	b := make([]byte, end)
	if _, err := f.ReadAt(b, size-end); err != nil || string(b[:4]) != "PK\x05\x06" {
		return 0, 0
	}
	length, from := int64(binary.LittleEndian.Uint32(b[12:])), int64(binary.LittleEndian.Uint32(b[16:]))
	if length < 1<<32-1 && from < 1<<32-1 {
		return from, from + length + end
	}
	b = make([]byte, end64)
	if _, err := f.ReadAt(b, size-end-locator-end64); err != nil || string(b[:4]) != "PK\x06\x06" {
		return 0, 0
	}
	length, from = int64(binary.LittleEndian.Uint64(b[40:])), int64(binary.LittleEndian.Uint64(b[48:]))
	if length < 0 || from < 0 || length > size || from > size {
		return 0, 0
	}
	return from, from + length + end64 + locator + end
}

// sameHeader reports whether an entry's own header says what the directory says. Sizes and checksum are there or behind the data.
func sameHeader(head []byte, e *zip.File) bool {
	u16 := func(at int) uint16 { return binary.LittleEndian.Uint16(head[at:]) }
	u32 := func(at int) uint32 { return binary.LittleEndian.Uint32(head[at:]) }
	crc, packed, size := e.CRC32, uint32(min(e.CompressedSize64, 1<<32-1)), uint32(min(e.UncompressedSize64, 1<<32-1))
	if e.Flags&8 != 0 {
		crc, packed, size = 0, 0, 0
	}
	timed := u16(10) == e.ModifiedTime && u16(12) == e.ModifiedDate
	return timed && string(head[:4]) == "PK\x03\x04" && string(head[30:]) == e.Name && int(u16(26)) == len(e.Name) && u16(28) == 0 &&
		u16(4) == e.ReaderVersion && u16(6) == e.Flags && u16(8) == e.Method && u32(14) == crc &&
		u32(18) == packed && u32(22) == size
}

// localHeader returns the length of the header of the entry at an offset; 0: there is none.
func localHeader(f io.ReaderAt, at int64) int64 {
	b := make([]byte, 30)
	if _, err := f.ReadAt(b, at); err != nil || string(b[:4]) != "PK\x03\x04" {
		return 0
	}
	return 30 + int64(b[26]) + int64(b[27])<<8 + int64(b[28]) + int64(b[29])<<8
}

// afterDescriptor returns the end of the data descriptor at an offset, which repeats the sizes of the directory.
func afterDescriptor(f io.ReaderAt, at int64, e *zip.File) (int64, error) {
	want := binary.LittleEndian.AppendUint32([]byte("PK\x07\x08"), e.CRC32)
	if e.CompressedSize64 > 1<<32-1 || e.UncompressedSize64 > 1<<32-1 {
		want = binary.LittleEndian.AppendUint64(want, e.CompressedSize64)
		want = binary.LittleEndian.AppendUint64(want, e.UncompressedSize64)
	} else {
		want = binary.LittleEndian.AppendUint32(want, uint32(e.CompressedSize64))
		want = binary.LittleEndian.AppendUint32(want, uint32(e.UncompressedSize64))
	}
	got := make([]byte, len(want))
	if _, err := f.ReadAt(got, at); err != nil || !bytes.Equal(got, want) {
		return 0, refuse("file %q: the size or the checksum behind it is not that of the directory", e.Name)
	}
	return at + int64(len(want)), nil
}

// readTar reads a tar.gz file: one gzip member, plain files only, and nothing behind them.
func (v *verification) readTar(f io.Reader) error {
	z, err := gzip.NewReader(f)
	if err != nil {
		return refuse("no gzip file: %v", err)
	}
	z.Multistream(false)
	t := tar.NewReader(z)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return refuse("no tar file: %v", err)
		}
		if h.Typeflag != tar.TypeReg || h.Linkname != "" || h.Format != tar.FormatUSTAR && h.Size < maxUSTAR {
			return refuse("file %q is no plain file", h.Name)
		}
		if h.Size > maxFileSize {
			return refuse("file %q is larger than %d bytes", h.Name, int64(maxFileSize))
		}
		if err := v.take(h.Name, t); err != nil {
			return err
		}
	}
	rest, err := io.Copy(io.Discard, io.LimitReader(z, 1<<20+1))
	if err != nil || rest > 1<<20 {
		return refuse("there are bytes behind the last file")
	}
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
