package archive

import (
	"archive/tar"
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"
)

// Entry is a file of an archive, or a symbolic link, which has a target and no digest.
type Entry struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256,omitempty"`
	Link   string `json:"link,omitempty"`
}

// Take gets the entries of an archive in their order, without digests, and must read each.
type Take func(e Entry, r io.Reader) error

// Limits of zip and tar.gz files.
const (
	maxEntries  = 1000
	maxFileSize = 1 << 40 // a larger file is refused before it is read
	maxUSTAR    = 8 << 30 // of a file in the plain form of tar
)

// ErrRefused is wrapped by the error for a file that no Writer writes: it is not read further.
var ErrRefused = errors.New("refused")

// Refuse returns an error that wraps ErrRefused.
func Refuse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}

// Sum counts and hashes what is written to it.
type Sum struct {
	h hash.Hash
	n int64
}

// NewSum returns a Sum of nothing.
func NewSum() *Sum { return &Sum{h: sha256.New()} }

func (s *Sum) Write(b []byte) (int, error) {
	s.n += int64(len(b))
	return s.h.Write(b)
}

// Size is the number of bytes.
func (s *Sum) Size() int64 { return s.n }

// Hex is the SHA-256 in hexadecimal.
func (s *Sum) Hex() string { return hex.EncodeToString(s.h.Sum(nil)) }

// Entry returns the entry of a file with the bytes that were written.
func (s *Sum) Entry(name string) Entry { return Entry{Name: name, Size: s.n, SHA256: s.Hex()} }

// summed passes what write writes to w, and returns its entry.
func summed(w io.Writer, name string, write func(io.Writer) error) (Entry, error) {
	sum := NewSum()
	buffered := bufio.NewWriterSize(io.MultiWriter(w, sum), 64<<10)
	if err := write(buffered); err != nil {
		return Entry{}, err
	}
	if err := buffered.Flush(); err != nil {
		return Entry{}, err
	}
	return sum.Entry(name), nil
}

// isSparse reports whether a file of a tar has holes: a few bytes then stand for as many as its header says.
func isSparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return h.Typeflag == tar.TypeGNUSparse
}
