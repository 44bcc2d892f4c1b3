package enginetest

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	engine "flyball/cmd/internal/embedded/clickhouse"
)

// Locate returns the path of the library. It searches the product's directories and the checkout's .engine, where `make demo` stores it:
// a test binary runs in a temporary directory and cannot find the checkout from its own path.
func Locate() (string, error) {
	lib, err := engine.Locate()
	if err == nil || !errors.Is(err, engine.ErrNoLibrary) {
		return lib, err
	}
	dir, werr := os.Getwd()
	if werr != nil {
		return "", err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, serr := os.Stat(filepath.Join(dir, "go.mod")); serr != nil {
			continue
		}
		if lib, ok := engine.LocateIn(filepath.Join(dir, ".engine")); ok {
			return lib, nil
		}
		break
	}
	return "", err
}

// launch starts the child. It starts no goroutine, so that leak checks of tests see only their own goroutines. The child watches a pipe
// that is closed when this process ends for any reason, and then removes its directory.
func launch(lib string) (string, error) {
	sweep()
	dir, err := os.MkdirTemp("", dirPrefix)
	if err != nil {
		return "", err
	}
	exe, err := os.Executable()
	if err != nil {
		return "", err
	}
	c, err := engine.NewChild(exe, "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	cmd := c.Command()
	cmd.Env = append(cmd.Environ(), envServe+"="+dir, engine.EnvLib+"="+lib)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		return "", err
	}
	c.Started()
	keep = append(keep, c)
	return c.Addr(), waitReady(c.Addr(), cmd, 60*time.Second)
}

// keep holds the pipes: if the garbage collector closed one, its child would end.
var keep []*engine.Child

func waitReady(addr string, cmd *exec.Cmd, limit time.Duration) error {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{
		DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: time.Second}).DialContext,
	}}
	var err error
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		var resp *http.Response
		if resp, err = client.Get("http://" + addr + "/ping"); err != nil {
			continue
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return nil
		}
		err = fmt.Errorf("/ping answered %s", resp.Status)
	}
	return fmt.Errorf("child %d is not ready after %s: %w", cmd.Process.Pid, limit, err)
}

const dirPrefix = "flyball-enginetest-"

// sweep removes directories of children that were killed.
func sweep() {
	old, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*"))
	for _, dir := range old {
		if st, err := os.Stat(dir); err == nil && time.Since(st.ModTime()) > 10*time.Minute && !engine.InUse(dir) {
			_ = os.RemoveAll(dir)
		}
	}
}
