package decode

import (
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"

	"flyball/ingest/fields"
)

// maxNodes is the maximum number of messages in one export. A message of two bytes needs a hundred bytes in memory: without a limit, a
// record of 8 MiB would need 400 MiB.
const maxNodes = 400_000

// message is the kind of a nested protobuf message of traces and logs.
type message uint8

const (
	other message = iota
	exportRoot
	resourceItems
	resource
	scopeItems
	scope
	item
	event
	keyValue
	anyValue
	arrayValue
	kvList
)

// parts maps a kind of message to the kinds of its fields, by field number. Spans and log records share the table, because the field
// numbers that are used here do not conflict.
var parts = [...]map[protowire.Number]message{
	exportRoot:    {1: resourceItems},
	resourceItems: {1: resource, 2: scopeItems},
	resource:      {1: keyValue},
	scopeItems:    {1: scope, 2: item},
	scope:         {3: keyValue},
	// Field 5 is the name of a span or the body of a log record; the text of a name does not parse as a message. Fields 6 and 9 are the
	// attributes of a log record and of a span.
	item:       {5: anyValue, 6: keyValue, 9: keyValue, 11: event, 13: event},
	event:      {3: keyValue, 4: keyValue},
	keyValue:   {2: anyValue},
	anyValue:   {5: arrayValue, 6: kvList},
	arrayValue: {1: anyValue},
	kvList:     {1: keyValue},
	other:      nil,
}

// exportFits counts the messages of an export before it is parsed. It returns a reason if the export is too large or too deep.
func exportFits(b []byte, maxItems int) (Reason, string) {
	c := counter{maxItems: maxItems}
	c.walk(b, exportRoot, 0)
	switch {
	case c.deep:
		return TooDeep, "attributes nested deeper than 64"
	case c.items > maxItems:
		return TooMany, fmt.Sprintf("more than %d items in one record", maxItems)
	case c.nodes > maxNodes:
		return TooMany, fmt.Sprintf("more than %d messages in one export", maxNodes)
	}
	return "", ""
}

type counter struct {
	maxItems, items, nodes int
	deep                   bool
}

// walk counts the messages in b. It stops at bytes that do not parse; the parser reports them later.
func (c *counter) walk(b []byte, m message, depth int) {
	if depth > fields.MaxDepth {
		c.deep = true
		return
	}
	for len(b) > 0 && c.nodes <= maxNodes && c.items <= c.maxItems && !c.deep {
		field, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			return
		}
		b = b[n:]
		if kind != protowire.BytesType {
			if n = protowire.ConsumeFieldValue(field, kind, b); n < 0 {
				return
			}
			b = b[n:]
			continue
		}
		value, n := protowire.ConsumeBytes(b)
		if n < 0 {
			return
		}
		b = b[n:]
		inner := parts[m][field]
		if inner == other {
			continue
		}
		c.nodes++
		if inner == item {
			c.items++
		}
		c.walk(value, inner, depth+1)
	}
}
