// Package realparts starts the real software that Flyball is used with, for its tests: Apache Kafka, gateways, rsyslog, Alertmanager. If
// the machine lacks a program, the test is skipped with the reason, or fails where the tier is mandatory.
//
// It contains no mocks and is not part of the product.
package realparts

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"flyball/cmd/internal/tiers"
)

// Cache returns the directory of downloaded and built parts.
func Cache() string {
	if d := os.Getenv("FLYBALL_CACHE"); d != "" {
		return filepath.Join(d, "realparts")
	}
	d, err := os.UserCacheDir()
	if err != nil {
		d = os.TempDir()
	}
	return filepath.Join(d, "flyball", "realparts")
}

// missing skips the test and records the reason, or fails it if the tier is mandatory.
func missing(t testing.TB, tier string, why error) {
	t.Helper()
	tiers.Missing(t, tier, why)
}

func need(programs ...string) error {
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			return fmt.Errorf("%s is not installed", p)
		}
	}
	return nil
}

// givenPorts are the ports that FreePort has returned in this process.
var givenPorts sync.Map

// FreePort returns a port on which nothing listens. It is below the range from which Linux gives ports to
// outgoing connections (ip_local_port_range, from 32768): such a connection could take the port before its
// listener opens it.
func FreePort(t testing.TB) int {
	t.Helper()
	var err error
	for range 100 {
		var l net.Listener
		port := 12_000 + rand.IntN(20_000)
		if _, given := givenPorts.LoadOrStore(port, true); given {
			continue // to a part that may not listen yet
		}
		if l, err = net.Listen("tcp", fmt.Sprint("127.0.0.1:", port)); err == nil {
			defer l.Close()
			return port
		}
	}
	t.Fatal(err)
	return 0
}

// process is a running part.
type process struct {
	cmd  *exec.Cmd
	done chan error
	log  string
}

func launch(t testing.TB, log string, name string, args ...string) *process {
	t.Helper()
	f, err := os.OpenFile(log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p := &process{cmd: exec.Command(name, args...), done: make(chan error, 1), log: log}
	p.cmd.Stdout, p.cmd.Stderr = f, f
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	return p
}

func (p *process) stop(sig syscall.Signal) {
	if p == nil || p.cmd.Process == nil {
		return
	}
	_ = p.cmd.Process.Signal(sig)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

func (p *process) tail() string {
	b, _ := os.ReadFile(p.log)
	if len(b) > 3000 {
		b = b[len(b)-3000:]
	}
	return string(b)
}
