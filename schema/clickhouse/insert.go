package clickhouse

import (
	"bytes"
	"context"
	"io"
	"net/url"
	"strconv"
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
	return c.insertNative(ctx, table, 0, blocks)
}

// InsertPieces inserts a block as InsertNative does, and makes the engine store it in pieces of some rows: each piece has its own parts,
// so that the engine needs memory only for the partitions of one piece. After an error some pieces may be stored.
func (c *Conn) InsertPieces(ctx context.Context, table string, rows int, block []byte) error {
	return c.insertNative(ctx, table, rows, [][]byte{block})
}

// insertNative inserts blocks, in pieces of some rows; 0: as large as the engine makes them.
func (c *Conn) insertNative(ctx context.Context, table string, rows int, blocks [][]byte) error {
	b := body{parts: blocks}
	for _, p := range blocks {
		b.length += int64(len(p))
	}
	if b.length == 0 {
		return nil
	}
	settings := url.Values{
		"query": {"INSERT INTO " + quote(c.o.Database) + "." + quote(table) + " FORMAT Native"},
		// A backlog or a back-fill can contain any number of months.
		"max_partitions_per_insert_block": {"0"},
		"async_insert":                    {"0"},
		// Repeats are rare and the views merge them; a search for them in every
		// insert would more than double what a row costs the engine.
		"optimize_on_insert": {"0"},
		// With a Distributed table, rows are acknowledged only after the shard has stored them.
		"distributed_foreground_insert": {"1"},
	}
	if rows > 0 {
		settings.Set("use_strict_insert_block_limits", "1")
		settings.Set("max_insert_block_size", strconv.Itoa(rows))
		settings.Set("min_insert_block_size_rows", strconv.Itoa(rows))
		settings.Set("min_insert_block_size_bytes", "0")
	}
	_, err := c.post(ctx, "insert into "+table, settings, b)
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
