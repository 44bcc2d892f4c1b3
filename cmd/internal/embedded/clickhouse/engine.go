package clickhouse

import (
	"fmt"
	"os"
	"strings"
	"sync"
)

// host is the engine in this process: the library, a permanent connection and the options. The engine runs as long as its first
// connection is open. That connection is also used to kill statements of other connections.
type host struct {
	opt  Options
	lib  *library
	mu   sync.Mutex // serialises statements on base
	base *conn

	timezone, display, version string
}

// start starts the engine on opt.Path. The caller holds the lock of that directory.
func start(opt Options) (*host, error) {
	lib, err := loadLibrary(opt.Lib)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(opt.Path, 0o700); err != nil {
		return nil, fmt.Errorf("create engine data directory: %w", err)
	}
	h := &host{opt: opt, lib: lib}
	if h.base, err = lib.open(opt.engineArgs()); err != nil {
		return nil, fmt.Errorf("open %s: %w", opt.Path, err)
	}
	var row string
	_, err = h.base.exec("SELECT timezone(), displayName(), version()", "TSV", nil, func(b []byte) error { row = string(b); return nil })
	if err != nil {
		h.stop()
		return nil, fmt.Errorf("first query of the engine: %w", err)
	}
	f := append(strings.Split(strings.TrimSpace(row), "\t"), "", "")
	h.timezone, h.display, h.version = f[0], f[1], f[2]
	return h, nil
}

// session is the connection of one request. Opening a connection takes less than 0.1 ms, so each request has its own: settings, the
// current database and temporary tables cannot affect other requests.
type session struct {
	*conn
	h   *host
	tag string
}

func (h *host) session(tag, database string, settings []param, readonly string) (*session, error) {
	c, err := h.lib.open(h.opt.engineArgs())
	if err != nil {
		return nil, err
	}
	s := &session{conn: c, h: h, tag: tag}
	if err := s.prepare(database, settings, readonly); err != nil {
		c.shut()
		return nil, err
	}
	return s, nil
}

func (s *session) prepare(database string, settings []param, readonly string) error {
	set := []param{
		{"max_threads", fmt.Sprint(s.h.opt.QueryThreads)},
		{"max_memory_usage", fmt.Sprint(s.h.opt.Memory / 2)},
		{"max_bytes_before_external_group_by", fmt.Sprint(s.h.opt.Memory / 4)},
		{"max_bytes_before_external_sort", fmt.Sprint(s.h.opt.Memory / 4)},
		{"implicit_select", "0"}, // the default of a server: a single word is a syntax error
	}
	tag := s.tag
	for _, p := range settings {
		if p.name == "log_comment" {
			tag = p.value + " " + tag
			continue
		}
		set = append(set, p)
	}
	s.tag = tag
	// The engine accepts no query id, so kill finds the statement by this comment.
	set = append(set, param{"log_comment", tag})
	var b strings.Builder
	for i, p := range set {
		if i == 0 {
			b.WriteString("SET ")
		} else {
			b.WriteString(", ")
		}
		b.WriteString(quoteName(p.name) + " = " + quoteText(p.value))
	}
	if database != "" && database != "default" {
		if err := s.run("USE " + quoteName(database)); err != nil {
			return err
		}
	}
	if err := s.run(b.String()); err != nil {
		return err
	}
	if readonly != "" && readonly != "0" { // last, because no setting can be changed after it
		return s.run("SET readonly = " + quoteText(readonly))
	}
	return nil
}

// kill stops the session's statement. It returns immediately; the statement ends with QUERY_WAS_CANCELLED shortly after.
func (s *session) kill() error {
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	return s.h.base.run("KILL QUERY WHERE Settings['log_comment'] = " + quoteText(s.tag) + " ASYNC")
}

// stop ends the engine. All sessions must be closed before.
func (h *host) stop() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.base != nil {
		h.base.shut()
		h.base = nil
	}
	h.lib.shutdown()
}
