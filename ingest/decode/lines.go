package decode

import (
	"bytes"
	"regexp"
	"strings"

	"flyball/schema"
)

// The text formats. Quoted parts may hold escaped quotes.
const quotedPart = `"((?:[^"\\]|\\.)*)"`

var (
	// Envoy's default format.
	envoyLine = regexp.MustCompile(`^\[([^\]]+)\] ` + quotedPart + ` (\d+) (\S+) (\d+) (\d+) (\d+) (\d+|-) ` + quotedPart + ` ` + quotedPart + ` ` + quotedPart + ` ` + quotedPart + ` ` + quotedPart + `$`)
	// Istio's: details after the flags, addresses and the route at the end.
	istioLine = regexp.MustCompile(`^\[([^\]]+)\] ` + quotedPart + ` (\d+) (\S+) (\S+) (\S+) ` + quotedPart + ` (\d+) (\d+) (\d+|-) (\d+|-) ` + quotedPart + ` ` + quotedPart + ` ` + quotedPart + ` ` + quotedPart + ` ` + quotedPart + ` (\S+) (\S+) (\S+) (\S+) (\S+) (\S+)$`)
	// A line as a container runtime stores it.
	criLine = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\S+ (?:stdout|stderr) ([FP]) `)
)

// lines reads text, a call a line.
func (w *work) lines(b []byte, signal string, depth int) {
	for len(b) > 0 {
		line := b
		if n := bytes.IndexByte(b, '\n'); n >= 0 {
			line, b = b[:n], b[n+1:]
		} else {
			b = nil
		}
		line = bytes.TrimRight(line, "\r")
		if len(bytes.TrimSpace(line)) == 0 {
			continue
		}
		if w.full(line) {
			return
		}
		w.line(line, signal, depth)
	}
}

func (w *work) line(line []byte, signal string, depth int) {
	if m := criLine.FindSubmatchIndex(line); m != nil {
		if line[m[2]] == 'P' {
			w.bad(PartialLine, "a line cut by the container runtime", line)
			return
		}
		w.any(line[m[1]:], signal, depth+1)
		return
	}
	if len(line) > 64<<10 {
		w.bad(TooLarge, "a line longer than 64 KiB", line)
		return
	}
	w.begin()
	if !w.d.envoyText(view(sanitised(line))) {
		w.bad(UnknownFormat, "a line that no format's pattern matches", line)
		return
	}
	w.end(line)
}

// envoyText reads a line of Envoy's default format or of Istio's.
func (d *draft) envoyText(line string) bool {
	set := func(at string, request, code, flags, in, out, duration, upstream, xff, ua, id, authority string) {
		c := &d.call
		c.ObserverKind = schema.ObserverGateway
		d.time(at, false)
		d.request(unescape(request))
		text := func(s string) value { return value{'0', []byte(s)} }
		d.envoy("response_code", text(code))
		d.envoy("response_flags", text(present(flags)))
		d.envoy("bytes_received", text(in))
		d.envoy("bytes_sent", text(out))
		d.envoy("duration", text(duration))
		if upstream != "-" {
			d.envoy("upstream_service_time", text(upstream))
		}
		if a := address(xff); a.IsValid() {
			c.ClientIP = a
		}
		c.UserAgent, c.RequestID, c.Host = present(unescape(ua)), present(id), present(authority)
	}
	if m := istioLine.FindStringSubmatch(line); m != nil {
		set(m[1], m[2], m[3], m[4], m[8], m[9], orZero(m[10]), m[11], m[12], m[13], m[14], m[15])
		d.call.Format, d.call.API, d.peer = formatIstioText, present(m[17]), m[20]
		d.details = present(m[5])
		return true
	}
	if m := envoyLine.FindStringSubmatch(line); m != nil {
		set(m[1], m[2], m[3], m[4], m[5], m[6], m[7], m[8], m[9], m[10], m[11], m[12])
		d.call.Format = formatEnvoyText
		return true
	}
	return false
}

func orZero(s string) string {
	if s == "-" {
		return "0"
	}
	return s
}

// unescape undoes \" and \\ of a quoted part.
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(s)
}
