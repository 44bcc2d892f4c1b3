package clickhouse

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"regexp"
	"strconv"
	"strings"
	"syscall"

	ch "github.com/ClickHouse/clickhouse-go/v2"

	"flyball/schema"
)

// Error is the failure of a request that ClickHouse rejected or did not answer.
type Error struct {
	Addr   string
	User   string
	What   string // "insert into calls_store"
	Code   int    // error code of ClickHouse; 0 without an answer
	Status int    // of the answer in HTTP; 0: none, or not known
	Reason Reason // empty: none of the reasons
	Retry  bool   // the same request may succeed later
	// Data is true if the block was rejected for its content: another block may be
	// accepted.
	Data  bool
	Cause error
}

// Reason is a frequent reason of a failed request, with advice.
type Reason string

// Reasons of failed requests.
const (
	NoServer           Reason = "no_server"           // nothing listens there
	UnknownHost        Reason = "unknown_host"        // the name cannot be resolved
	NoAnswer           Reason = "no_answer"           // connected, but no answer in time
	TLSNotSpoken       Reason = "tls_not_spoken"      // TLS is configured, and the port does not use it
	TLSRequired        Reason = "tls_required"        // the port uses TLS, and none is configured
	UnknownAuthority   Reason = "unknown_authority"   // the certificate is signed by an authority that is not trusted
	ExpiredCertificate Reason = "expired_certificate" // or its time has not begun
	WrongCertificate   Reason = "wrong_certificate"   // for another name, or not for a server
	NotHTTP            Reason = "not_http"            // the port is not the HTTP interface
	Closed             Reason = "closed"              // the connection was closed before an answer
	WrongLogin         Reason = "wrong_login"         // user or password
	NoRights           Reason = "no_rights"
	NoDatabase         Reason = "no_database"
	NoTable            Reason = "no_table" // a table of Flyball is missing
)

// advice holds what to do about each reason; %s is the user.
var advice = map[Reason]string{
	NoServer:    "nothing listens there: start ClickHouse, or flyball up, or correct clickhouse.addr",
	UnknownHost: "the name cannot be resolved: correct clickhouse.addr",
	NoAnswer: "the connection is accepted, but nothing answers in time: the server hangs or is overloaded, " +
		"or clickhouse.addr names another service",
	TLSNotSpoken:       "the port does not use TLS, clickhouse.tls is set: remove clickhouse.tls, or name the HTTPS port in clickhouse.addr",
	TLSRequired:        "the port uses TLS, clickhouse.tls is not set: set clickhouse.tls.ca, or name the HTTP port in clickhouse.addr",
	UnknownAuthority:   "its certificate is signed by an unknown authority: set clickhouse.tls.ca to the certificate of that authority",
	ExpiredCertificate: "its certificate has expired, or is not valid yet: renew it, or correct the clock of this machine",
	WrongCertificate:   "its certificate is for another name: use the name in the certificate in clickhouse.addr, or renew the certificate",
	NotHTTP:            "the port does not answer in HTTP: name the port of ClickHouse's HTTP interface (8123, TLS 8443) in clickhouse.addr",
	Closed:             "the connection was closed before an answer: the server is stopping, or clickhouse.addr names another service",
	WrongLogin:         "the login of user %s was refused: correct clickhouse.user, or the password in clickhouse.password_file",
	NoRights:           "user %s lacks a right: grant it in ClickHouse, or change clickhouse.user",
	NoDatabase:         "the database does not exist yet: start the role store, run flyball migrate, or correct clickhouse.database",
	NoTable:            "a table of Flyball does not exist yet: start the role store, or run flyball migrate",
}

// isConnection reports whether the reason concerns the connection, before any request is read.
func (r Reason) isConnection() bool {
	switch r {
	case NoServer, UnknownHost, NoAnswer, TLSNotSpoken, TLSRequired, UnknownAuthority, ExpiredCertificate, WrongCertificate, NotHTTP,
		Closed:
		return true
	}
	return false
}

func (e *Error) Error() string {
	remedy := strings.Replace(advice[e.Reason], "%s", cmp.Or(e.User, "default"), 1)
	switch {
	case e.Reason.isConnection():
		return fmt.Sprintf("ClickHouse cannot be reached at %s: %s", e.Addr, remedy)
	case e.Reason == WrongLogin:
		return fmt.Sprintf("ClickHouse at %s: %s", e.Addr, remedy)
	}
	text := fmt.Sprintf("ClickHouse at %s: %s: ", e.Addr, cmp.Or(e.What, "statement"))
	if remedy != "" {
		return text + remedy + " (" + shorten(e.Cause) + ")"
	}
	return text + shorten(e.Cause)
}

