package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Engine runs statements of the embedded engine.
type Engine interface {
	RunStatement(ctx context.Context, sql string) error
	QueryText(ctx context.Context, sql string) (string, error)
}

// Server answers requests for snapshots in a running process.
type Server struct {
	Data     string
	Freeze   func(ctx context.Context, do func() error) error // of the embedded broker; nil: the broker is another's
	Engine   Engine                                           // the embedded engine; nil: ClickHouse is another's
	Database string
	Log      *slog.Logger

	now func() time.Time
}

const (
	pollEvery = 300 * time.Millisecond
	// maxFrozen is how long the broker may stand still. Points call the state stale after 5 s without a record.
	maxFrozen = 3 * time.Second

	frozenPrefix  = "flyball_backup_"
	requestPrefix = "request-"
	lockFile      = "lock"
	answerFile    = "answer.json"
)

// answer is the response to a request.
type answer struct {
	Error    string   `json:"error,omitempty"`
	FrozenMS int64    `json:"frozen_ms"`
	Broker   bool     `json:"broker"`
	Engine   bool     `json:"engine"`
	Sources  []Source `json:"sources"`
}

// Run answers requests until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	s.now = time.Now
	s.removeAbandoned("")
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, id := range s.requests() {
			dir := filepath.Join(s.Data, requestsDir, requestPrefix+id)
			if !locked(filepath.Join(dir, lockFile)) {
				s.removeAbandoned(id)
				continue
			}
			if _, err := os.Stat(filepath.Join(dir, answerFile)); errors.Is(err, fs.ErrNotExist) {
				s.answer(ctx, id, dir)
			}
		}
	}
}

// requests returns the ids of the requests that exist.
func (s *Server) requests() (ids []string) {
	entries, _ := os.ReadDir(filepath.Join(s.Data, requestsDir))
	for _, e := range entries {
		if id, ok := strings.CutPrefix(e.Name(), requestPrefix); ok && e.IsDir() && validID(id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// removeAbandoned removes what was made for a request whose asker has ended; for an empty id of all of them.
func (s *Server) removeAbandoned(id string) {
	all := []string{id}
	if id == "" {
		all = s.requests()
		frozen, _ := filepath.Glob(filepath.Join(s.Data, engineDir, "shadow", frozenPrefix+"*"))
		for _, f := range frozen {
			all = append(all, strings.TrimPrefix(filepath.Base(f), frozenPrefix))
		}
	}
	for _, id := range all {
		dir := filepath.Join(s.Data, requestsDir, requestPrefix+id)
		if locked(filepath.Join(dir, lockFile)) {
			continue
		}
		err := errors.Join(os.RemoveAll(filepath.Join(s.Data, engineDir, "shadow", frozenPrefix+id)), os.RemoveAll(dir))
		if err != nil {
			s.Log.Warn("what was made for a backup could not be removed", "error", err)
		}
	}
}

// answer takes the snapshot and writes where its files are.
func (s *Server) answer(ctx context.Context, id, dir string) {
	a, err := s.snapshot(ctx, id, dir)
	if err != nil {
		a = answer{Error: err.Error()}
		s.Log.Error("the snapshot for a backup failed", "error", err)
	} else {
		s.Log.Info("snapshot for a backup", "files", len(a.Sources), "broker_frozen", time.Duration(a.FrozenMS)*time.Millisecond)
	}
	text, err := json.Marshal(a)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, answerFile+".tmp"), text, 0o600)
	}
	if err == nil {
		err = os.Rename(filepath.Join(dir, answerFile+".tmp"), filepath.Join(dir, answerFile))
	}
	if err != nil {
		s.Log.Error("the answer to a request for a backup could not be written", "error", err)
	}
}

// snapshot freezes the broker, and meanwhile makes hard links and freezes the tables.
func (s *Server) snapshot(ctx context.Context, id, dir string) (a answer, err error) {
	if s.Freeze == nil && s.Engine == nil {
		return a, nil
	}
	tables, err := s.tables(ctx)
	if err != nil {
		return a, err
	}
	take := func() error {
		began := s.now()
		limit, cancel := context.WithTimeout(ctx, maxFrozen)
		defer cancel()
		var err error
		if s.Freeze != nil {
			if a.Sources, err = linkBroker(s.Data, dir); err != nil {
				return err
			}
		}
		for _, t := range tables {
			if err := s.Engine.RunStatement(limit, "ALTER TABLE "+t+" FREEZE WITH NAME '"+frozenPrefix+id+"'"); err != nil {
				return fmt.Errorf("freeze the tables within %s: %w; try again when the engine has less to do", maxFrozen, err)
			}
		}
		if s.Engine != nil {
			definitions, err := engineFiles(s.Data, false)
			if err != nil {
				return err
			}
			if definitions, err = link(definitions, dir); err != nil {
				return err
			}
			a.Sources = append(a.Sources, definitions...)
		}
		a.FrozenMS = s.now().Sub(began).Milliseconds()
		return nil
	}
	if s.Freeze == nil {
		err = take()
	} else {
		err = s.Freeze(ctx, take)
	}
	if err != nil {
		return a, err
	}
	if s.Engine != nil {
		parts, err := frozenFiles(s.Data, frozenPrefix+id)
		if err != nil {
			return a, err
		}
		a.Sources = append(a.Sources, parts...)
	}
	a.Broker, a.Engine = s.Freeze != nil, s.Engine != nil
	return a, nil
}

// tables returns the tables of the database, that of the store's progress first.
func (s *Server) tables(ctx context.Context) ([]string, error) {
	if s.Engine == nil {
		return nil, nil
	}
	text, err := s.Engine.QueryText(ctx, "SELECT name FROM system.tables WHERE database = '"+s.Database+
		"' AND engine LIKE '%MergeTree' ORDER BY name = 'progress' DESC, name")
	if err != nil {
		return nil, fmt.Errorf("list the tables: %w", err)
	}
	var out []string
	for name := range strings.Lines(text) {
		out = append(out, "`"+s.Database+"`.`"+strings.TrimSpace(name)+"`")
	}
	return out, nil
}

// maxLinkAttempts is how often the files of the broker are linked until nothing has changed meanwhile.
const maxLinkAttempts = 5

// linkBroker makes hard links to the broker's files. Segments are only appended, removed or replaced as a whole, so a link keeps the
// bytes that its file had. If files came or went meanwhile, it begins again.
func linkBroker(data, dir string) ([]Source, error) {
	for range maxLinkAttempts {
		before, err := brokerFiles(data)
		if err != nil {
			return nil, err
		}
		linked, err := link(before, dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		after, err := brokerFiles(data)
		if err != nil {
			return nil, err
		}
		if slices.EqualFunc(before, after, func(a, b Source) bool { return a.Name == b.Name }) {
			return linked, nil
		}
	}
	return nil, errors.New("the files of the embedded broker changed while it was frozen; try again")
}

// link makes hard links to files in a folder, and returns them with the sizes that they had.
func link(sources []Source, dir string) ([]Source, error) {
	out := slices.Clone(sources)
	for i := range out {
		s := &out[i]
		if s.Link != "" {
			continue
		}
		to := filepath.Join(dir, "files", filepath.FromSlash(s.Name))
		if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
			return nil, err
		}
		_ = os.Remove(to) // of an attempt before
		if err := os.Link(s.Path, to); err != nil {
			return nil, err
		}
		s.Path = to
	}
	return out, nil
}
