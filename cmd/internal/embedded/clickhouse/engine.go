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

	args           []string        // of every connection
	tableFunctions map[string]bool // all of the engine, in lower case
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
	access, err := opt.writeAccess()
	if err != nil {
		return nil, err
	}
	h := &host{opt: opt, lib: lib, args: append(opt.engineArgs(), "--config-file="+access)}
	if h.base, err = lib.open(h.args); err != nil {
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
	if err := h.checkAccess(); err != nil {
		h.stop()
		return nil, err
	}
	return h, nil
}

// checkAccess returns an error if the engine did not take the access rules, and reads the names of its table functions.
func (h *host) checkAccess() error {
	var roles, functions string
	text := func(to *string) func([]byte) error { return func(b []byte) error { *to = string(b); return nil } }
	if _, err := h.base.exec("SELECT arrayStringConcat(defaultRoles(), ' ')", "TSVRaw", nil, text(&roles)); err != nil {
		return fmt.Errorf("read the engine's roles: %w", err)
	}
	if strings.TrimSpace(roles) != writerRole {
		return fmt.Errorf("the engine ignored its access rules in %s: readers could write, so it does not start", h.opt.Path)
	}
	if _, err := h.base.exec("SELECT arrayStringConcat(groupArray(name), ' ') FROM system.table_functions", "TSVRaw", nil,
		text(&functions)); err != nil {
		return fmt.Errorf("read the engine's table functions: %w", err)
	}
	h.tableFunctions = words(functions)
	return nil
}

// session is the connection of one request. Opening a connection takes less than 0.1 ms, so each request has its own: settings, the
// current database and temporary tables cannot affect other requests.
type session struct {
	*conn
	h   *host
	tag string
}

func (h *host) session(tag string, q *request) (*session, error) {
	c, err := h.lib.open(h.args)
	if err != nil {
		return nil, err
	}
	s := &session{conn: c, h: h, tag: tag}
	if err := s.prepare(q); err != nil {
		c.shut()
		return nil, err
	}
	return s, nil
}

// limits are the settings of every session. A reader may narrow them.
func (h *host) limits(who rights) []param {
	set := []param{
		{"max_threads", fmt.Sprint(h.opt.QueryThreads)},
		{"max_memory_usage", fmt.Sprint(h.opt.Memory / 2)},
		{"max_bytes_before_external_group_by", fmt.Sprint(h.opt.Memory / 4)},
		{"max_bytes_before_external_sort", fmt.Sprint(h.opt.Memory / 4)},
		{"implicit_select", "0"}, // the default of a server: a single word is a syntax error
	}
	if who == analyst {
		set = append(set, param{"max_execution_time", fmt.Sprint(int(readerTime.Seconds()))},
			param{"max_query_size", fmt.Sprint(4 * maxReaderText)})
	}
	return set
}

func (s *session) prepare(q *request) error {
	set, asked := s.h.limits(q.who), q.settings
	if q.who == analyst {
		var err error
		if asked, err = readerSettings(asked, set); err != nil {
			return err
		}
		if q.whole && !q.sets("max_result_bytes") {
			set = append(set, param{"max_result_bytes", fmt.Sprint(wholeResult)}, param{"result_overflow_mode", "throw"})
		}
	}
	tag := s.tag
	for _, p := range asked {
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
	if q.who == analyst {
		if err := s.run("SET ROLE NONE"); err != nil {
			return err
		}
	}
	if q.database != "" && q.database != "default" {
		if err := s.run("USE " + quoteName(q.database)); err != nil {
			return err
		}
	}
	if err := s.run(b.String()); err != nil {
		return err
	}
	if q.readonly != "" && q.readonly != "0" { // last, because no setting can be changed after it
		return s.run("SET readonly = " + quoteText(q.readonly))
	}
	return nil
}

// canonical returns the engine's own rendering of one statement: one line, without comments.
func (s *session) canonical(sql string) (text string, err error) {
	_, err = s.exec("SELECT formatQuerySingleLine("+quoteText(sql)+")", "TSVRaw", nil, func(b []byte) error { text = string(b); return nil })
	return text, err
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
