package clickhouse

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

const stampName = "engine.json"

// stamp is written after the library is in place. It makes later starts fast: if size and time are equal to the recorded ones, the
// checksum is not computed again.
type stamp struct {
	Package   string    `json:"package"`
	Version   string    `json:"version"`
	Integrity string    `json:"integrity"`
	Licence   string    `json:"licence"`
	SHA256    string    `json:"library_sha256"`
	Size      int64     `json:"library_size"`
	ModTime   time.Time `json:"library_mtime"`
}

// quickCheck returns nil if dir contains the complete pinned library.
func quickCheck(dir string, p pin) error {
	raw, err := os.ReadFile(filepath.Join(dir, stampName))
	if err != nil {
		return err
	}
	var s stamp
	if err := json.Unmarshal(raw, &s); err != nil {
		return fmt.Errorf("%s: %w", stampName, err)
	}
	if s.Version != p.version || s.Integrity != p.integrity {
		return fmt.Errorf("library is %s, wanted %s", s.Version, p.version)
	}
	lib := filepath.Join(dir, libName)
	st, err := os.Stat(lib)
	if err != nil {
		return err
	}
	if st.Size() != s.Size {
		return fmt.Errorf("library has %d bytes, recorded were %d", st.Size(), s.Size)
	}
	if st.ModTime().Equal(s.ModTime) {
		return nil
	}
	sum, err := fileSHA256(lib)
	if err != nil {
		return err
	}
	if sum != s.SHA256 {
		return errors.New("library differs from its recorded checksum")
	}
	s.ModTime = st.ModTime()
	// If the directory is read-only, the checksum is computed at every start.
	_ = writeStamp(dir, s)
	return nil
}

func writeStamp(dir string, s stamp) error {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(dir, ".engine-*.json")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if _, err := tmp.Write(append(raw, '\n')); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Close(); err != nil {
		return err
	}
	if err := os.Chmod(tmp.Name(), 0o644); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), filepath.Join(dir, stampName))
}

func fileSHA256(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
