package clickhouse

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// verify compares a tarball with the pinned checksum. It is called before the tarball is parsed.
func verify(tarball, integrity string) error {
	f, err := os.Open(tarball)
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha512.New()
	if _, err := io.Copy(h, f); err != nil {
		return err
	}
	if got := "sha512-" + base64.StdEncoding.EncodeToString(h.Sum(nil)); got != integrity {
		return errChecksum(fmt.Errorf("got %s, pinned is %s", got, integrity))
	}
	return nil
}

// unpack extracts only the library from the tarball. It writes a temporary file, syncs and renames it, and writes the stamp, so that an
// incomplete library is never used.
func unpack(tarball, dir string, p pin, pr *progress) (err error) {
	f, err := os.Open(tarball)
	if err != nil {
		return err
	}
	defer f.Close()
	gz, err := gzip.NewReader(f)
	if err != nil {
		return fmt.Errorf("open tarball: %w", err)
	}
	tr := tar.NewReader(gz)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return fmt.Errorf("%s has no %s", p.spec(), p.member)
		}
		if err != nil {
			return fmt.Errorf("read tarball: %w", err)
		}
		if h.Name == p.member && h.Typeflag == tar.TypeReg {
			break
		}
	}
	tmp, err := os.CreateTemp(dir, "."+libName+"-*")
	if err != nil {
		return diskError(err)
	}
	defer os.Remove(tmp.Name())
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(tmp, sum), pr.reader(tr, 0))
	if err == nil {
		err = tmp.Sync()
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return diskError(err)
	}
	if err := os.Chmod(tmp.Name(), 0o755); err != nil {
		return err
	}
	lib := filepath.Join(dir, libName)
	if err := os.Rename(tmp.Name(), lib); err != nil {
		return err
	}
	st, err := os.Stat(lib)
	if err != nil {
		return err
	}
	return writeStamp(dir, stamp{
		Package: p.pkg, Version: p.version, Integrity: p.integrity, Licence: licence,
		SHA256: hex.EncodeToString(sum.Sum(nil)), Size: n, ModTime: st.ModTime(),
	})
}
