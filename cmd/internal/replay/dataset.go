package replay

import (
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
)

// Formats that a data set can be rendered in.
var Formats = []string{"envoy_json", "nginx_json"}

// recorded is a call of a data set. Labels are not read.
type recorded struct {
	Set       string   `json:"dataset"`
	RunID     string   `json:"run_id"`
	AgentID   string   `json:"agent_id"`
	TaskID    string   `json:"task_id"`
	TS        int64    `json:"ts"`
	Seq       int      `json:"seq"`
	Method    string   `json:"method"`
	Path      string   `json:"path"`
	Digest    string   `json:"args_digest"`
	Status    int      `json:"status"`
	Request   int64    `json:"request_bytes"`
	Response  int64    `json:"response_bytes"`
	Latency   *int64   `json:"latency_ms"`
	User      string   `json:"principal_id"`
	Caller    string   `json:"caller_kind"`
	Template  string   `json:"path_template"`
	Resources []string `json:"resources"`
	Synthetic bool     `json:"ts_synthetic"`

	// owner is the agent whose run the call is part of. Other callers in the
	// run (a simulated user's device) come through the same gateway consumer.
	owner string
}

// dataSet reads a folder's calls.jsonl.gz and renders them in time order.
func dataSet(dir, as string, shift bool, now time.Time) ([]message, error) {
	f, err := open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	calls, err := readCalls(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	runs, err := os.Open(filepath.Join(dir, "runs.jsonl.gz"))
	if err != nil {
		return nil, fmt.Errorf("%s is no data set: %w", dir, err)
	}
	defer runs.Close()
	if err := own(calls, runs); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	// The order of a run is its seq; between runs time decides.
	sort.SliceStable(calls, func(i, j int) bool { return calls[i].TS < calls[j].TS })
	var move int64
	if shift && len(calls) > 0 {
		move = now.UnixMilli() - calls[len(calls)-1].TS
	}
	out := make([]message, 0, len(calls))
	for i := range calls {
		calls[i].TS += move
		value, err := render(&calls[i], as)
		if err != nil {
			return nil, err
		}
		out = append(out, message{key: []byte(calls[i].owner), value: value, at: calls[i].TS * 1e6})
	}
	return out, nil
}

func open(dir string) (io.ReadCloser, error) {
	path := filepath.Join(dir, "calls.jsonl.gz")
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%s is no data set: %w", dir, err)
	}
	return f, nil
}

func readCalls(in io.Reader) ([]recorded, error) { return readLines[recorded](in) }

// own notes whose run each call is part of.
func own(calls []recorded, runs io.Reader) error {
	type run struct {
		ID    string `json:"run_id"`
		Agent string `json:"agent_id"`
	}
	list, err := readLines[run](runs)
	if err != nil {
		return fmt.Errorf("runs: %w", err)
	}
	agents := make(map[string]string, len(list))
	for _, r := range list {
		agents[r.ID] = r.Agent
	}
	for i := range calls {
		c := &calls[i]
		if c.owner = agents[c.RunID]; c.owner == "" {
			c.owner = c.AgentID
		}
	}
	return nil
}

