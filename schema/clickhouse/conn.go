package clickhouse

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	ch "github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
)

// Options are the addresses and credentials of ClickHouse.
type Options struct {
	Addrs    []string // host:port of the HTTP interface
	Database string
	User     string
	Password schema.Secret
	TLS      *tls.Config // nil: plain HTTP
	// PasswordNow and TLSNow return what new requests and connections use, if it can change; nil: Password and TLS.
	PasswordNow func() schema.Secret
	TLSNow      func() *tls.Config
}

// dialTimeout bounds a connection.
const dialTimeout = 5 * time.Second

// dial makes t connect as TLSNow says.
func (o *Options) dial(t *http.Transport) {
	if o.TLSNow == nil {
		return
	}
	t.DialTLSContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		return (&tls.Dialer{Config: o.TLSNow()}).DialContext(ctx, network, addr)
	}
}

// login sets the password of a request.
func (o *Options) login(r *http.Request) {
	if o.User == "" {
		return
	}
	password := o.Password
	if o.PasswordNow != nil {
		password = o.PasswordNow()
	}
	r.Header.Set("X-ClickHouse-User", o.User)
	r.Header.Set("X-ClickHouse-Key", string(password))
}

// currentLogin is the transport of clickhouse-go: it takes a password once and for all.
type currentLogin struct {
	o    *Options
	next http.RoundTripper
}

// RoundTrip sends a request with the present password.
func (c currentLogin) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	if c.o.PasswordNow != nil {
		r.Header.Del("Authorization")
		c.o.login(r)
	}
	return c.next.RoundTrip(r)
}

// CloseIdleConnections closes the connections that no request uses. clickhouse-go calls it when it is closed.
func (c currentLogin) CloseIdleConnections() {
	if t, ok := c.next.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections()
	}
}

// Conn is a connection to ClickHouse's HTTP interface. It uses clickhouse-go for queries, and
// plain requests for statements and for the insertion of encoded blocks. It is safe for
// concurrent use.
type Conn struct {
	driver.Conn
	o    Options
	http *http.Client
	next atomic.Uint32
	// answered: the server has answered a request of this connection.
	answered atomic.Bool
}

// Open makes a connection. It does not connect to the server yet.
func Open(o Options) (*Conn, error) {
	if len(o.Addrs) == 0 {
		return nil, fmt.Errorf("clickhouse.addr is empty: name at least one host:port of ClickHouse's HTTP interface")
	}
	for _, a := range o.Addrs {
		if _, _, err := net.SplitHostPort(a); err != nil {
			return nil, fmt.Errorf("clickhouse.addr %q: want host:port of the HTTP interface: %w", a, err)
		}
	}
	if o.Database == "" {
		return nil, fmt.Errorf("clickhouse.database is empty: name the database of Flyball's tables")
	}
	questions, err := ch.Open(&ch.Options{
		Protocol: ch.HTTP, Addr: o.Addrs, TLS: o.TLS,
		Auth:        ch.Auth{Database: o.Database, Username: o.User, Password: string(o.Password)},
		DialTimeout: 5 * time.Second, ReadTimeout: 5 * time.Minute, MaxOpenConns: 16, MaxIdleConns: 8,
		TransportFunc: func(t *http.Transport) (http.RoundTripper, error) {
			o.dial(t)
			return currentLogin{&o, t}, nil
		},
	})
	if err != nil {
		return nil, fmt.Errorf("clickhouse at %v: %w", o.Addrs, err)
	}
	transport := &http.Transport{
		TLSClientConfig:     o.TLS,
		DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
		MaxIdleConnsPerHost: 8,
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true,
	}
	o.dial(transport)
	return &Conn{Conn: questions, o: o, http: &http.Client{Transport: transport}}, nil
}

// Close closes the connections.
func (c *Conn) Close() error {
	c.http.CloseIdleConnections()
	return c.Conn.Close()
}

// Addrs returns the addresses of the HTTP interface, as host:port.
func (c *Conn) Addrs() []string { return c.o.Addrs }

// Database returns the name of Flyball's database.
func (c *Conn) Database() string { return c.o.Database }

// RunStatement executes a statement without rows. It does not select a database, so that the
// statement can create the one that Database returns.
func (c *Conn) RunStatement(ctx context.Context, sql string) error {
	_, err := c.post(ctx, "", nil, stringBody(sql))
	return err
}

// QueryText executes a query and returns its rows as tab-separated lines. It is for
// the few queries that must work before the database exists.
func (c *Conn) QueryText(ctx context.Context, sql string) (string, error) {
	return c.post(ctx, "", url.Values{"default_format": {"TabSeparatedRaw"}}, stringBody(sql))
}

// checkTimeout bounds CheckConnection.
const checkTimeout = 5 * time.Second

// CheckConnection returns nil if ClickHouse answers a query with this user, otherwise an *Error, within
// five seconds.
func (c *Conn) CheckConnection(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	var err error
	for range c.o.Addrs { // a failed request makes the next one use another replica
		one, stop := context.WithTimeout(ctx, checkTimeout/time.Duration(len(c.o.Addrs)))
		_, err = c.QueryText(one, "SELECT 1")
		stop()
		if err == nil {
			c.answered.Store(true)
			return nil
		}
	}
	return err
}

// Query executes a query. Before the first one it checks the connection, because a query has no bound
// of its own. An error is an *Error.
func (c *Conn) Query(ctx context.Context, sql string, args ...any) (driver.Rows, error) {
	if !c.answered.Load() {
		if err := c.CheckConnection(ctx); err != nil {
			return nil, err
		}
	}
	rows, err := c.Conn.Query(ctx, sql, args...)
	return rows, c.explain("query", err)
}

// maxAnswer is the maximum number of bytes that are read from the response to a plain request.
const maxAnswer = 4 << 20

func (c *Conn) post(ctx context.Context, what string, q url.Values, b body) (string, error) {
	scheme := "http"
	if c.o.TLS != nil {
		scheme = "https"
	}
	addr := c.o.Addrs[int(c.next.Load())%len(c.o.Addrs)]
	u := url.URL{Scheme: scheme, Host: addr, Path: "/", RawQuery: q.Encode()}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), b.reader())
	if err != nil {
		return "", err
	}
	r.ContentLength = b.length
	c.o.login(r)
	resp, err := c.http.Do(r)
	if err != nil {
		c.next.Add(1) // the next attempt uses another replica
		return "", &Error{Addr: addr, User: c.o.User, What: what, Reason: ReasonOf(err), Retry: true, Cause: err}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if e := refusal(resp, answer); e != nil {
		e.Addr, e.User, e.What = addr, c.o.User, what
		if e.Retry {
			c.next.Add(1)
		}
		return "", e
	}
	if err != nil {
		return "", &Error{Addr: addr, User: c.o.User, What: what, Reason: ReasonOf(err), Retry: true, Cause: err}
	}
	return string(answer), nil
}
