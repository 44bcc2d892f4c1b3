package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"flyball/ingest/decode"
	"flyball/schema"
)

// formatCount counts records by the format that they were read as.
type formatCount struct {
	formats map[string]int
	reasons map[decode.Reason]int // of what could not be read
}

func newFormatCount() formatCount {
	return formatCount{map[string]int{}, map[decode.Reason]int{}}
}

func (g *formatCount) add(calls []schema.Call, dead []decode.Rejected) {
	for i := range calls {
		g.formats[calls[i].Format]++
	}
	for _, d := range dead {
		g.reasons[d.Reason]++
	}
}

// printLeft writes what was read and is no call, and why.
func printLeft(w io.Writer, left decode.LeftCounts) {
	var parts []string
	for i, n := range left {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d × %s", n, decode.Left(i)))
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(w, "left out, because they are no calls: %s\n", strings.Join(parts, ", "))
	}
}

// print writes what the records were read as, and how to configure that. Formats of
// OpenTelemetry are configured by encoding, which a file does not show.
func (g *formatCount) print(w io.Writer, topic, as string) {
	names := slices.SortedFunc(maps.Keys(g.formats), func(a, b string) int { return g.formats[b] - g.formats[a] })
	if len(names) == 0 && len(g.reasons) == 0 {
		fmt.Fprintln(w, "no calls")
		return
	}
	var parts []string
	for _, n := range names {
		parts = append(parts, fmt.Sprintf("%d as %s", g.formats[n], n))
	}
	for _, r := range slices.Sorted(maps.Keys(g.reasons)) {
		parts = append(parts, fmt.Sprintf("%d not at all (%s)", g.reasons[r], r))
	}
	fmt.Fprintf(w, "read: %s\n", strings.Join(parts, ", "))
	if as != "auto" || len(names) == 0 {
		return
	}
	format, _, _ := strings.Cut(names[0], "/")
	switch {
	case strings.HasPrefix(format, "otlp"):
		format = "otlp_proto (or otlp_json)"
	case len(names) > 1:
		fmt.Fprintf(w, "The records are of several formats: use one topic for each format, or leave this one at auto.\n")
		return
	}
	if topic == "" {
		topic = "YOUR-TOPIC"
	}
	fmt.Fprintf(w, "To set this format permanently: kafka.inputs: [{topic: %s, format: %s}]\n", topic, format)
}
