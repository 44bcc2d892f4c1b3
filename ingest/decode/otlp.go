package decode

import (
	"bytes"
	"fmt"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"flyball/ingest/fields"
)

// The signals that contain calls.
const (
	traces = "traces"
	logs   = "logs"
)

// protobuf reads an export request. pdata reads a request of the other signal without an error if it contains only resources; an export
// without items is therefore rejected. If no signal is given, both are tried, and hasSpans decides.
func (dec otlpReader) protobuf(b []byte) {
	signal := dec.in.Signal
	switch signal {
	case "", traces, logs:
	default:
		dec.reject(WrongSignal, "the record's signal holds no calls", b)
		return
	}
	if reason, detail := exportFits(b, dec.p.opt.MaxItems); reason != "" {
		dec.reject(reason, detail, b)
		return
	}
	t, terr := (&ptrace.ProtoUnmarshaler{}).UnmarshalTraces(b)
	isTraces := terr == nil && hasSpans(t)
	if isTraces && signal != logs {
		dec.traces(t, false)
		return
	}
	l, lerr := (&plog.ProtoUnmarshaler{}).UnmarshalLogs(b)
	if terr == nil && lerr != nil && t.SpanCount() > 0 { // spans without ids, as they are read in JSON
		if isTraces = true; signal != logs {
			dec.traces(t, false)
			return
		}
	}
	isLogs := lerr == nil && l.LogRecordCount() > 0
	switch {
	case isLogs && signal != traces:
		dec.logs(l, false)
	case isLogs:
		dec.reject(WrongSignal, "logs where traces are configured", b)
	case isTraces:
		dec.reject(WrongSignal, "traces where logs are configured", b)
	case signal == logs && lerr != nil, signal != logs && terr != nil:
		dec.reject(NotProto, "does not parse as an OTLP export: cut off, or something else", b)
	default:
		dec.reject(NoItems, "an export that holds no spans and no log records", b)
	}
}

// hasSpans reports whether an export that parsed as traces contains spans. A log record with only a body also parses as a span with only
// a name, but without ids.
func hasSpans(t ptrace.Traces) bool {
	found := false
	eachSpan(t, func(_ ptrace.ResourceSpans, s ptrace.Span) bool {
		found = !s.TraceID().IsEmpty() && !s.SpanID().IsEmpty()
		return !found
	})
	return found
}

// isExport reports whether the object is an OTLP export in JSON.
func isExport(pairs []fields.Pair) bool {
	for i := range pairs {
		switch pairs[i].Key {
		case "resourcespans", "resource_spans", "resourcelogs", "resource_logs", "resourcemetrics", "resource_metrics", "resourceprofiles",
			"resource_profiles":
			return true
		}
	}
	return false
}

// documents reads one or several exports in JSON, one per line.
func (dec otlpReader) documents(b []byte) {
	whole := b
	b = bytes.TrimPrefix(b, bom)
	if b = b[fields.Space(b, 0):]; len(b) == 0 {
		dec.reject(Empty, "only spaces", whole)
		return
	}
	for ; len(b) > 0; b = b[fields.Space(b, 0):] {
		if b[0] != '{' {
			dec.reject(NotJSON, "an OTLP export in JSON is an object", whole)
			return
		}
		line := b
		pairs, end, err := dec.keys.Object(b, 0, nil)
		i := fields.Space(b, end)
		switch {
		case err != nil:
			line = firstLine(b)
			dec.reject(reasonOf(err), err.Error(), line)
		case i < len(b) && b[i] != '{':
			line = firstLine(b)
			dec.reject(TrailingData, fmt.Sprintf("%d bytes after the document", len(line)-end), line)
		default:
			line = b[:end]
			dec.exportJSON(line, pairs)
		}
		if b = b[len(line):]; len(b) > 0 && dec.isFull(b) {
			return
		}
	}
}

// exportJSON reads one export in JSON. Its structure was checked before, because pdata reads logs as empty traces and stops at the end of
// the first document.
func (dec otlpReader) exportJSON(b []byte, pairs []fields.Pair) {
	spans := holdsSignal(pairs, "resourcespans", "resource_spans")
	records := holdsSignal(pairs, "resourcelogs", "resource_logs")
	if reason, detail := checkSignal(pairs, dec.in.Signal, spans, records); reason != "" {
		dec.reject(reason, detail, b)
		return
	}
	if bytes.Count(b, []byte{'{'}) > maxNodes {
		dec.reject(TooMany, fmt.Sprintf("more than %d objects in one export", maxNodes), b)
		return
	}
	if spans {
		dec.tracesJSON(b)
	}
	if records {
		dec.logsJSON(b)
	}
}

// holdsSignal reports whether an export has a list with one of these names. null is an empty list.
func holdsSignal(pairs []fields.Pair, names ...string) bool {
	for _, name := range names {
		if k := fields.Get(pairs, name).Kind; k == '[' || k == 'n' {
			return true
		}
	}
	return false
}

// checkSignal compares the signals of an export with the configured one. It returns an empty reason if the export can be read.
func checkSignal(pairs []fields.Pair, signal string, spans, records bool) (reason Reason, detail string) {
	switch {
	case !spans && !records &&
		holdsSignal(pairs, "resourcemetrics", "resource_metrics", "resourceprofiles", "resource_profiles"):
		return WrongSignal, "metrics or profiles: no calls are in them"
	case !spans && !records:
		return NoItems, "neither resourceSpans nor resourceLogs"
	case signal != "" && signal != traces && signal != logs:
		return WrongSignal, "the record's signal holds no calls"
	case signal == traces && !spans:
		return WrongSignal, "logs where traces are configured"
	case signal == logs && !records:
		return WrongSignal, "traces where logs are configured"
	}
	return "", ""
}

func (dec otlpReader) tracesJSON(b []byte) {
	t, err := (&ptrace.JSONUnmarshaler{}).UnmarshalTraces(b)
	switch {
	case err != nil:
		dec.reject(NotJSON, "does not parse as OTLP traces", b)
	case t.SpanCount() == 0:
		dec.reject(NoItems, "an export that holds no spans", b)
	default:
		dec.traces(t, true)
	}
}

func (dec otlpReader) logsJSON(b []byte) {
	l, err := (&plog.JSONUnmarshaler{}).UnmarshalLogs(b)
	switch {
	case err != nil:
		dec.reject(NotJSON, "does not parse as OTLP logs", b)
	case l.LogRecordCount() == 0:
		dec.reject(NoItems, "an export that holds no log records", b)
	default:
		dec.logs(l, true)
	}
}
