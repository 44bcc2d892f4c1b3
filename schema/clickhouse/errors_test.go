package clickhouse

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
)

// exception answers every request as ClickHouse answers with an exception.
func exception(code int, text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("X-ClickHouse-Exception-Code", fmt.Sprint(code))
		w.WriteHeader(http.StatusNotFound)
		fmt.Fprintf(w, "Code: %d. DB::Exception: %s", code, text)
	})
}

const missingTable = "Unknown table expression identifier 'runs' in scope SELECT count() FROM runs WHERE a = 1. (UNKNOWN_TABLE) " +
	"(version 26.1)"

// A failed connection is an error that names the address and the key to change, without the URL.
func TestErrorsOfClickHouseNameTheAddressAndWhatToDo(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer plain.Close()
	secure := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer secure.Close()
	secure.Config.ErrorLog = nil
	hung, err := net.Listen("tcp", "127.0.0.1:0") // accepts, as a stopped process does, and never answers
	if err != nil {
		t.Fatal(err)
	}
	defer hung.Close()
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	go func() {
		for {
			c, err := other.Accept()
			if err != nil {
				return
			}
			if r, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				_, _ = io.Copy(io.Discard, r.Body)
			}
			_, _ = c.Write([]byte("220 mail.example ESMTP\r\n"))
			c.Close()
		}
	}()
	refusing := func(code int, text string) string {
		s := httptest.NewServer(exception(code, text))
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	for name, c := range map[string]struct {
		addr   string
		tls    *tls.Config
		reason Reason
		says   string
	}{
		"away":              {"127.0.0.1:1", nil, NoServer, "clickhouse.addr"},
		"unknown host":      {"nowhere.invalid:8123", nil, UnknownHost, "cannot be resolved"},
		"hung":              {hung.Addr().String(), nil, NoAnswer, "nothing answers in time"},
		"https to http":     {plain.Listener.Addr().String(), trust, TLSNotSpoken, "remove clickhouse.tls"},
		"http to https":     {secure.Listener.Addr().String(), nil, TLSRequired, "clickhouse.tls.ca"},
		"unknown authority": {secure.Listener.Addr().String(), trust, UnknownAuthority, "clickhouse.tls.ca"},
		"another service":   {other.Addr().String(), nil, NotHTTP, "HTTP interface"},
		"wrong password":    {refusing(516, "default: Authentication failed"), nil, WrongLogin, "the login of user ops was refused"},
		"no rights":         {refusing(497, "ops: Not enough privileges"), nil, NoRights, "user ops lacks a right"},
		"no database":       {refusing(81, "Database flyball does not exist"), nil, NoDatabase, "flyball migrate"},
		"no table":          {refusing(60, missingTable), nil, NoTable, "flyball migrate"},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := Open(Options{Addrs: []string{c.addr}, Database: "flyball", User: "ops", Password: "hunter2", TLS: c.tls})
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			if c.reason != NoAnswer {
				ctx = t.Context()
			}
			_, err = conn.Query(ctx, "SELECT count() FROM runs WHERE a = 1")
			var got *Error
			if !errors.As(err, &got) || got.Reason != c.reason {
				t.Fatalf("%v: %+v, want the reason %s", err, got, c.reason)
			}
			text := err.Error()
			if !strings.Contains(text, c.addr) || !strings.Contains(text, c.says) {
				t.Errorf("%q, want the address and %q", text, c.says)
			}
			for _, raw := range []string{"http://", "hunter2", "SELECT", "DB::Exception", "version", "server hello"} {
				if strings.Contains(text, raw) {
					t.Errorf("%q holds %q", text, raw)
				}
			}
		})
	}
}

// Errors of the driver, which queries use, are read like those of plain requests.
func TestErrorsOfTheDriverAreExplained(t *testing.T) {
	c := &Conn{o: Options{Addrs: []string{"ch:8123"}, User: "ops"}}
	for _, e := range []struct {
		err    error
		reason Reason
		retry  bool
		says   string
	}{
		{&ch.Exception{Code: 60, Message: missingTable}, NoTable, false, "does not exist yet"},
		{fmt.Errorf("[HTTP 404] response body: \"Code: 60. DB::Exception: %s\"", missingTable), NoTable, false, "does not exist yet"},
		{&ch.Exception{Code: 241, Message: "Memory limit exceeded"}, "", true, "Memory limit exceeded"},
		{fmt.Errorf("sendQuery: %w", syscall.ECONNRESET), Closed, true, "was closed before an answer"},
		{fmt.Errorf("sendQuery: %w", context.DeadlineExceeded), NoAnswer, true, "nothing answers in time"},
	} {
		var got *Error
		err := c.explain("query", e.err)
		if !errors.As(err, &got) || got.Reason != e.reason || got.Retry != e.retry || !strings.Contains(err.Error(), e.says) {
			t.Errorf("%v: %v, %+v", e.err, err, got)
		}
		if !errors.Is(err, e.err) || strings.Contains(err.Error(), "SELECT") {
			t.Errorf("%q", err)
		}
	}
	if err := c.explain("query", nil); err != nil {
		t.Error(err)
	}
	if err := c.explain("query", context.Canceled); err != context.Canceled {
		t.Errorf("%v: the end of a caller is no failure of ClickHouse", err)
	}
}
