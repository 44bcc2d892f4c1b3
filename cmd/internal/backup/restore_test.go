package backup

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/cmd/internal/embedded/broker"
)

// now is the clock of the tests.
func now() time.Time { return time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC) }

// archived makes an archive of some files and returns it with what must be there after a restore.
func archived(t *testing.T, h Header) (file string, want map[string]string) {
	t.Helper()
	dir := t.TempDir()
	want = map[string]string{"broker/meta.json": "{}", "broker/partitions/a/0.dat": "log", "engine/metadata/flyball.sql": "ATTACH",
		"engine/store/1/2/all_1_1_0/data.bin": "rows", "secret.key": "00"}
	if !h.Key {
		delete(want, "secret.key")
	}
	var sources []Source
	for _, name := range slices.Sorted(maps.Keys(want)) {
		path := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(path, []byte(want[name]), 0o600); err != nil {
			t.Fatal(err)
		}
		sources = append(sources, Source{Name: name, Path: path, Size: -1})
	}
	sources = append(sources, Source{Name: "engine/data/t", Link: "../store/1/2"})
	want["engine/data/t"] = "-> ../store/1/2"
	file = filepath.Join(dir, "b.tar.zst")
	if _, err := writeArchive(file, h, sources); err != nil {
		t.Fatal(err)
	}
	return file, want
}

// tree returns the files of a folder with their content.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	all, err := files(dir, "", nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		if s.Link != "" {
			out[s.Name] = "-> " + s.Link
			continue
		}
		text, err := os.ReadFile(s.Path)
		if err != nil {
			t.Fatal(err)
		}
		out[s.Name] = string(text)
	}
	return out
}

// stopAt runs a restore that stops at the n-th stage, as if it was killed. It returns false if the restore came to its end.
func stopAt(o RestoreOptions, n int) (stopped bool, err error) {
	type killed struct{}
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(killed); !ok {
				panic(r)
			}
			stopped = true
		}
	}()
	o.Stage = func(string) {
		if n--; n == 0 {
			panic(killed{})
		}
	}
	_, err = Restore(o)
	return false, err
}

func TestHalfARestoreStarts(t *testing.T) {
	file, want := archived(t, Header{Key: true})
	for _, old := range []bool{false, true} {
		kills := 0
		for n := 1; ; n++ {
			data := t.TempDir()
			if old {
				for _, name := range []string{"secret.key", "broker/old", "engine/old"} {
					_ = os.MkdirAll(filepath.Dir(filepath.Join(data, name)), 0o700)
					_ = os.WriteFile(filepath.Join(data, name), []byte("old"), 0o600)
				}
			}
			o := RestoreOptions{File: file, Data: data, Force: old, Now: now}
			stopped, err := stopAt(o, n)
			if err != nil {
				t.Fatal(err)
			}
			if !stopped {
				break
			}
			kills++
			if err := CheckRestored(data); err == nil || !strings.Contains(err.Error(), "flyball restore "+file) {
				t.Fatalf("stopped at stage %d: half a restore would start: %v", n, err)
			}
			o.Force = false
			// It may be interrupted again, at any stage.
			if _, err := stopAt(o, 1+n%3); err != nil {
				t.Fatalf("the second time, after stage %d: %v", n, err)
			}
			if CheckRestored(data) != nil {
				if _, err := Restore(o); err != nil {
					t.Fatalf("again, after stage %d: %v", n, err)
				}
			}
			got := tree(t, data)
			delete(got, "engine/engine.lock") // made by the question whether an engine runs
			before := 0
			for name := range got {
				if strings.HasPrefix(name, beforePrefix) {
					before++
					delete(got, name)
				}
			}
			if !maps.Equal(got, want) || old && before < 3 || CheckRestored(data) != nil {
				t.Fatalf("stopped at stage %d, then run again: %v, %d old files\nwant %v", n, got, before, want)
			}
		}
		t.Logf("old data %v: stopped at %d stages", old, kills)
		if kills < 7 {
			t.Errorf("only %d stages", kills)
		}
	}
}

func TestRestoreReplacesADeploymentUnasked(t *testing.T) {
	file, _ := archived(t, Header{Key: true})
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "secret.key"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Restore(RestoreOptions{File: file, Data: data, Now: now})
	if err == nil || !strings.Contains(err.Error(), "not empty (secret.key)") || CheckRestored(data) != nil {
		t.Fatalf("%v, %v", err, CheckRestored(data))
	}
}

