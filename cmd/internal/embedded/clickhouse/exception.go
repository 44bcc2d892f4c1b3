package clickhouse

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// exception is an error of the engine, or an error of the HTTP layer in the engine's format. Clients check the code and show the text.
type exception struct {
	code int
	text string
}

func (e *exception) Error() string { return e.text }

var exceptionCode = regexp.MustCompile(`^Code: (\d+)\. `)

// newException reads the code from the engine's text. Errors of statements are wrapped in a second exception with the same code, which is
// removed.
func newException(text string) *exception {
	e := &exception{code: codeUnknown, text: strings.TrimSpace(text)}
	if m := exceptionCode.FindStringSubmatch(e.text); m != nil {
		e.code, _ = strconv.Atoi(m[1])
		if inner, ok := strings.CutPrefix(e.text, m[0]+"DB::Exception: "+m[0]); ok {
			e.text = m[0] + inner
		}
		return e
	}
	e.text = fmt.Sprintf("Code: %d. DB::Exception: %s. (UNKNOWN_EXCEPTION)", e.code, e.text)
	return e
}

func exceptionf(code int, name, format string, args ...any) *exception {
	return &exception{code, fmt.Sprintf("Code: %d. DB::Exception: %s. (%s)", code, fmt.Sprintf(format, args...), name)}
}

func asException(err error) *exception {
	var e *exception
	if errors.As(err, &e) {
		return e
	}
	return exceptionf(codeUnknown, "UNKNOWN_EXCEPTION", "%v", err)
}

// Codes of ClickHouse that this package uses.
const (
	codeBadArguments     = 36
	codeNotImplemented   = 48
	codeSyntaxError      = 62
	codeReadonly         = 164
	codeRequiredPassword = 194
	codeTooManyQueries   = 202
	codeCannotRead       = 33
	codeTimeout          = 159
	codeCancelled        = 394
	codeTooManyBytes     = 396
	codeWrongPassword    = 516
	codeUnknown          = 1002
)

// httpStatus returns ClickHouse's HTTP status of a code, except that a full queue gives 503, because the client should retry.
func httpStatus(code int) int {
	switch code {
	case codeRequiredPassword:
		return http.StatusUnauthorized
	case 192, 193, codeWrongPassword, 512, 497:
		return http.StatusForbidden
	case 6, 15, 16, 25, 26, 27, 36, 38, 41, 44, 53, 62, 69, 72, 117, 166, 167, 168, 350, 376, 427, 441, 675, 676:
		return http.StatusBadRequest
	case 24, 46, 47, 50, 56, 60, 63, 73, 78, 81, 115, 336, 511:
		return http.StatusNotFound
	case codeNotImplemented:
		return http.StatusNotImplemented
	case 76, 209, 439, codeTooManyQueries:
		return http.StatusServiceUnavailable
	case 381:
		return http.StatusLengthRequired
	case codeTimeout:
		return http.StatusRequestTimeout
	}
	return http.StatusInternalServerError
}
