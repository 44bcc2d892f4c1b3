package clickhouse

import (
	"runtime"
	"unsafe"
)

// stats are the engine's figures for a statement: seconds, rows and bytes.
type stats struct {
	elapsed               float64
	readRows, readBytes   uint64
	wroteRows, wroteBytes uint64
}

func (c *conn) stats(r unsafe.Pointer) stats {
	return stats{
		elapsed:  c.lib.resultElapsed(r),
		readRows: c.lib.resultStoredRows(r), readBytes: c.lib.resultStoredBytes(r),
		wroteRows: c.lib.resultWroteRows(r), wroteBytes: c.lib.resultWroteBytes(r),
	}
}

func add(a, b stats) stats {
	a.elapsed += b.elapsed
	a.readRows, a.readBytes = a.readRows+b.readRows, a.readBytes+b.readBytes
	a.wroteRows, a.wroteBytes = a.wroteRows+b.wroteRows, a.wroteBytes+b.wroteBytes
	return a
}

// exec runs a statement and passes its whole output to sink, which must not keep the slice.
func (c *conn) exec(sql, format string, params []param, sink func([]byte) error) (stats, error) {
	q, ql := text(sql)
	f, fl := text(format)
	cp := newCParams(params)
	n, nl, v, vl, count := cp.args()
	r := c.lib.query(c.h, q, ql, f, fl, n, nl, v, vl, count)
	runtime.KeepAlive(sql)
	runtime.KeepAlive(format)
	runtime.KeepAlive(params)
	runtime.KeepAlive(cp)
	defer c.lib.resultFree(r)
	if e := c.lib.resultError(r); e != "" {
		return stats{}, newException(e)
	}
	if n := c.lib.resultLength(r); n > 0 && sink != nil {
		if err := sink(unsafe.Slice((*byte)(c.lib.resultBuffer(r)), n)); err != nil {
			return c.stats(r), err
		}
	}
	return c.stats(r), nil
}

// run executes a statement without using its output.
func (c *conn) run(sql string) error {
	_, err := c.exec(sql, "TabSeparated", nil, nil)
	return err
}

// stream is a query whose output is read block by block.
type stream struct {
	c     *conn
	r     unsafe.Pointer
	stats stats
}

func (c *conn) openStream(sql, format string, params []param) (*stream, error) {
	q, ql := text(sql)
	f, fl := text(format)
	cp := newCParams(params)
	n, nl, v, vl, count := cp.args()
	r := c.lib.streamQuery(c.h, q, ql, f, fl, n, nl, v, vl, count)
	runtime.KeepAlive(sql)
	runtime.KeepAlive(format)
	runtime.KeepAlive(params)
	runtime.KeepAlive(cp)
	if e := c.lib.resultError(r); e != "" {
		c.lib.resultFree(r)
		return nil, newException(e)
	}
	return &stream{c: c, r: r}, nil
}

// outputChunk is a piece of output in the engine's memory. It is valid until free is called.
type outputChunk struct {
	data []byte
	free func()
}

// next returns the next piece, which is empty at the end.
func (s *stream) next() (outputChunk, error) {
	lib := s.c.lib
	r := lib.streamFetch(s.c.h, s.r)
	if e := lib.resultError(r); e != "" {
		lib.resultFree(r)
		return outputChunk{}, newException(e)
	}
	s.stats = add(s.stats, s.c.stats(r))
	n := lib.resultLength(r)
	if n == 0 {
		lib.resultFree(r)
		return outputChunk{}, nil
	}
	return outputChunk{unsafe.Slice((*byte)(lib.resultBuffer(r)), n), func() { lib.resultFree(r) }}, nil
}

// cancel ends a stream before its end.
func (s *stream) cancel() { s.c.lib.streamStop(s.c.h, s.r) }

func (s *stream) free() { s.c.lib.resultFree(s.r) }

// insert is an INSERT whose data is passed in pieces.
type insert struct {
	c *conn
	s unsafe.Pointer
}

// openInsert starts an INSERT. sql is its text without the FORMAT clause.
func (c *conn) openInsert(sql, format string, params []param) (*insert, error) {
	q, ql := text(sql)
	f, fl := text(format)
	cp := newCParams(params)
	n, nl, v, vl, count := cp.args()
	s := c.lib.insertOpen(c.h, q, ql, f, fl, n, nl, v, vl, count)
	runtime.KeepAlive(sql)
	runtime.KeepAlive(format)
	runtime.KeepAlive(params)
	runtime.KeepAlive(cp)
	if e := c.lib.insertError(s); e != "" {
		c.lib.insertFree(s)
		return nil, newException(e)
	}
	return &insert{c: c, s: s}, nil
}

func (i *insert) append(b []byte) error {
	if len(b) == 0 {
		return nil
	}
	ok := i.c.lib.insertAppend(i.s, unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b)))
	runtime.KeepAlive(b)
	if ok == 0 {
		return nil
	}
	if e := i.c.lib.insertError(i.s); e != "" {
		return newException(e)
	}
	return newException("Code: 1001. DB::Exception: the engine refused a piece of the insert without a reason. (STD_EXCEPTION)")
}

// done commits the insert. The data is stored when it returns without error.
func (i *insert) done() (stats, error) {
	r := i.c.lib.insertDone(i.s)
	defer i.c.lib.resultFree(r)
	if e := i.c.lib.resultError(r); e != "" {
		return stats{}, newException(e)
	}
	return i.c.stats(r), nil
}

func (i *insert) cancel() { i.c.lib.insertCancel(i.s) }

func (i *insert) free() { i.c.lib.insertFree(i.s) }
