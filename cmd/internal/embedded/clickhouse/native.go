package clickhouse

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"time"

	chproto "github.com/ClickHouse/ch-go/proto"
	"github.com/ClickHouse/clickhouse-go/v2/lib/column"
	"github.com/ClickHouse/clickhouse-go/v2/lib/proto"
)

// reviseNative re-encodes Native blocks for a client that named a protocol revision. The engine writes revision 0. From revision 54454, a
// client expects block info and a serialisation flag per column before the same column bytes.
func reviseNative(r io.Reader, w io.Writer, revision uint64) error {
	// The protocol reader uses a bufio.Reader of this size without another buffer, so Peek can distinguish the end from an incomplete block.
	br := bufio.NewReaderSize(r, 256<<10)
	rd := chproto.NewReader(br)
	var buf chproto.Buffer
	for {
		if _, err := br.Peek(1); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
		b := proto.NewBlock()
		b.ServerContext = &column.ServerContext{Timezone: time.UTC}
		if err := b.Decode(rd, 0); err != nil {
			return fmt.Errorf("read a block of the engine: %w", err)
		}
		buf.Reset()
		if err := b.Encode(&buf, revision); err != nil {
			return fmt.Errorf("encode a block for revision %d: %w", revision, err)
		}
		if _, err := w.Write(buf.Buf); err != nil {
			return err
		}
	}
}

// streamReader reads the pieces of a stream without copying them.
type streamReader struct {
	s   *stream
	cur outputChunk
	off int
	end bool
}

func (r *streamReader) more() error {
	r.close()
	if r.end {
		return io.EOF
	}
	c, err := r.s.next()
	if err != nil {
		r.end = true
		return err
	}
	if len(c.data) == 0 {
		r.end = true
		return io.EOF
	}
	r.cur, r.off = c, 0
	return nil
}

func (r *streamReader) Read(p []byte) (int, error) {
	if r.off == len(r.cur.data) {
		if err := r.more(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.cur.data[r.off:])
	r.off += n
	return n, nil
}

// WriteTo writes the pieces to w without the buffer of io.Copy.
func (r *streamReader) WriteTo(w io.Writer) (int64, error) {
	var sum int64
	for {
		if r.off == len(r.cur.data) {
			if err := r.more(); errors.Is(err, io.EOF) {
				return sum, nil
			} else if err != nil {
				return sum, err
			}
		}
		n, err := w.Write(r.cur.data[r.off:])
		sum += int64(n)
		r.off += n
		if err != nil {
			return sum, err
		}
	}
}

func (r *streamReader) close() {
	if r.cur.free != nil {
		r.cur.free()
	}
	r.cur, r.off = outputChunk{}, 0
}
