package dataset

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

// Formats that a call can be written in.
var Formats = []string{"envoy_json", "nginx_json"}

// Line is a call as a gateway's log has it, and the run that it belongs to.
type Line struct {
	Run, Agent string
	Value      []byte
	At         time.Time
}

// Lines reads a folder of a file system and writes its calls in a format, in the order
// of their times.
func Lines(files fs.FS, dir, format string) ([]Line, error) {
	folder, err := fs.Sub(files, dir)
	if err != nil {
		return nil, err
	}
	calls, err := inTimeOrder(folder, dir)
	if err != nil {
		return nil, err
	}
	out := make([]Line, 0, len(calls))
	for i := range calls {
		value, err := calls[i].Render(format)
		if err != nil {
			return nil, err
		}
		out = append(out, Line{Run: calls[i].RunID, Agent: calls[i].Owner, Value: value, At: calls[i].at()})
	}
	return out, nil
}

// Render is the call as a line of a gateway's log. An empty format is the first of
// Formats.
func (c *Record) Render(format string) ([]byte, error) {
	switch format {
	case "", "envoy_json":
		return json.Marshal(c.Envoy())
	case "nginx_json":
		return json.Marshal(c.nginx())
	}
	return nil, fmt.Errorf("--as %s: a data set can be written as %s", format, strings.Join(Formats, ", "))
}

// Envoy are the members of the call in a JSON access log of Envoy.
func (c *Record) Envoy() map[string]any {
	id := c.requestID()
	return map[string]any{
		"start_time": c.at().Format("2006-01-02T15:04:05.000Z"), "method": c.Method, "path": EscapedPath(c.Path), "protocol": "HTTP/1.1",
		"response_code": c.Status, "response_flags": "-", "response_code_details": "via_upstream", "bytes_received": c.Request,
		"bytes_sent": c.Response,
		"duration":   c.latency(), "x_forwarded_for": c.address(), "user_agent": "python-httpx/0.27.0",
		"request_id": id[:8] + "-" + id[8:12] + "-" + id[12:16] + "-" + id[16:20] + "-" + id[20:], "authority": "api.internal",
		"upstream_cluster": upstream(c.Path), "route_name": "default",
		"x_agent_id": c.AgentID, "x_agent_run_id": c.RunID, "x_task_id": null(c.TaskID), "x_consumer": c.Owner, "x_principal": null(c.User),
		"x_args_digest": null(c.Digest),
	}
}

func (c *Record) nginx() map[string]any {
	end := c.at().Add(time.Duration(c.latency()) * time.Millisecond)
	return map[string]any{
		"msec": fmt.Sprintf(
			"%d.%03d",
			end.Unix(),
			end.Nanosecond()/1e6,
		), "request_id": c.requestID(), "remote_addr": c.address(), "request_method": c.Method,
		"request_uri": EscapedPath(
			c.Path,
		), "status": fmt.Sprint(c.Status), "request_length": fmt.Sprint(c.Request), "body_bytes_sent": fmt.Sprint(c.Response),
		"request_time": fmt.Sprintf("%.3f", float64(c.latency())/1e3), "http_user_agent": "python-httpx/0.27.0", "host": "api.internal",
		"http_x_agent_id": c.AgentID, "http_x_agent_run_id": c.RunID, "http_x_task_id": c.TaskID, "x_consumer": c.Owner, "x_principal": c.User,
		"x_args_digest": c.Digest,
	}
}

func (c *Record) at() time.Time { return time.UnixMilli(c.TS).UTC() }

func (c *Record) latency() int64 {
	if c.Latency == nil {
		return 0
	}
	return *c.Latency
}

func (c *Record) requestID() string {
	sum := sha256.Sum256([]byte(fmt.Sprintf("%s/%d", c.RunID, c.Seq)))
	return hex.EncodeToString(sum[:16])
}

func (c *Record) address() string {
	agent := sha256.Sum256([]byte(c.Owner))
	return fmt.Sprintf("10.%d.%d.%d", agent[0], agent[1], 1+agent[2]%254)
}

// null is nil of an empty text.
func null(s string) any {
	if s == "" {
		return nil
	}
	return s
}

// upstream names a service after the first segment of a path.
func upstream(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if first == "" {
		return "api"
	}
	return first
}

// EscapedPath is a path as a request has it: what a path cannot hold is
// percent-encoded, what is encoded already stays.
func EscapedPath(path string) string {
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
