package clickhouse

import (
	"bytes"
	"compress/zlib"
	"io"
	"net/http"
	"strings"

	"github.com/ClickHouse/ch-go/compress"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// decodedBody decompresses a body: first HTTP's Content-Encoding, then ClickHouse's own compressed blocks.
func decodedBody(r *http.Request, q *request) (io.Reader, error) {
	var body io.Reader = r.Body
	switch enc := strings.ToLower(r.Header.Get("Content-Encoding")); enc {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(body)
		if err != nil {
			return nil, exceptionf(codeCannotRead, "CANNOT_READ_ALL_DATA", "body is not gzip: %v", err)
		}
		body = z
	case "deflate":
		z, err := zlib.NewReader(body)
		if err != nil {
			return nil, exceptionf(codeCannotRead, "CANNOT_READ_ALL_DATA", "body is not deflate: %v", err)
		}
		body = z
	case "zstd":
		z, err := zstd.NewReader(body, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(256<<20))
		if err != nil {
			return nil, exceptionf(codeCannotRead, "CANNOT_READ_ALL_DATA", "body is not zstd: %v", err)
		}
		body = z.IOReadCloser()
	default:
		return nil, exceptionf(codeNotImplemented, "NOT_IMPLEMENTED", "Content-Encoding %q is not supported: use gzip, deflate or zstd", enc)
	}
	if q.decompress {
		body = compress.NewReader(body)
	}
	return body, nil
}

// encoder encodes the bytes of a response. Finish writes the remaining bytes.
type encoder interface {
	io.Writer
	Flush() error
	Finish() error
}

// newEncoder chooses the encoding of a response and sets the header. Like the server, it compresses only if the client requests it both
// with Accept-Encoding and with enable_http_compression.
func newEncoder(w io.Writer, h http.Header, accept string, q *request) encoder {
	var e encoder = plain{w}
	if q.httpGzip {
		switch accept = strings.ToLower(accept); {
		case strings.Contains(accept, "zstd"):
			if z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1)); err == nil {
				h.Set("Content-Encoding", "zstd")
				e = closing{z, z.Flush, z.Close}
			}
		case strings.Contains(accept, "gzip"):
			z, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
			h.Set("Content-Encoding", "gzip")
			e = closing{z, z.Flush, z.Close}
		}
	}
	if q.compress {
		m := compress.LZ4
		if strings.EqualFold(q.method, "ZSTD") {
			m = compress.ZSTD
		}
		e = &blocks{next: e, c: compress.NewWriter(0, m)}
	}
	return e
}

type plain struct{ io.Writer }

func (plain) Flush() error  { return nil }
func (plain) Finish() error { return nil }

type closing struct {
	io.Writer
	flush, finish func() error
}

func (c closing) Flush() error  { return c.flush() }
func (c closing) Finish() error { return c.finish() }

// blocks writes ClickHouse's compressed blocks of about one megabyte.
type blocks struct {
	next encoder
	c    *compress.Writer
	buf  bytes.Buffer
}

const blockSize = 1 << 20

func (b *blocks) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		k := min(len(p), blockSize-b.buf.Len())
		b.buf.Write(p[:k])
		p = p[k:]
		if b.buf.Len() == blockSize {
			if err := b.emit(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (b *blocks) emit() error {
	if b.buf.Len() == 0 {
		return nil
	}
	if err := b.c.Compress(b.buf.Bytes()); err != nil {
		return err
	}
	b.buf.Reset()
	_, err := b.next.Write(b.c.Data)
	return err
}

func (b *blocks) Flush() error {
	if err := b.emit(); err != nil {
		return err
	}
	return b.next.Flush()
}

func (b *blocks) Finish() error {
	if err := b.emit(); err != nil {
		return err
	}
	return b.next.Finish()
}
