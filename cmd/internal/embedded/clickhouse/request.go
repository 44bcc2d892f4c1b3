package clickhouse

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// request contains the parameters of an HTTP request, with ClickHouse's names.
type request struct {
	id         string
	query      string // the query= parameter
	database   string
	format     string // of the result, if the query names none
	params     []param
	settings   []param
	readonly   string
	who        rights
	whole      bool   // the result is rendered in memory, not streamed
	revision   uint64 // client_protocol_version: revision of the Native encoding
	wait       bool   // wait_end_of_query: the status is sent at the end
	compress   bool   // compress the response in ClickHouse's own blocks
	decompress bool   // the body is compressed in such blocks
	method     string // network_compression_method
	httpGzip   bool   // enable_http_compression
}

// notSettings contains the parameters of the HTTP interface. All other parameters are settings; the engine rejects unknown ones.
var notSettings = map[string]bool{
	"query": true, "query_id": true, "database": true, "default_format": true, "client_protocol_version": true,
	"wait_end_of_query": true, "buffer_size": true, "compress": true, "decompress": true,
	"user": true, "password": true, "quota_key": true, "role": true, "stacktrace": true,
	"network_compression_method": true, "network_zstd_compression_level": true,
	"enable_http_compression": true, "http_zlib_compression_level": true, "readonly": true,
	"send_progress_in_http_headers": true, "add_http_cors_header": true, "http_write_exception_in_output_format": true,
	"close_session": true, "session_check": true, "session_timeout": true,
}

func parseRequest(r *http.Request) (*request, error) {
	v, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, exceptionf(codeBadArguments, "BAD_ARGUMENTS", "URL parameters cannot be read: %v", err)
	}
	if v.Get("session_id") != "" {
		return nil, exceptionf(codeNotImplemented, "NOT_IMPLEMENTED",
			"HTTP sessions (session_id) are not kept by the embedded engine: put settings into each request")
	}
	q := &request{
		id:         cmp.Or(v.Get("query_id"), r.Header.Get("X-ClickHouse-Query-Id"), newID()),
		query:      v.Get("query"),
		database:   cmp.Or(v.Get("database"), r.Header.Get("X-ClickHouse-Database")),
		format:     cmp.Or(r.Header.Get("X-ClickHouse-Format"), v.Get("default_format"), "TabSeparated"),
		readonly:   v.Get("readonly"),
		wait:       isOn(v.Get("wait_end_of_query")),
		compress:   isOn(v.Get("compress")),
		decompress: isOn(v.Get("decompress")),
		method:     v.Get("network_compression_method"),
		httpGzip:   isOn(v.Get("enable_http_compression")),
	}
	if s := v.Get("client_protocol_version"); s != "" {
		if q.revision, err = strconv.ParseUint(s, 10, 32); err != nil {
			return nil, exceptionf(codeBadArguments, "BAD_ARGUMENTS", "client_protocol_version %q is no number", s)
		}
	}
	for name, vals := range v {
		val := vals[len(vals)-1]
		if p, ok := strings.CutPrefix(name, "param_"); ok {
			q.params = append(q.params, param{p, val})
		} else if !notSettings[name] {
			q.settings = append(q.settings, param{name, val})
		}
	}
	byName := func(a, b param) int { return cmp.Compare(a.name, b.name) }
	slices.SortFunc(q.params, byName)
	slices.SortFunc(q.settings, byName)
	return q, nil
}

// sets reports whether the request contains a setting.
func (q *request) sets(name string) bool {
	return slices.ContainsFunc(q.settings, func(p param) bool { return p.name == name })
}

func isOn(s string) bool { return s == "1" || strings.EqualFold(s, "true") }

// newID returns a random query id in ClickHouse's format.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}
