package clickhouse

import (
	"context"
	"errors"
	"net/http"
)

// Codes of ClickHouse for requests that need more than it has at present.
const (
	codeTimeoutExceeded = 159
	codeTooSlow         = 160
	codeMemoryExceeded  = 241
	codeTooManyParts    = 252
)

// IsTooLarge reports whether a request failed for something of which a smaller request needs less: memory or time of
// the server, or the size that a proxy accepts.
func IsTooLarge(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case codeMemoryExceeded, codeTimeoutExceeded, codeTooSlow:
		return true
	case 0:
		return e.Status == http.StatusRequestEntityTooLarge || e.Status == http.StatusGatewayTimeout ||
			errors.Is(e.Cause, context.DeadlineExceeded)
	}
	return false
}

// HasTooManyParts reports whether an insert was rejected because the server has not merged the parts of former inserts
// yet: it succeeds later, and fewer and larger inserts make fewer parts.
func HasTooManyParts(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == codeTooManyParts
}
