package decode

import (
	"bytes"
	"strings"

	"flyball/ingest/fields"
	"flyball/schema"
)

// lines reads text, one call per line. Lines that a container runtime split (flag P) are joined up to their last part (flag F).
func (dec lineReader) lines(b []byte, depth int) {
	var parts, cutFrom []byte // parts of a split line, and the text from its beginning
	for len(b) > 0 {
		rest := b
		line := b
		if n := bytes.IndexByte(b, '\n'); n >= 0 {
			line, b = b[:n], b[n+1:]
		} else {
			b = nil
		}
		line = bytes.TrimRight(line, "\r")
		if fields.Space(line, 0) == len(line) {
			continue
		}
		if dec.isFull(rest) {
			return
		}
		at, flag, text := criLine(line)
		if flag == 'P' || len(parts) > 0 && flag == 'F' {
			if len(parts) == 0 {
				cutFrom = rest
			}
			parts = append(parts, text...)
			if flag == 'P' {
				continue
			}
			text, parts = parts, nil
		}
		if flag == 0 {
			dec.line(line, depth)
			continue
		}
		shipped := dec.shipped
		dec.shipped = at
		dec.decodeAny(text, depth+1)
		dec.shipped = shipped
	}
	if len(parts) > 0 {
		dec.reject(PartialLine, "a line that the container runtime cut, without its rest", cutFrom)
	}
}

// criLine splits the prefix of a container runtime from a line: time and flag. flag is 0 if there is no such prefix.
func criLine(b []byte) (at string, flag byte, text []byte) {
	if len(b) < 30 || b[4] != '-' || b[10] != 'T' {
		return "", 0, nil
	}
	for _, stream := range [...]string{" stdout ", " stderr "} {
		head := b[:min(len(b), 48)]
		if i := bytes.Index(head, []byte(stream)); i > 0 {
			rest := b[i+len(stream):]
			if len(rest) > 2 && (rest[0] == 'F' || rest[0] == 'P') && rest[1] == ' ' {
				return fields.View(b[:i]), rest[0], rest[2:]
			}
		}
	}
	return "", 0, nil
}

// Number of parts of a line. Istio writes three more parts after the flags and six more at the end.
const (
	envoyParts = 13
	istioParts = 22
)

// readEnvoyText reads a line of Envoy's default format or of Istio's. It reports whether the line has one of these formats.
func readEnvoyText(d *draft, line string) bool {
	var parts [istioParts]string
	n := split(line, parts[:])
	c := &d.call
	c.ObserverKind = schema.ObserverGateway
	tail := parts[4:]
	switch n {
	case envoyParts:
		c.Format = formatEnvoyText
	case istioParts:
		c.Format = formatIstioText
		tail = parts[7:]
	default:
		return false
	}
	status, isStatus := number(parts[2])
	if _, _, ok := parseTime(parts[0], d.zone); !ok || !isStatus || status > 999 {
		return false
	}
	d.time(rankTimeStart, parts[0], false)
	d.request(parts[1])
	setEnvoy(d, "response_code", parts[2])
	setEnvoy(d, "response_flags", parts[3])
	for i, name := range [...]string{"bytes_received", "bytes_sent", "duration", "upstream_service_time", "x_forwarded_for", "user_agent",
		"request_id", "authority"} {
		setEnvoy(d, name, tail[i])
	}
	if n == istioParts {
		setEnvoy(d, "response_code_details", parts[4])
		setEnvoy(d, "connection_termination_details", parts[5])
		setEnvoy(d, "upstream_transport_failure_reason", parts[6])
		setEnvoy(d, "upstream_cluster", parts[16])
		setEnvoy(d, "downstream_remote_address", parts[19])
		setEnvoy(d, "route_name", parts[21])
	}
	return true
}

func setEnvoy(d *draft, name, text string) {
	d.readingFrom(name)
	d.envoy(&fields.Pair{Name: name, Key: name, Val: fields.Plain(text)})
}

// split splits a line at its spaces, but not inside [brackets] at the beginning or inside quotes, whose escapes it decodes. It returns
// the number of parts, or -1.
func split(line string, parts []string) int {
	n := 0
	for line != "" {
		if n == len(parts) {
			return -1
		}
		end := 0
		switch {
		case line[0] == '[' && n == 0:
			if end = strings.IndexByte(line, ']'); end < 0 {
				return -1
			}
			parts[n] = line[1:end]
			end++
		case line[0] == '"':
			for end = 1; end < len(line) && line[end] != '"'; end++ {
				if line[end] == '\\' {
					end++
				}
			}
			if end >= len(line) {
				return -1
			}
			parts[n] = unescape(line[1:end])
			end++
		default:
			if end = strings.IndexByte(line, ' '); end < 0 {
				end = len(line)
			}
			parts[n] = line[:end]
		}
		n++
		line = line[end:]
		if line != "" {
			if line[0] != ' ' {
				return -1
			}
			line = line[1:]
		}
	}
	return n
}

// unescape decodes \" and \\ in a quoted part.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	return strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(s)
}
