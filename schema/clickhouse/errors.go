package clickhouse

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Error is the failure of a request that ClickHouse rejected or did not answer.
type Error struct {
	Addr  string
	What  string // "insert into calls_store"
	Code  int    // error code of ClickHouse; 0 without an answer
	Retry bool   // the same request may succeed later
	// Data is true if the block was rejected for its content: another block may be
	// accepted.
	Data  bool
	Cause error
}

func (e *Error) Error() string {
	what := e.What
	if what == "" {
		what = "statement"
	}
	return fmt.Sprintf("clickhouse %s: %s: %v", e.Addr, what, e.Cause)
}

func (e *Error) Unwrap() error { return e.Cause }

// IsPermanent reports whether a retry of the request cannot succeed.
func IsPermanent(err error) bool {
	var e *Error
	return errors.As(err, &e) && !e.Retry
}

// IsBadData reports whether the block was rejected for its content.
func IsBadData(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Data
}

// permanent are the codes of errors that remain when the request is repeated: the schema, the
// request or the access rights are wrong. Requests with any other code are retried: overload,
// too many parts, memory, a replica that is temporarily read-only.
var permanent = map[int]string{
	8: "THERE_IS_NO_COLUMN", 10: "NOT_FOUND_COLUMN_IN_BLOCK", 16: "NO_SUCH_COLUMN_IN_TABLE", 36: "BAD_ARGUMENTS",
	43: "ILLEGAL_TYPE_OF_ARGUMENT", 44: "ILLEGAL_COLUMN", 46: "UNKNOWN_FUNCTION", 47: "UNKNOWN_IDENTIFIER", 48: "NOT_IMPLEMENTED",
	53: "TYPE_MISMATCH", 60: "UNKNOWN_TABLE", 62: "SYNTAX_ERROR", 73: "UNKNOWN_FORMAT", 80: "INCORRECT_QUERY", 81: "UNKNOWN_DATABASE",
	115: "UNKNOWN_SETTING", 122: "INCOMPATIBLE_COLUMNS", 192: "UNKNOWN_USER", 193: "WRONG_PASSWORD", 194: "REQUIRED_PASSWORD",
	497: "ACCESS_DENIED", 516: "AUTHENTICATION_FAILED",
}

// badData are the codes for a block that cannot be read.
var badData = map[int]string{
	6: "CANNOT_PARSE_TEXT", 9: "SIZES_OF_COLUMNS_DOESNT_MATCH", 26: "CANNOT_PARSE_QUOTED_STRING", 27: "CANNOT_PARSE_INPUT_ASSERTION_FAILED",
	32: "ATTEMPT_TO_READ_AFTER_EOF", 33: "CANNOT_READ_ALL_DATA", 41: "CANNOT_PARSE_DATETIME", 49: "LOGICAL_ERROR", 50: "UNKNOWN_TYPE",
	70: "CANNOT_CONVERT_TYPE", 117: "INCORRECT_DATA", 131: "TOO_LARGE_STRING_SIZE", 128: "TOO_LARGE_ARRAY_SIZE",
	691: "UNKNOWN_ELEMENT_OF_ENUM",
}

func refusal(r *http.Response, answer []byte) *Error {
	code, _ := strconv.Atoi(r.Header.Get("X-ClickHouse-Exception-Code"))
	if r.StatusCode == http.StatusOK && code == 0 {
		return nil
	}
	text := strings.TrimSpace(string(answer))
	if len(text) > 2000 {
		text = text[:2000] + " …"
	}
	e := &Error{Code: code, Cause: fmt.Errorf("HTTP %d: %s", r.StatusCode, text)}
	_, perm := permanent[code]
	_, e.Data = badData[code]
	switch {
	case code != 0:
		e.Retry = !perm && !e.Data
	default: // the answer is from a proxy or another server
		e.Retry = r.StatusCode >= 500 || r.StatusCode == http.StatusTooManyRequests || r.StatusCode == http.StatusRequestTimeout
	}
	return e
}
