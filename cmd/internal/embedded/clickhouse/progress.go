package clickhouse

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// progress prints the progress of a step: a bar on a terminal, otherwise a line for every ten per cent.
type progress struct {
	out   io.Writer
	label string
	total int64
	bar   bool

	mu    sync.Mutex
	shown int // last tenth or percent printed
}

func newProgress(out io.Writer, label string, total int64) *progress {
	return &progress{out: out, label: label, total: total, bar: isTerminal(out), shown: -1}
}

func (p *progress) set(done int64) {
	if p.total <= 0 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	done = min(done, p.total)
	pct := int(done * 100 / p.total)
	if p.bar {
		if pct == p.shown {
			return
		}
		p.shown = pct
		fmt.Fprintf(p.out, "\r  %s [%s%s] %3d%% of %s", p.label,
			strings.Repeat("#", pct*30/100), strings.Repeat(".", 30-pct*30/100), pct, megabytes(p.total))
		return
	}
	if tenth := pct / 10; tenth > p.shown {
		p.shown = tenth
		fmt.Fprintf(p.out, "  %s: %d%% of %s\n", p.label, tenth*10, megabytes(p.total))
	}
}

func (p *progress) end() {
	if p.bar && p.shown >= 0 {
		fmt.Fprintln(p.out)
	}
}

// poll shows the result of size periodically until stop is called. It is used for work in another process.
func (p *progress) poll(size func() int64) (stop func()) {
	done, finished := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(finished)
		t := time.NewTicker(250 * time.Millisecond)
		defer t.Stop()
		for {
			select {
			case <-done:
				return
			case <-t.C:
				p.set(size())
			}
		}
	}()
	return func() { close(done); <-finished }
}

func (p *progress) reader(r io.Reader, from int64) io.Reader {
	return &countingReader{r: r, n: from, seen: p.set}
}

type countingReader struct {
	r    io.Reader
	n    int64
	seen func(int64)
}

func (c *countingReader) Read(b []byte) (int, error) {
	n, err := c.r.Read(b)
	c.n += int64(n)
	c.seen(c.n)
	return n, err
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	st, err := f.Stat()
	return err == nil && st.Mode()&os.ModeCharDevice != 0
}

func megabytes(n int64) string { return fmt.Sprintf("%d MB", (n+500_000)/1_000_000) }