func (e *Error) Unwrap() error { return e.Cause }

// maxErrorText bounds what an error shows of an answer of ClickHouse, in bytes.
const maxErrorText = 300

// shorten returns the part of an error's text that says what is wrong: without the URL of the
// request, the text of the SQL statement and the server's version.
func shorten(err error) string {
	if err == nil {
		return "no answer"
	}
	text := schema.WithoutURL(err).Error()
	for _, head := range []string{"DB::Exception: ", "message: "} {
		if _, after, ok := strings.Cut(text, head); ok {
			text = after
		}
	}
	for _, tail := range []string{": In scope ", " in scope ", ": while executing", ": While processing", ". (", " (version "} {
		if i := strings.Index(text, tail); i > 0 {
			text = text[:i]
		}
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxErrorText {
		text = strings.ToValidUTF8(text[:maxErrorText], "") + " …"
	}
	return text
}

// ReasonOf returns the reason of a failure of an HTTP request without an answer of the server; empty: unknown.
func ReasonOf(err error) Reason {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var header tls.RecordHeaderError
	var dns *net.DNSError
	text := err.Error()
	switch {
	case errors.As(err, &authority):
		return UnknownAuthority
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return ExpiredCertificate
	case errors.As(err, &name), errors.As(err, &invalid):
		return WrongCertificate
	case errors.As(err, &header), strings.Contains(text, "server gave HTTP response to HTTPS client"):
		return TLSNotSpoken
	case errors.As(err, &dns):
		return UnknownHost
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return NoServer
	case strings.Contains(text, `malformed HTTP response "\x15\x03`): // an alert of TLS
		return TLSRequired
	case strings.Contains(text, "malformed HTTP"):
		return NotHTTP
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return NoAnswer
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return Closed
	}
	return ""
}

// reasons are those of ClickHouse's codes.
var reasons = map[int]Reason{60: NoTable, 81: NoDatabase, 192: WrongLogin, 193: WrongLogin, 194: WrongLogin, 497: NoRights, 516: WrongLogin}

// exceptionCode is how the text of an answer begins that reports an exception.
var exceptionCode = regexp.MustCompile(`Code: (\d+)\. DB::Exception`)

// codeOf returns the code of ClickHouse in an error of the driver; 0: none.
func codeOf(err error) int {
	var exception *ch.Exception
	if errors.As(err, &exception) {
		return int(exception.Code)
	}
	if m := exceptionCode.FindStringSubmatch(err.Error()); m != nil {
		code, _ := strconv.Atoi(m[1])
		return code
	}
	return 0
}

// explain returns the error of a query as an *Error.
func (c *Conn) explain(what string, err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) || errors.Is(err, context.Canceled) {
		return err
	}
	e := &Error{Addr: strings.Join(c.o.Addrs, ", "), User: c.o.User, What: what, Code: codeOf(err), Cause: err}
	if e.Code != 0 {
		_, lasting := permanent[e.Code]
		e.Reason, e.Retry = reasons[e.Code], !lasting
		return e
	}
	e.Reason, e.Retry = ReasonOf(err), true
	return e
}

// IsNotMigrated reports whether a request failed because Flyball's database or one of its tables does
// not exist yet.
func IsNotMigrated(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Reason == NoTable || e.Reason == NoDatabase)
}

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
	e := &Error{Code: code, Status: r.StatusCode, Reason: reasons[code], Cause: fmt.Errorf("HTTP %d: %s", r.StatusCode, text)}
	if code == 0 && strings.Contains(text, "HTTP request to an HTTPS server") {
		e.Reason = TLSRequired
	}
	_, perm := permanent[code]
	_, e.Data = badData[code]
	switch {
	case code != 0:
		e.Retry = !perm && !e.Data
	default: // the answer is from a proxy or another server
		e.Retry = r.StatusCode >= 500 || r.StatusCode == http.StatusTooManyRequests || r.StatusCode == http.StatusRequestTimeout ||
			r.StatusCode == http.StatusRequestEntityTooLarge
	}
	return e
}