func readLines[T any](in io.Reader) ([]T, error) {
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	var out []T
	r := bufio.NewReaderSize(z, 1<<20)
	for {
		line, err := r.ReadBytes('\n')
		if len(line) > 1 {
			var v T
			if err := json.Unmarshal(line, &v); err != nil {
				return nil, fmt.Errorf("line %d: %w", len(out)+1, err)
			}
			out = append(out, v)
		}
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// FromFS reads the messages of a data set that is bundled with the program.
func FromFS(fsys fs.FS, dir, as string) ([]Line, error) {
	f, err := fsys.Open(dir + "/calls.jsonl.gz")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	calls, err := readCalls(f)
	if err != nil {
		return nil, err
	}
	runs, err := fsys.Open(dir + "/runs.jsonl.gz")
	if err != nil {
		return nil, err
	}
	defer runs.Close()
	if err := own(calls, runs); err != nil {
		return nil, err
	}
	sort.SliceStable(calls, func(i, j int) bool { return calls[i].TS < calls[j].TS })
	out := make([]Line, 0, len(calls))
	for i := range calls {
		value, err := render(&calls[i], as)
		if err != nil {
			return nil, err
		}
		out = append(out, Line{Run: calls[i].RunID, Agent: calls[i].owner, Value: value, At: time.UnixMilli(calls[i].TS)})
	}
	return out, nil
}

// Line is a rendered call and the run it belongs to.
type Line struct {
	Run, Agent string
	Value      []byte
	At         time.Time
}

// render writes a call as a gateway would have logged it.
func render(c *recorded, as string) ([]byte, error) {
	switch as {
	case "", "envoy_json":
		return json.Marshal(envoy(c))
	case "nginx_json":
		return json.Marshal(nginx(c))
	}
	return nil, fmt.Errorf("--as %s: a data set can be rendered as %s", as, strings.Join(Formats, ", "))
}

func envoy(c *recorded) map[string]any {
	id := c.requestID()
	return map[string]any{
		"start_time": c.at().Format("2006-01-02T15:04:05.000Z"), "method": c.Method, "path": escaped(c.Path), "protocol": "HTTP/1.1",
		"response_code": c.Status, "response_flags": "-", "response_code_details": "via_upstream", "bytes_received": c.Request, "bytes_sent": c.Response,
		"duration": c.latency(), "x_forwarded_for": c.address(), "user_agent": "python-httpx/0.27.0",
		"request_id": id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:], "authority": "api.internal",
		"upstream_cluster": upstream(c.Path), "route_name": "default",
		"x_agent_id": c.AgentID, "x_agent_run_id": c.RunID, "x_task_id": null(c.TaskID), "x_consumer": c.owner, "x_principal": null(c.User), "x_args_digest": null(c.Digest),
	}
}

func nginx(c *recorded) map[string]any {
	end := c.at().Add(time.Duration(c.latency()) * time.Millisecond)
	return map[string]any{
		"msec": fmt.Sprintf("%d.%03d", end.Unix(), end.Nanosecond()/1e6), "request_id": c.requestID(), "remote_addr": c.address(), "request_method": c.Method,
		"request_uri": escaped(c.Path), "status": fmt.Sprint(c.Status), "request_length": fmt.Sprint(c.Request), "body_bytes_sent": fmt.Sprint(c.Response),
		"request_time": fmt.Sprintf("%.3f", float64(c.latency())/1e3), "http_user_agent": "python-httpx/0.27.0", "host": "api.internal",
		"http_x_agent_id": c.AgentID, "http_x_agent_run_id": c.RunID, "http_x_task_id": c.TaskID, "x_consumer": c.owner, "x_principal": c.User, "x_args_digest": c.Digest,
	}
}

func (c *recorded) at() time.Time { return time.UnixMilli(c.TS).UTC() }

func (c *recorded) latency() int64 {
	if c.Latency == nil {
		return 0
	}
	return *c.Latency
}

func (c *recorded) requestID() string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%s/%d", c.RunID, c.Seq)))
	return hex.EncodeToString(sum[:16])
}

func (c *recorded) address() string {
	agent := sha256.Sum256([]byte(c.owner))
	return fmt.Sprintf("10.%d.%d.%d", agent[0], agent[1], 1+agent[2]%254)
}

func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func upstream(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if first == "" {
		return "api"
	}
	return first
}

// escaped is a path as it stands in a request: what a path cannot hold is
// percent-encoded, what is encoded already stays.
func escaped(path string) string {
	const hexDigits = "0123456789ABCDEF"
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if c := path[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`#?"<>\^{}|`+"`", c) >= 0 {
			b.WriteByte('%')
			b.WriteByte(hexDigits[c>>4])
			b.WriteByte(hexDigits[c&15])
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}
