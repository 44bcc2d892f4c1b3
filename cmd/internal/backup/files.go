package backup

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"flyball/cmd/internal/embedded/broker"
	engine "flyball/cmd/internal/embedded/clickhouse"
)

// Names in the data folder.
const (
	requestsDir = "backup"
	brokerDir   = "broker"
	engineDir   = "engine"
	epochFile   = "broker-epoch"
)

// secrets are the files of the data folder that --without-key leaves out.
var secrets = []string{"secret.key", "broker.password", "engine.password"}

// files returns the files below a folder as sources with the given prefix of their names. skip are names directly below it. descend
// says of a folder (relative to dir) whether its files belong to the backup.
func files(dir, prefix string, skip []string, descend func(rel string, path string) bool) ([]Source, error) {
	var out []Source
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) { // removed while the folder was read: a temporary file
			return nil
		}
		if err != nil || path == dir {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		if slices.Contains(skip, rel) || strings.HasSuffix(rel, ".tmp") {
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		s := Source{Name: filepath.ToSlash(filepath.Join(prefix, rel)), Path: path, Size: -1}
		switch {
		case d.IsDir():
			if descend != nil && !descend(rel, path) {
				return filepath.SkipDir
			}
			return nil
		case d.Type()&fs.ModeSymlink != 0:
			if s.Link, err = os.Readlink(path); err != nil {
				return err
			}
		case !d.Type().IsRegular():
			return nil
		default:
			info, err := d.Info()
			if os.IsNotExist(err) {
				return nil
			}
			if err != nil {
				return err
			}
			s.Size = info.Size()
		}
		out = append(out, s)
		return nil
	})
	if os.IsNotExist(err) {
		err = nil
	}
	return out, err
}

// brokerFiles returns the files of the embedded broker.
func brokerFiles(data string) ([]Source, error) {
	return files(filepath.Join(data, brokerDir), brokerDir, broker.NotInABackup, nil)
}

// engineFiles returns the files of the embedded engine; with parts those of tables' rows too, otherwise only definitions.
func engineFiles(data string, parts bool) ([]Source, error) {
	return files(filepath.Join(data, engineDir), engineDir, engine.NotInABackup, func(rel, path string) bool {
		name := filepath.Base(rel)
		if name == "detached" || strings.HasPrefix(name, "tmp_") || strings.HasPrefix(name, "delete_tmp_") {
			return false
		}
		return parts || !isPart(path)
	})
}

// isPart reports whether a folder has rows of a table.
func isPart(dir string) bool {
	for _, name := range []string{"checksums.txt", "columns.txt"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
			return true
		}
	}
	return false
}

// frozenFiles returns the parts that the engine froze under a name, under the names that they have in its folder.
func frozenFiles(data, name string) ([]Source, error) {
	return files(filepath.Join(data, engineDir, "shadow", name), engineDir, nil, nil)
}

// ownFiles returns the files directly in the data folder.
func ownFiles(data string, withKey bool) []Source {
	names := []string{epochFile}
	if withKey {
		names = append(names, secrets...)
	}
	var out []Source
	for _, n := range names {
		path := filepath.Join(data, n)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			out = append(out, Source{Name: n, Path: path, Size: -1})
		}
	}
	return out
}
