package archive

import (
	"archive/zip"
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
)

// ReadZip reads a zip file of a size whose directory and whose entries say the same: entries lie one after the other from the first byte,
// without gaps, and their own headers have the names of the directory. checkName returns an error for a name that the archive cannot
// have, before anything is read of it.
func ReadZip(f io.ReaderAt, size int64, checkName func(string) error, take Take) error {
	z, err := zip.NewReader(f, size)
	if err != nil {
		return Refuse("no zip file: %v", err)
	}
	if z.Comment != "" {
		return Refuse("the zip file has a comment")
	}
	if len(z.File) > maxEntries {
		return Refuse("more than %d files", maxEntries)
	}
	var end int64 // of the entry before
	for _, e := range z.File {
		if err := checkName(e.Name); err != nil {
			return err
		}
		if e.Mode().Type() != 0 || e.Flags&1 != 0 || e.Method != zip.Deflate && e.Method != zip.Store || e.Comment != "" {
			return Refuse("file %q is a link, encrypted, or packed in a way that no archive has", e.Name)
		}
		if e.UncompressedSize64 > maxFileSize {
			return Refuse("file %q is larger than %d bytes", e.Name, int64(maxFileSize))
		}
		start, err := e.DataOffset()
		if err != nil {
			return Refuse("file %q: %v", e.Name, err)
		}
		head := make([]byte, 30+len(e.Name)) // without further fields
		at := start - localHeader(f, end)
		if at != end {
			return Refuse("file %q does not follow the one before it", e.Name)
		}
		if _, err := f.ReadAt(head, at); err != nil || !sameHeader(head, e) {
			return Refuse("file %q has another name, size or form in its own header", e.Name)
		}
		end = start + int64(e.CompressedSize64)
		if e.Flags&8 != 0 {
			if end, err = afterDescriptor(f, end, e); err != nil {
				return err
			}
		}
		r, err := e.Open()
		if err != nil {
			return Refuse("file %q: %v", e.Name, err)
		}
		err = take(Entry{Name: e.Name, Size: int64(e.UncompressedSize64)}, r)
		_ = r.Close()
		if err != nil {
			return err
		}
	}
	from, to := directory(f, size)
	if from != end || to != size {
		return Refuse("there are bytes between the files and the directory of the zip file, or behind it")
	}
	if !plainDirectory(io.NewSectionReader(f, from, size-from), len(z.File)) {
		return Refuse("the directory of the zip file has fields that no archive has")
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
		return 0, Refuse("file %q: the size or the checksum behind it is not that of the directory", e.Name)
	}
	return at + int64(len(want)), nil
}
