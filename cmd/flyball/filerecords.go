package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
)

// maxPretty is the maximum size of a JSON document over several lines that is read as one record.
const maxPretty = 8 << 20

// eachRecord splits a file into records: one a line, or one JSON document over several lines. In .b64 files each line is base64.
func eachRecord(in io.Reader, b64 bool, each func(line int64, value []byte) error) error {
	r := bufio.NewReaderSize(in, 1<<20)
	var pretty prettyJSON
	number := int64(0)
	for {
		line, err := r.ReadBytes('\n')
		if n := len(line); n > 0 && line[n-1] == '\n' {
			line = line[:n-1]
		}
		number++
		switch {
		case b64 && len(line) > 0:
			raw, bad := base64.StdEncoding.DecodeString(strings.TrimSpace(string(line)))
			if bad != nil {
				return fmt.Errorf("base64: %w", bad)
			}
			if err := each(number, raw); err != nil {
				return err
			}
		case !b64:
			if err := pretty.add(number, line, each); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return pretty.flush(each)
		}
		if err != nil {
			return err
		}
	}
}

// prettyJSON collects the lines of a JSON document that is written over several lines.
type prettyJSON struct {
	first int64 // number of its first line
	lines [][]byte
	size  int
	depth int // of open brackets
	list  bool
}

// add passes a line on as a record, unless it belongs to a document of several lines.
func (d *prettyJSON) add(number int64, line []byte, each func(int64, []byte) error) error {
	if len(d.lines) == 0 {
		if len(line) == 0 {
			return nil
		}
		depth, whole := brackets(line)
		if c := line[0]; c != '{' && c != '[' || !whole || depth <= 0 {
			return each(number, line)
		}
		*d = prettyJSON{first: number, list: line[0] == '['}
	}
	// An object at the beginning of a line is the next record, not a part of one that was cut off.
	if len(d.lines) > 0 && !d.list && len(line) > 0 && line[0] == '{' {
		if err := d.flush(each); err != nil {
			return err
		}
		return d.add(number, line, each)
	}
	depth, whole := brackets(line)
	d.lines, d.size, d.depth = append(d.lines, line), d.size+len(line)+1, d.depth+depth
	switch {
	case !whole || d.depth < 0 || d.size > maxPretty:
		return d.flush(each)
	case d.depth == 0:
		value := bytes.Join(d.lines, []byte{'\n'})
		first := d.first
		*d = prettyJSON{}
		return each(first, value)
	}
	return nil
}

// flush passes the lines of a document that did not end on, each as a record.
func (d *prettyJSON) flush(each func(int64, []byte) error) error {
	lines, first := d.lines, d.first
	*d = prettyJSON{}
	for i, line := range lines {
		if len(line) > 0 {
			if err := each(first+int64(i), line); err != nil {
				return err
			}
		}
	}
	return nil
}

// brackets returns how many brackets of JSON a line opens more than it closes. whole is false when a string does not end on the line.
func brackets(line []byte) (depth int, whole bool) {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		}
	}
	return depth, !quoted
}
