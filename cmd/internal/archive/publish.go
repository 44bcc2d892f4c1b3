package archive

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Publish makes a file that is complete or not there. write gets a file for this process alone, which has .partial at the end of its name
// until it is written and on disk; then it gets its name. An existing file is not replaced; a write that fails leaves nothing. It returns
// the size of the file.
func Publish(path string, write func(*os.File) error) (size int64, err error) {
	if _, err := os.Lstat(path); err == nil {
		return 0, fmt.Errorf("%s exists already; choose another name", path)
	}
	partial := path + ".partial"
	f, err := openPartial(partial)
	if err != nil {
		return 0, err
	}
	defer func() {
		_ = f.Close()
		if err != nil {
			_ = os.Remove(partial)
		}
	}()
	if err := f.Chmod(0o600); err != nil { // a file of an interrupted writer can have been made readable
		return 0, err
	}
	if err := write(f); err != nil {
		return 0, err
	}
	if err := f.Sync(); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	if err := os.Link(partial, path); err != nil { // unlike a rename, it does not replace a file that was made meanwhile
		if errors.Is(err, os.ErrExist) {
			return 0, err
		}
		if err := os.Rename(partial, path); err != nil {
			return 0, err
		}
	} else if err := os.Remove(partial); err != nil {
		return 0, err
	}
	return info.Size(), syncDir(filepath.Dir(path))
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
		return nil, fmt.Errorf("%s: another archive is being written to it; wait, or choose another name", partial)
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
		return nil, fmt.Errorf("%s: another archive has just been written; choose another name", partial)
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

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
