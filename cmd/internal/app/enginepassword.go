package app

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"flyball/cmd/internal/config"
	engine "flyball/cmd/internal/embedded/clickhouse"
)

// EnginePassword is the name of the file, in the data folder, with the password of who writes
// to the embedded ClickHouse engine. `flyball up` creates it; commands and roles in other
// processes with the same data folder read it. Without it, a client reads as an analyst.
const EnginePassword = "engine.password"

// engineUser is the user whose password that is.
const engineUser = "flyball"

// MakeEnginePassword creates the password if there is none. It does nothing if the
// configuration names a password.
func MakeEnginePassword(c config.Config) error {
	if c.ClickHouse.PasswordFile != "" {
		return nil
	}
	_, err := makePassword(c, EnginePassword, "password of the embedded engine")
	return err
}

// engineLogin returns user and password for the embedded engine. Without a password that it
// can read, both are empty: the process reads and does not write.
func engineLogin(c config.Config) (user, password string, err error) {
	beside := slices.Equal(c.ClickHouse.Addr, []string{c.ClickHouse.Listen}) && c.ClickHouse.User == "" && engine.InUse(engineDir(c))
	if c.ClickHouse.PasswordFile != "" || len(c.ClickHouse.Addr) > 0 && !beside {
		return "", "", nil
	}
	password, err = secretFile("password of the embedded engine", filepath.Join(c.Data, EnginePassword))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return "", "", nil
	}
	return engineUser, password, err
}

func engineDir(c config.Config) string { return filepath.Join(c.Data, "engine") }

// protectData makes the data folder, and everything in it, readable by its owner alone.
func protectData(c config.Config, log *slog.Logger) error {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return err
	}
	for path, mode := range map[string]fs.FileMode{c.Data: 0o700, filepath.Join(c.Data, "secret.key"): 0o600} {
		st, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if st.Mode().Perm()&0o077 == 0 {
			continue
		}
		if err := os.Chmod(path, mode); err != nil {
			log.Warn("others on this machine may read Flyball's data, and its mode cannot be changed", "path", path, "mode", st.Mode().Perm(),
				"err", err)
			continue
		}
		log.Info("closed to others on this machine", "path", path, "was", st.Mode().Perm(), "is", mode)
	}
	return nil
}
