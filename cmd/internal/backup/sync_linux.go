package backup

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncFiles writes all changes of a folder's file system to disk.
func syncFiles(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return unix.Syncfs(int(d.Fd()))
}
