package backup

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/cmd/internal/embedded/broker"
	engine "flyball/cmd/internal/embedded/clickhouse"
	"flyball/schema"
)

// Names in the data folder during a restore.
const (
	markerFile    = "RESTORE-NOT-FINISHED"
	extractDir    = "restore-extracted"
	beforePrefix  = "before-restore-"
	MissingKey    = "secret.key.missing" // its content is the id of the deployment
	markerMissing = "its restore was interrupted"
)

// ofRestore reports whether an entry lies in a file or folder by which a restore works.
func ofRestore(name string) bool {
	first, _, _ := strings.Cut(name, "/")
	return strings.HasPrefix(first, markerFile) || first == extractDir || strings.HasPrefix(first, beforePrefix)
}

// marker says what a restore does. While it exists, nothing starts in the data folder.
type marker struct {
	Archive string `json:"archive"`
	Phase   string `json:"phase"`
	Before  string `json:"before"` // folder of what was in the data folder
	// Created is when the backup was made: another archive has another time. Zero: not known.
	Created time.Time `json:"created"`
}

// Phases of a restore, in order. Files are extracted beside the old ones; then the old ones are moved away; then the new ones take
// their place. The last two are renames.
const (
	phaseExtract = "extract"
	phaseMove    = "move"
	phasePlace   = "place"
)

// RestoreOptions say what is restored and where.
type RestoreOptions struct {
	File  string
	Data  string
	Force bool // replaces a data folder that holds something
	// Versions are the newest versions of formats that this program reads.
	Versions map[string]int
	Now      func() time.Time
	// Stage is called before each step; tests kill the process in it. nil: not called.
	Stage func(string)
}

// Restored is the result of a restore.
type Restored struct {
	Result
	Data    string  `json:"data"`
	Before  string  `json:"before,omitempty"` // where the former content is
	Seconds float64 `json:"seconds"`
}

