package clickhouse

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// library contains the functions of libchdb's C interface that are used. All texts are passed with their length, so that a zero byte does
// not end them.
type library struct {
	setSignalHandlers func(enabled int32)
	version           func() string
	shutdown          func() int32

	connect func(argc int32, argv unsafe.Pointer) unsafe.Pointer
	close   func(cell unsafe.Pointer)

	query func(conn, q unsafe.Pointer, ql uintptr, f unsafe.Pointer, fl uintptr, names, nameLens, values, valueLens unsafe.Pointer,
		n uintptr) unsafe.Pointer
	streamQuery func(conn, q unsafe.Pointer, ql uintptr, f unsafe.Pointer, fl uintptr, names, nameLens, values, valueLens unsafe.Pointer,
		n uintptr) unsafe.Pointer
	streamFetch func(conn, stream unsafe.Pointer) unsafe.Pointer
	streamStop  func(conn, stream unsafe.Pointer)

	resultError       func(r unsafe.Pointer) string
	resultBuffer      func(r unsafe.Pointer) unsafe.Pointer
	resultLength      func(r unsafe.Pointer) uintptr
	resultElapsed     func(r unsafe.Pointer) float64
	resultReadRows    func(r unsafe.Pointer) uint64
	resultReadBytes   func(r unsafe.Pointer) uint64
	resultWroteRows   func(r unsafe.Pointer) uint64
	resultWroteBytes  func(r unsafe.Pointer) uint64
	resultStoredRows  func(r unsafe.Pointer) uint64
	resultStoredBytes func(r unsafe.Pointer) uint64
	resultFree        func(r unsafe.Pointer)

	insertOpen func(conn, q unsafe.Pointer, ql uintptr, f unsafe.Pointer, fl uintptr, names, nameLens, values, valueLens unsafe.Pointer,
		n uintptr) unsafe.Pointer
	insertAppend func(s, data unsafe.Pointer, n uintptr) int32
	insertDone   func(s unsafe.Pointer) unsafe.Pointer
	insertCancel func(s unsafe.Pointer)
	insertError  func(s unsafe.Pointer) string
	insertFree   func(s unsafe.Pointer)
}

// loaded is the library of this process. It is loaded once and never unloaded, because its threads exist longer than the connections.
var loaded struct {
	sync.Mutex
	path string
	lib  *library
}

func loadLibrary(path string) (*library, error) {
	loaded.Lock()
	defer loaded.Unlock()
	if loaded.lib != nil {
		if loaded.path != path {
			return nil, fmt.Errorf("engine library %s is loaded already, cannot load %s beside it", loaded.path, path)
		}
		return loaded.lib, nil
	}
	h, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("load the engine library %s: %w", path, err)
	}
	l := new(library)
	for name, fn := range l.symbols() {
		sym, err := purego.Dlsym(h, name)
		if err != nil {
			return nil, fmt.Errorf("engine library %s has no %s, it is another version than this program was made for: unset %s or fetch again: %w",
				path, name, EnvLib, err)
		}
		purego.RegisterFunc(fn, sym)
	}
	// This must be the first call: the program handles signals itself, also after a connect.
	l.setSignalHandlers(0)
	loaded.path, loaded.lib = path, l
	return l, nil
}

func (l *library) symbols() map[string]any {
	return map[string]any{
		"chdb_set_signal_handlers_enabled": &l.setSignalHandlers,
		"chdb_version":                     &l.version,
		"chdb_shutdown":                    &l.shutdown,
		"chdb_connect":                     &l.connect,
		"chdb_close_conn":                  &l.close,
		"chdb_query_with_params_n":         &l.query,
		"chdb_stream_query_with_params_n":  &l.streamQuery,
		"chdb_stream_fetch_result":         &l.streamFetch,
		"chdb_stream_cancel_query":         &l.streamStop,
		"chdb_result_error":                &l.resultError,
		"chdb_result_buffer":               &l.resultBuffer,
		"chdb_result_length":               &l.resultLength,
		"chdb_result_elapsed":              &l.resultElapsed,
		"chdb_result_rows_read":            &l.resultReadRows,
		"chdb_result_bytes_read":           &l.resultReadBytes,
		"chdb_result_rows_written":         &l.resultWroteRows,
		"chdb_result_bytes_written":        &l.resultWroteBytes,
		"chdb_result_storage_rows_read":    &l.resultStoredRows,
		"chdb_result_storage_bytes_read":   &l.resultStoredBytes,
		"chdb_destroy_query_result":        &l.resultFree,
		"chdb_stream_insert_with_params_n": &l.insertOpen,
		"chdb_stream_append":               &l.insertAppend,
		"chdb_stream_done":                 &l.insertDone,
		"chdb_stream_cancel_insert":        &l.insertCancel,
		"chdb_stream_insert_error":         &l.insertError,
		"chdb_destroy_insert_stream":       &l.insertFree,
	}
}

// conn is a connection to the engine. It runs one statement at a time.
type conn struct {
	lib  *library
	cell unsafe.Pointer // result of chdb_connect and argument of chdb_close_conn
	h    unsafe.Pointer // the connection in it
}

func (l *library) open(args []string) (*conn, error) {
	argv := make([]unsafe.Pointer, 0, len(args)+2)
	keep := make([][]byte, 0, len(args)+1)
	for _, a := range append([]string{"clickhouse"}, args...) {
		b := append([]byte(a), 0)
		keep = append(keep, b)
		argv = append(argv, unsafe.Pointer(&b[0]))
	}
	argv = append(argv, nil)
	cell := l.connect(int32(len(keep)), unsafe.Pointer(&argv[0]))
	runtime.KeepAlive(keep)
	runtime.KeepAlive(argv)
	if cell == nil || *(*unsafe.Pointer)(cell) == nil {
		return nil, errors.New("the engine refused a connection: is the data directory readable, and opened by no other engine?")
	}
	return &conn{lib: l, cell: cell, h: *(*unsafe.Pointer)(cell)}, nil
}

func (c *conn) shut() { c.lib.close(c.cell) }

// text returns a Go string as pointer and length for C. The bytes are not copied: the heap does not move, and callers keep the string
// alive during the call.
func text(s string) (unsafe.Pointer, uintptr) {
	return unsafe.Pointer(unsafe.StringData(s)), uintptr(len(s))
}

// param is the value of a {name:Type} placeholder.
type param struct{ name, value string }

// cParams contains the four C arrays of a list of parameters.
type cParams struct {
	names, values       []unsafe.Pointer
	nameLens, valueLens []uintptr
}

func newCParams(ps []param) *cParams {
	// One additional entry, because an empty list needs an address too.
	n := len(ps) + 1
	c := &cParams{make([]unsafe.Pointer, n), make([]unsafe.Pointer, n), make([]uintptr, n), make([]uintptr, n)}
	for i, p := range ps {
		c.names[i], c.nameLens[i] = text(p.name)
		c.values[i], c.valueLens[i] = text(p.value)
	}
	return c
}

func (c *cParams) args() (names, nameLens, values, valueLens unsafe.Pointer, n uintptr) {
	return unsafe.Pointer(&c.names[0]), unsafe.Pointer(&c.nameLens[0]), unsafe.Pointer(&c.values[0]), unsafe.Pointer(&c.valueLens[0]),
		uintptr(len(c.names) - 1)
}
