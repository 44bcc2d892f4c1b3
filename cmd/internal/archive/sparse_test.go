package archive

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// sparse returns a tar of a kilobyte with a file of nine gigabytes of nothing.
func sparse(t *testing.T) []byte {
	t.Helper()
	const size = 9 << 30
	var records string
	for _, r := range [][2]string{{"GNU.sparse.major", "1"}, {"GNU.sparse.minor", "0"}, {"GNU.sparse.name", "run.json"},
		{"GNU.sparse.realsize", fmt.Sprint(size)}} {
		text := " " + r[0] + "=" + r[1] + "\n"
		n := len(text) + 2
		records += fmt.Sprint(n) + text
	}
	places := make([]byte, 512)
	copy(places, fmt.Sprintf("1\n%d\n0\n", size))
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, f := range []struct {
		kind byte
		text string
	}{{tar.TypeXHeader, records}, {tar.TypeReg, string(places)}} {
		var one bytes.Buffer // a writer does not write the first kind
		if err := tar.NewWriter(&one).WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "run.json", Size: int64(len(f.text)), Mode: 0o644,
			Format: tar.FormatUSTAR}); err != nil {
			t.Fatal(err)
		}
		head := one.Bytes()
		head[156] = f.kind
		copy(head[148:156], "        ")
		sum := 0
		for _, b := range head {
			sum += int(b)
		}
		copy(head[148:156], fmt.Sprintf("%06o\x00 ", sum))
		out.Write(head)
		out.WriteString(f.text + strings.Repeat("\x00", (512-len(f.text)%512)%512))
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestAFewBytesAreAFileOfGigabytes(t *testing.T) {
	b := sparse(t)
	if h, err := tar.NewReader(bytes.NewReader(b)).Next(); err != nil || h.Size != 9<<30 {
		t.Fatalf("the test makes no such file: %+v %v", h, err)
	}
	read := errors.New("the file was read")
	take := func(Entry, io.Reader) error { return read }
	var gz, zst bytes.Buffer
	z := gzip.NewWriter(&gz)
	_, _ = z.Write(b)
	_ = z.Close()
	e, _ := zstd.NewWriter(&zst)
	_, _ = e.Write(b)
	_ = e.Close()
	if err := ReadTarGz(&gz, take); !errors.Is(err, ErrRefused) {
		t.Errorf("tar.gz: %v", err)
	}
	if err := ReadTarZstd(&zst, take); err == nil || errors.Is(err, read) {
		t.Errorf("tar.zst: %v", err)
	}
}
