package archive

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A cron job that takes longer than its interval writes the same name twice.
func TestTwoArchivesMixInOneFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "b.tar.zst")
	write := func(f *os.File) error {
		_, err := f.WriteString("whole")
		return err
	}
	first, err := openPartial(file + ".partial")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.WriteString("half"); err != nil {
		t.Fatal(err)
	}
	if _, err := Publish(file, write); err == nil || !strings.Contains(err.Error(), "another archive") {
		t.Fatalf("%v: two writers write the same file", err)
	}
	if text, err := os.ReadFile(file + ".partial"); err != nil || string(text) != "half" {
		t.Fatalf("%q %v: the second writer changed the file of the first", text, err)
	}
	_ = first.Close()
	if n, err := Publish(file, write); err != nil || n != 5 {
		t.Fatalf("%d bytes, %v: the rest of an interrupted writer is in the way", n, err)
	}
	if _, err := Publish(file, write); err == nil {
		t.Error("an existing file was replaced")
	}
}

// A writer that fails must leave nothing that looks like an archive.
func TestFailedWriterLeavesHalfAnArchive(t *testing.T) {
	dir := t.TempDir()
	if _, err := Publish(filepath.Join(dir, "e.zip"), func(f *os.File) error {
		_, _ = f.WriteString("half")
		return os.ErrClosed
	}); err == nil {
		t.Fatal("no error")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("%v, %v", left, err)
	}
}