// CheckRestored returns an error if the data folder holds half a restore.
func CheckRestored(data string) error {
	text, err := os.ReadFile(filepath.Join(data, markerFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var m marker
	_ = json.Unmarshal(text, &m)
	return fmt.Errorf("%s is not a whole deployment: %s (%s is there); run flyball restore %s --data %s again", data, markerMissing,
		markerFile, m.Archive, data)
}

// Restore checks an archive and puts its files into the data folder.
func Restore(o RestoreOptions) (Restored, error) {
	began := o.Now()
	if o.Stage == nil {
		o.Stage = func(string) {}
	}
	h, err := headerOf(o.File)
	if err != nil {
		return Restored{}, err
	}
	if err := checkVersions(h, o.Versions); err != nil {
		return Restored{}, err
	}
	if _, err := Verify(o.File); err != nil {
		return Restored{}, fmt.Errorf("%s: %w; nothing was written", o.File, err)
	}
	if err := os.MkdirAll(o.Data, 0o700); err != nil {
		return Restored{}, err
	}
	if err := os.Chmod(o.Data, 0o700); err != nil {
		return Restored{}, err
	}
	if err := checkUnused(o.Data); err != nil {
		return Restored{}, err
	}
	r := restore{o: o, created: h.Created, path: filepath.Join(o.Data, markerFile)}
	if err := r.begin(); err != nil {
		return Restored{}, err
	}
	result, err := r.run()
	if err != nil && r.m.Phase == phaseExtract && r.abandon() == nil {
		return Restored{}, fmt.Errorf("%w; what was in %s before is unchanged", err, o.Data)
	}
	if err != nil {
		return Restored{}, fmt.Errorf("%w; nothing starts in %s until the restore has been run again", err, o.Data)
	}
	before := ""
	if _, err := os.Stat(filepath.Join(o.Data, r.m.Before)); err == nil {
		before = filepath.Join(o.Data, r.m.Before)
	}
	return Restored{result, o.Data, before, o.Now().Sub(began).Seconds()}, nil
}

// checkUnused returns an error if a process uses the embedded parts of a data folder.
func checkUnused(data string) error {
	if broker.Running(filepath.Join(data, brokerDir)) || engine.InUse(filepath.Join(data, engineDir)) {
		return fmt.Errorf("a process uses %s: stop it first", data)
	}
	return nil
}

// checkVersions refuses an archive whose data this program cannot read.
func checkVersions(h Header, known map[string]int) error {
	for _, name := range slices.Sorted(maps.Keys(h.Versions)) {
		if v, ok := known[name]; !ok || h.Versions[name] > v {
			return fmt.Errorf("the backup was made by Flyball %s, whose format %q has version %d; this program reads up to %d: restore it with "+
				"that version or a newer one", h.Flyball, name, h.Versions[name], v)
		}
	}
	return nil
}

type restore struct {
	o       RestoreOptions
	created time.Time // of the backup
	path    string
	m       marker
}

// abandon removes what a restore made before it changed anything else.
func (r *restore) abandon() error {
	if err := os.RemoveAll(filepath.Join(r.o.Data, extractDir)); err != nil {
		return err
	}
	return os.Remove(r.path)
}

// begin writes the marker, or reads that of an interrupted restore.
func (r *restore) begin() error {
	text, err := os.ReadFile(r.path)
	switch {
	case err == nil:
		if err := json.Unmarshal(text, &r.m); err != nil || r.m.Phase == "" {
			r.m = marker{Phase: phaseExtract} // killed while it was written: nothing had been changed
		}
		if r.m.Phase == phasePlace && !r.m.Created.IsZero() && !r.m.Created.Equal(r.created) {
			return fmt.Errorf("the restore of another backup (%s, made at %s) was interrupted when its files were put in place: run "+
				"flyball restore with that file again, then with this one and --force", r.m.Archive, r.m.Created.Format(time.RFC3339Nano))
		}
		r.m.Archive, r.m.Created = r.o.File, r.created
		if r.m.Before == "" {
			r.m.Before = beforePrefix + r.o.Now().UTC().Format("20060102T150405Z")
		}
		return r.set(r.m.Phase)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	old, err := r.old()
	if err != nil {
		return err
	}
	if len(old) > 0 && !r.o.Force {
		return fmt.Errorf("%s is not empty (%s): choose another folder, or --force, which moves what is there into a folder below it",
			r.o.Data, strings.Join(old[:min(len(old), 3)], ", "))
	}
	r.m = marker{Archive: r.o.File, Before: beforePrefix + r.o.Now().UTC().Format("20060102T150405Z"), Created: r.created}
	return r.set(phaseExtract)
}

// set writes the marker with a phase, durably.
func (r *restore) set(phase string) error {
	r.m.Phase = phase
	text, err := json.Marshal(r.m)
	if err != nil {
		return err
	}
	next := r.path + ".tmp"
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return err
	}
	if phase != phaseExtract {
		if err := syncFiles(r.o.Data); err != nil {
			return err
		}
	}
	if err := os.Rename(next, r.path); err != nil {
		return err
	}
	return syncFiles(r.o.Data)
}

// old returns the names of what was in the folder before the restore, without folders of earlier ones.
func (r *restore) old() ([]string, error) {
	entries, err := os.ReadDir(r.o.Data)
	var out []string
	for _, e := range entries {
		n := e.Name()
		if n == markerFile || n == markerFile+".tmp" || n == extractDir || strings.HasPrefix(n, beforePrefix) || n == "lost+found" {
			continue
		}
		out = append(out, n)
	}
	return out, err
}

// run continues at the phase of the marker.
func (r *restore) run() (result Result, err error) {
	extracted := filepath.Join(r.o.Data, extractDir)
	if r.m.Phase != phasePlace {
		if err := os.RemoveAll(extracted); err != nil {
			return result, err
		}
		if err := os.Mkdir(extracted, 0o700); err != nil {
			return result, err
		}
		r.o.Stage(phaseExtract)
		if result, err = extractArchive(r.o.File, extracted); err != nil {
			return result, err
		}
		if err := raiseEpoch(extracted); err != nil {
			return result, err
		}
		if !result.Header.Key {
			if err := os.WriteFile(filepath.Join(extracted, MissingKey), []byte(result.Header.Deployment+"\n"), 0o600); err != nil {
				return result, err
			}
		}
		if err := checkUnused(r.o.Data); err != nil { // it may have been started just before the marker was there
			return result, err
		}
		if err := r.set(phaseMove); err != nil {
			return result, err
		}
		r.o.Stage(phaseMove)
		if err := r.moveOld(); err != nil {
			return result, err
		}
		if err := r.set(phasePlace); err != nil {
			return result, err
		}
	} else if result, err = Verify(r.o.File); err != nil {
		return result, err
	}
	r.o.Stage(phasePlace)
	entries, err := os.ReadDir(extracted)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // it is missing if only the marker was left
		return result, err
	}
	for _, e := range entries {
		r.o.Stage(phasePlace + " " + e.Name())
		if err := os.Rename(filepath.Join(extracted, e.Name()), filepath.Join(r.o.Data, e.Name())); err != nil {
			return result, err
		}
	}
	if err := os.Remove(extracted); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return result, err
	}
	if err := syncFiles(r.o.Data); err != nil {
		return result, err
	}
	r.o.Stage("end")
	if err := os.Remove(r.path); err != nil {
		return result, err
	}
	return result, syncFiles(r.o.Data)
}

// moveOld moves what was in the folder into one below it.
func (r *restore) moveOld() error {
	old, err := r.old()
	if err != nil || len(old) == 0 {
		return err
	}
	before := filepath.Join(r.o.Data, r.m.Before)
	if err := os.MkdirAll(before, 0o700); err != nil {
		return err
	}
	for _, n := range old {
		r.o.Stage(phaseMove + " " + n)
		if err := os.Rename(filepath.Join(r.o.Data, n), filepath.Join(before, n)); err != nil {
			return err
		}
	}
	return nil
}

// epochsPerRestore is by how much the leader epoch of a restored log rises: the deployment can have been started so often after the
// backup. Offsets hold the epoch, so that an outside ClickHouse takes no record of the restored log for one that it has.
const epochsPerRestore = 100

// raiseEpoch raises the epoch in a folder with the files of a backup. The broker reports a file that it cannot read.
func raiseEpoch(dir string) error {
	path := filepath.Join(dir, epochFile)
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	epoch, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return nil
	}
	return os.WriteFile(path, []byte(strconv.Itoa(max(epoch, min(epoch+epochsPerRestore, schema.MaxEpoch)))+"\n"), 0o600)
}
