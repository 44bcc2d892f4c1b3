package app

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"flyball/cmd/internal/config"
)

func TestPasswordOfTheEngineIsMadeOnceForItsOwnerAlone(t *testing.T) {
	c := config.Default()
	c.Data = filepath.Join(t.TempDir(), "data")
	if user, password, err := engineLogin(c); user != "" || password != "" || err != nil {
		t.Errorf("without a password: %q %q %v", user, password, err)
	}
	for range 2 {
		if err := MakeEnginePassword(c); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(c.Data, EnginePassword)
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	o, err := EngineOptions(c)
	if err != nil || len(o.Password) != 64 || !o.AnonymousReads || o.User != engineUser || o.Databases[0] != "flyball" {
		t.Errorf("%+v, %v", o, err)
	}
	// Without an engine on the data folder, a server at the same address must not see the password.
	c.ClickHouse.Addr = []string{c.ClickHouse.Listen}
	if user, password, err := engineLogin(c); user != "" || password != "" || err != nil {
		t.Errorf("an outside server: %q %q %v", user, password, err)
	}
}

// A password of the operator's own is required from everybody.
func TestPasswordOfTheOperatorIsWantedFromReadersToo(t *testing.T) {
	c := config.Default()
	c.Data = filepath.Join(t.TempDir(), "data")
	own := filepath.Join(t.TempDir(), "own")
	if err := os.WriteFile(own, []byte("a password of the operator"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.ClickHouse.User, c.ClickHouse.PasswordFile = "ops", own
	if err := MakeEnginePassword(c); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(c.Data, EnginePassword)); err == nil {
		t.Error("a second password was made")
	}
	if o, err := EngineOptions(c); err != nil || o.AnonymousReads || o.User != "ops" || o.Password != "a password of the operator" {
		t.Errorf("%+v, %v", o, err)
	}
}

func TestDataFolderIsClosedToOthers(t *testing.T) {
	c := config.Default()
	c.Data = filepath.Join(t.TempDir(), "data")
	if err := os.MkdirAll(c.Data, 0o755); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(c.Data, "secret.key")
	if err := os.WriteFile(key, []byte("00"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := protectData(c, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]fs.FileMode{c.Data: 0o700, key: 0o600} {
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", path, st.Mode(), err)
		}
	}
}
