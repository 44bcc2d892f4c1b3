package clickhouse

import (
	"bytes"
	"context"
	"io"
	"net/url"
	"strings"
)

// Rows is a block of any table.
type Rows interface {
	// Table returns the name of the table of the rows.
	Table() string
	Rows() int
	AppendNative(dst []byte) []byte
	Reset()
}

// Insert inserts the rows of a block into its table and does not change the block; without
// rows it does nothing. It returns after the engine has acknowledged the rows.
func (c *Conn) Insert(ctx context.Context, b Rows) error {
	return c.InsertNative(ctx, b.Table(), b.AppendNative(nil))
}

// InsertNative inserts blocks of the Native format (revision 0) unchanged, in one INSERT and
// in the given order. The table is one of Tables. It returns after the engine has acknowledged
// the rows.
func (c *Conn) InsertNative(ctx context.Context, table string, blocks ...[]byte) error {
	b := body{parts: blocks}
	for _, p := range blocks {
		b.length += int64(len(p))
	}
	if b.length == 0 {
		return nil
	}
	_, err := c.post(ctx, "insert into "+table, url.Values{
		"query": {"INSERT INTO " + quote(c.o.Database) + "." + quote(table) + " FORMAT Native"},
		// A backlog or a back-fill can contain any number of months.
		"max_partitions_per_insert_block": {"0"},
		"async_insert":                    {"0"},
		// Repeats are rare and the views merge them; a search for them in every
		// insert would more than double what a row costs the engine.
		"optimize_on_insert": {"0"},
		// With a Distributed table, rows are acknowledged only after the shard has stored them.
		"distributed_foreground_insert": {"1"},
	}, b)
	return err
}

// body is a request body that consists of several parts, without a copy of them.
type body struct {
	parts  [][]byte
	length int64
}

func (b body) reader() io.Reader {
	rs := make([]io.Reader, len(b.parts))
	for i, p := range b.parts {
		rs[i] = bytes.NewReader(p)
	}
	return io.MultiReader(rs...)
}

func stringBody(s string) body {
	return body{parts: [][]byte{[]byte(strings.TrimSpace(s))}, length: int64(len(strings.TrimSpace(s)))}
}