func TestDamagedBackupChangesTheFolder(t *testing.T) {
	file, _ := archived(t, Header{Key: true})
	whole, _ := os.ReadFile(file)
	data := filepath.Join(t.TempDir(), "data")
	for _, bad := range [][]byte{whole[:len(whole)/2], append(append([]byte{}, whole[:len(whole)/2]...), make([]byte, len(whole)/2)...), nil} {
		if err := os.WriteFile(file, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Restore(RestoreOptions{File: file, Data: data, Now: now}); err == nil {
			t.Error("a damaged archive was restored")
		}
		if _, err := os.Stat(data); err == nil {
			t.Error("the folder was made before the archive was checked")
		}
	}
}

func TestBackupOfANewerVersionIsRestored(t *testing.T) {
	file, _ := archived(t, Header{Key: true, Flyball: "9.0", Versions: map[string]int{"schema": 6}})
	_, err := Restore(RestoreOptions{File: file, Data: t.TempDir(), Now: now, Versions: map[string]int{"schema": 5}})
	if err == nil || !strings.Contains(err.Error(), `Flyball 9.0, whose format "schema" has version 6; this program reads up to 5`) {
		t.Error(err)
	}
	file, _ = archived(t, Header{Key: true, Flyball: "0.1", Versions: map[string]int{"schema": 4}})
	if _, err := Restore(RestoreOptions{File: file, Data: t.TempDir(), Now: now, Versions: map[string]int{"schema": 5}}); err != nil {
		t.Error(err)
	}
}

func TestRestoreWithoutTheKeySaysNothing(t *testing.T) {
	file, _ := archived(t, Header{Deployment: "d_01020304"})
	data := t.TempDir()
	if _, err := Restore(RestoreOptions{File: file, Data: data, Now: now}); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(data, MissingKey)); err != nil || string(text) != "d_01020304\n" {
		t.Errorf("%q %v", text, err)
	}
}

func TestEpochOfARestoredLogIsGivenTwice(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, epochFile)
	for before, want := range map[string]string{"7": "107", "32767": "32767", "": "", "x": "x"} {
		if err := os.WriteFile(path, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := raiseEpoch(dir); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); strings.TrimSpace(string(got)) != want {
			t.Errorf("%q became %q, want %q", before, got, want)
		}
	}
	if err := raiseEpoch(t.TempDir()); err != nil {
		t.Error(fmt.Errorf("without the file: %w", err))
	}
}

func TestInterruptedRestoreIsFinishedWithAnotherBackup(t *testing.T) {
	first, want := archived(t, Header{Key: true, Created: now()})
	second, _ := archived(t, Header{Key: true, Created: now().Add(time.Hour)})
	var data string
	for n := 0; ; n++ { // until files are being put in place
		data = t.TempDir()
		stopped, err := stopAt(RestoreOptions{File: first, Data: data, Now: now}, n+1)
		if !stopped || err != nil {
			t.Fatalf("%v %v", stopped, err)
		}
		if _, err := os.Stat(filepath.Join(data, "secret.key")); err == nil {
			break
		}
		if _, err := os.Stat(filepath.Join(data, "broker")); err == nil {
			break
		}
	}
	_, err := Restore(RestoreOptions{File: second, Data: data, Force: true, Now: now})
	if err == nil || !strings.Contains(err.Error(), first) || CheckRestored(data) == nil {
		t.Fatalf("%v: the files are those of the first backup", err)
	}
	if _, err := Restore(RestoreOptions{File: first, Data: data, Now: now}); err != nil {
		t.Fatal(err)
	}
	got := tree(t, data)
	delete(got, "engine/engine.lock")
	if !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
}

// The disk is full, or the archive goes away, before anything was moved.
func TestFailedRestoreTakesTheOldDeploymentOutOfService(t *testing.T) {
	file, _ := archived(t, Header{Key: true})
	data := t.TempDir()
	if err := os.WriteFile(filepath.Join(data, "secret.key"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := RestoreOptions{File: file, Data: data, Force: true, Now: now, Stage: func(stage string) {
		if stage == phaseExtract {
			_ = os.Truncate(file, 10)
		}
	}}
	if _, err := Restore(o); err == nil || !strings.Contains(err.Error(), "unchanged") {
		t.Fatal(err)
	}
	if err := CheckRestored(data); err != nil {
		t.Errorf("the old deployment, which is whole, does not start: %v", err)
	}
	if got := tree(t, data); len(got) != 1 || got["secret.key"] != "mine" {
		t.Errorf("%v", got)
	}
}

// flyball up has looked for the marker just before the restore wrote it.
func TestRestoreMovesTheFilesOfAProcessThatStartsMeanwhile(t *testing.T) {
	file, _ := archived(t, Header{Key: true})
	data := t.TempDir()
	dir := filepath.Join(data, brokerDir)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	o := RestoreOptions{File: file, Data: data, Force: true, Now: now, Stage: func(stage string) {
		if stage == phaseExtract {
			unlock, err := broker.Lock(dir)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(unlock)
		}
	}}
	if _, err := Restore(o); err == nil || !strings.Contains(err.Error(), "a process uses") {
		t.Fatal(err)
	}
	if err := CheckRestored(data); err != nil {
		t.Error(err)
	}
}
