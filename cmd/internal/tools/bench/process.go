package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type setup struct {
	dir, config                                      string
	kafka, clickhouse, control, check, grpc, metrics int
	profiles                                         string // ", profiles: true" or empty: versions before do not know the key
	more                                             string // further lines of the configuration
	stored                                           int    // calls that were stored before a measurement
	answers                                          *answers
}

func (s *setup) choosePorts() error {
	for _, p := range []*int{&s.kafka, &s.clickhouse, &s.control, &s.check, &s.grpc, &s.metrics} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		*p = l.Addr().(*net.TCPAddr).Port
		defer l.Close()
	}
	return nil
}

func (s *setup) write(inputs string) error {
	text := fmt.Sprintf(`data: %s/data
kafka:
  listen: 127.0.0.1:%d
  inputs: [%s]
clickhouse: {listen: "127.0.0.1:%d"}
control: {listen: "127.0.0.1:%d"}
check: {listen: "127.0.0.1:%d", grpc: "127.0.0.1:%d"}
metrics: {listen: "127.0.0.1:%d"%s}
learn: {quarantine: 0s, every: 100h}
%s`, s.dir, s.kafka, inputs, s.clickhouse, s.control, s.check, s.grpc, s.metrics, s.profiles, s.more)
	return os.WriteFile(s.config, []byte(text), 0o600)
}

// readyWithin is how long a start may take: detect reads the state of all open runs before.
const readyWithin = 5 * time.Minute

// start starts flyball up and waits until it is ready. If it returns an error, the process has ended.
func (s *setup) start(binary string) (*exec.Cmd, error) {
	log, err := os.OpenFile(filepath.Join(s.dir, "up.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := exec.Command(binary, "up", "--config", s.config)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	for end := time.Now().Add(readyWithin); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if r, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/readyz", s.control)); err == nil {
			r.Body.Close()
			if r.StatusCode == 200 {
				return cmd, nil
			}
		}
	}
	stop(cmd)
	return nil, fmt.Errorf("not ready in %s; log in %s", readyWithin, log.Name())
}

func stop(cmd *exec.Cmd) {
	_ = cmd.Process.Signal(syscall.SIGTERM)
	_ = cmd.Wait()
}

func (s *setup) sql(q string) (string, error) {
	req, err := http.NewRequest(http.MethodPost, fmt.Sprintf("http://127.0.0.1:%d/", s.clickhouse), strings.NewReader(q))
	if err != nil {
		return "", err
	}
	// Versions before have no password.
	if password, err := os.ReadFile(filepath.Join(s.dir, "data", "engine.password")); err == nil {
		req.SetBasicAuth("flyball", strings.TrimSpace(string(password)))
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err == nil && r.StatusCode != 200 {
		err = fmt.Errorf("%s", b)
	}
	return strings.TrimSpace(string(b)), err
}

func (s *setup) count(q string) int {
	n, _ := s.countStrictly(q)
	return n
}

// storedCalls is how many calls are stored, repeated ones counted each time.
func (s *setup) storedCalls() (int, error) {
	n, err := s.countStrictly("SELECT count() FROM flyball.calls_v5")
	if err != nil { // a version before
		n, err = s.countStrictly("SELECT count() FROM flyball.calls_store")
	}
	return n, err
}

func (s *setup) countStored() int {
	n, _ := s.storedCalls()
	return n
}

func (s *setup) countStrictly(q string) (int, error) {
	t, err := s.sql(q)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(t)
}

func children(parent int) []int {
	var out []int
	entries, _ := os.ReadDir("/proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err == nil && field(pid, 1) == parent {
			out = append(out, pid)
		}
	}
	return out
}

// field is a number after the command's name in /proc/PID/stat: 1 is the parent.
func field(pid, i int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return -1
	}
	_, rest, _ := strings.Cut(string(b), ") ")
	f := strings.Fields(rest)
	if i >= len(f) {
		return -1
	}
	n, _ := strconv.Atoi(f[i])
	return n
}

// cpu is user and system time, at 100 ticks a second.
func cpu(pids ...int) time.Duration {
	var d time.Duration
	for _, p := range pids {
		d += time.Duration(field(p, 11)+field(p, 12)) * 10 * time.Millisecond
	}
	return d
}

func peakMiB(pid int) int {
	b, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for _, l := range strings.Split(string(b), "\n") {
		if v, ok := strings.CutPrefix(l, "VmHWM:"); ok {
			n, _ := strconv.Atoi(strings.Fields(v)[0])
			return n / 1024
		}
	}
	return 0
}
