package decode

// nginx takes in a field of an nginx log in JSON: every value may be a string,
// and times are when the call ended.
func (d *draft) nginx(p *pair) {
	c, v := &d.call, p.val
	switch p.key {
	case "msec":
		d.time(9, v.text(), true)
	case "time_iso8601":
		d.time(8, v.text(), true)
	case "time_local", "time":
		d.time(7, v.text(), true)
	case "@timestamp", "timestamp":
		d.time(6, v.text(), true)
	case "request_time":
		d.duration(v.text(), 1e9)
	case "request":
		d.request(v.text())
	case "response":
		if s := v.status(); s != 0 {
			c.Status = s
		}
	case "request_length":
		c.BytesIn = v.count()
	case "body_bytes_sent", "bytes":
		if v.text() != "" && better(&d.ranks.bytesOut, 2) {
			c.BytesOut = v.count()
		}
	case "bytes_sent":
		// With the headers; the body's size is better.
		if v.text() != "" && better(&d.ranks.bytesOut, 1) {
			c.BytesOut = v.count()
		}
	case "upstream_response_time":
		sum, n, _ := parseList(v.text(), 1e9)
		c.UpstreamNs, c.Attempts = sum, uint8(min(n, 255))
	case "upstream_status":
		_, n, last := parseList(v.text(), 1)
		if n > 0 {
			c.UpstreamStatus = plain(last).status()
		}
	case "agent":
		if v.kind != '{' {
			c.UserAgent = first(v.text(), c.UserAgent)
		}
	case "upstream_addr", "server_protocol", "server_port", "remote_port", "pid", "connection", "connection_requests", "pipe", "gzip_ratio":
	case "proxy_upstream_name", "upstream_name":
		c.API = v.text()
	case "kubernetes", "stream", "_p", "log", "message", "@metadata", "ecs", "input":
		// Of the shipper that merged the record with its own.
	default:
		if !d.field(p.key, v) {
			d.keep(p.name, v.text())
		}
	}
}
