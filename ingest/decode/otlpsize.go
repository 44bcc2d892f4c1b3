package decode

import (
	"flyball/ingest/fields"
	"fmt"

	"google.golang.org/protobuf/encoding/protowire"
)

// maxNodes is how many messages one export may hold. A message of two bytes
// becomes a hundred in memory: without a bound a record of 8 MiB would become
// 400 MiB.
const maxNodes = 400_000

// The messages of both signals that repeat or nest, by where they stand.
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

// within is the message that a field of a message holds. Spans and log records
// share the table: their numbers do not collide in what matters here.
func within(m message, field protowire.Number) message {
	switch m {
	case exportRoot:
		if field == 1 {
			return resourceItems
		}
	case resourceItems:
		switch field {
		case 1:
			return resource
		case 2:
			return scopeItems
		}
	case resource:
		if field == 1 {
			return keyValue
		}
	case scopeItems:
		switch field {
		case 1:
			return scope
		case 2:
			return item
		}
	case scope:
		if field == 3 {
			return keyValue
		}
	case item:
		switch field {
		case 5: // a span's name, or a log record's body: text passes for no message
			return anyValue
		case 6, 9: // attributes of a log record, of a span
			return keyValue
		case 11, 13:
			return event
		}
	case event:
		if field == 3 || field == 4 {
			return keyValue
		}
	case keyValue:
		if field == 2 {
			return anyValue
		}
	case anyValue:
		switch field {
		case 5:
			return arrayValue
		case 6:
			return kvList
		}
	case arrayValue:
		if field == 1 {
			return anyValue
		}
	case kvList:
		if field == 1 {
			return keyValue
		}
	}
	return other
}

// exportFits walks an export before it is parsed and counts what it holds.
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

// walk stops where bytes do not parse: the parser says so better.
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
		inner := within(m, field)
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
