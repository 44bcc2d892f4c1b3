package decode

import "flyball/ingest/fields"

// nginx takes in a field of an nginx log in JSON: every value may be a string,
// and times are when the call ended.
func (d *draft) nginx(p *fields.Pair) {
	c, v := &d.call, p.Val
	switch p.Key {
	case "msec":
		d.time(9, v.Text(), true)
	case "time_iso8601":
		d.time(8, v.Text(), true)
	case "time_local", "time":
		d.time(7, v.Text(), true)
	case "@timestamp", "timestamp":
		d.time(6, v.Text(), true)
	case "request_time":
		d.duration(v.Text(), 1e9)
	case "request":
		d.request(v.Text())
	case "response":
		if s := v.Status(); s != 0 {
			c.Status = s
		}
	case "request_length":
		c.BytesIn = v.Count()
	case "body_bytes_sent", "bytes":
		if v.Text() != "" && better(&d.ranks.bytesOut, 2) {
			c.BytesOut = v.Count()
		}
	case "bytes_sent":
		// With the headers; the body's size is better.
		if v.Text() != "" && better(&d.ranks.bytesOut, 1) {
			c.BytesOut = v.Count()
		}
	case "upstream_response_time":
		sum, n, _ := parseList(v.Text(), 1e9)
		c.UpstreamNs, c.Attempts = sum, uint8(min(n, 255))
	case "upstream_status":
		_, n, last := parseList(v.Text(), 1)
		if n > 0 {
			c.UpstreamStatus = fields.Plain(last).Status()
		}
	case "agent":
		if v.Kind != '{' {
			c.UserAgent = first(v.Text(), c.UserAgent)
		}
	case "upstream_addr", "server_protocol", "server_port", "remote_port", "pid", "connection", "connection_requests", "pipe", "gzip_ratio":
	case "proxy_upstream_name", "upstream_name":
		c.API = v.Text()
	case "kubernetes", "stream", "_p", "log", "message", "@metadata", "ecs", "input":
		// Of the shipper that merged the record with its own.
	default:
		if !d.field(p.Key, v) {
			d.keep(p.Name, v.Text())
		}
	}
}
