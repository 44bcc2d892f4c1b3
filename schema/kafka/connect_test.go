package kafka

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"flyball/schema/kafka/kafkatest"
)

// serveConnections accepts connections until the test ends and handles each with h.
func serveConnections(t *testing.T, h func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			h(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// certificate makes a certificate for 127.0.0.1 that no authority of the system signed.
func certificate(t *testing.T, until time.Time) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Unix(0, 0), NotAfter: until,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// A failed connection is an error that names the address, the login, and the key to change.
func TestConnectionErrorsNameTheBrokerAndWhatToDo(t *testing.T) {
	b := newBench(t, 1, "t")
	withLogin := kafkatest.Start(t, kfake.EnableSASL(), kfake.Superuser("PLAIN", "ops", "right"))
	tlsServer := func(certs ...tls.Certificate) string {
		return serveConnections(t, func(c net.Conn) {
			_ = tls.Server(c, &tls.Config{Certificates: certs, MinVersion: tls.VersionTLS12}).HandshakeContext(t.Context())
		})
	}
	speaksHTTP := serveConnections(t, func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\n\r\n")
		_, _ = io.Copy(io.Discard, io.LimitReader(c, 100))
	})
	closes := serveConnections(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 4096)) })
	alerts := serveConnections(t, func(c net.Conn) { // as Java's TLS answers plain text
		_, _ = c.Read(make([]byte, 4096))
		_, _ = c.Write([]byte{21, 3, 3, 0, 2, 2, 80})
	})
	far := time.Now().Add(24 * time.Hour)
	valid := certificate(t, far)
	expired := certificate(t, time.Unix(1000, 0))
	trusted := x509.NewCertPool()
	for _, c := range []tls.Certificate{valid, expired} {
		parsed, err := x509.ParseCertificate(c.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		trusted.AddCert(parsed)
	}
	useTLS := kgo.DialTLSConfig(&tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12})
	wrong := kgo.SASL(plain.Auth{User: "ops", Pass: "wrong"}.AsMechanism())
	for name, c := range map[string]struct {
		addr   string
		remote Remote
		opts   []kgo.Opt
		reason ConnectReason
		says   string
	}{
		"nothing listens":   {"127.0.0.1:1", Remote{}, nil, NoBroker, "kafka.brokers"},
		"embedded away":     {"127.0.0.1:1", Remote{Embedded: true}, nil, NoBroker, "start flyball up"},
		"unknown host":      {"nowhere.invalid:9092", Remote{}, nil, UnknownHost, "cannot be resolved"},
		"tls to plain text": {speaksHTTP, Remote{TLS: true}, []kgo.Opt{useTLS}, TLSNotSpoken, "remove kafka.tls"},
		"plain text to tls": {alerts, Remote{}, nil, TLSRequired, "kafka.tls.ca"},
		"no alert":          {tlsServer(valid), Remote{}, nil, LoginRequired, "or it uses TLS, set kafka.tls.ca"},
		"unknown authority": {tlsServer(valid), Remote{TLS: true}, []kgo.Opt{kgo.DialTLS()}, UnknownAuthority, "kafka.tls.ca"},
		"expired":           {tlsServer(expired), Remote{TLS: true}, []kgo.Opt{useTLS}, WrongCertificate, "not valid"},
		"closed at once":    {closes, Remote{}, nil, LoginRequired, "set kafka.sasl"},
		"no login":          {withLogin.ListenAddrs()[0], Remote{}, nil, LoginRequired, "kafka.sasl"},
		"wrong password": {withLogin.ListenAddrs()[0], Remote{Mechanism: "PLAIN", User: "ops"}, []kgo.Opt{wrong}, WrongLogin,
			"SASL PLAIN as user ops"},
		"wrong mechanism": {withLogin.ListenAddrs()[0], Remote{Mechanism: "SCRAM-SHA-512", User: "ops"},
			[]kgo.Opt{kgo.SASL(scram.Auth{User: "x", Pass: "y"}.AsSha512Mechanism())}, WrongLogin, "kafka.sasl.password_file"},
		"a broker": {b.ListenAddrs()[0], Remote{}, nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			c.remote.Addrs = []string{c.addr}
			cfg := Config{Options: append([]kgo.Opt{kgo.SeedBrokers(c.addr)}, c.opts...), Remote: c.remote}
			err := cfg.CheckConnection(t.Context())
			if c.reason == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			var got *ConnectError
			if !errors.As(err, &got) || got.Reason != c.reason {
				t.Fatalf("%v: reason %+v, want %s", err, got, c.reason)
			}
			if text := err.Error(); !strings.HasPrefix(text, "Kafka cannot be reached at "+c.addr) || !strings.Contains(text, c.says) {
				t.Errorf("%q, want the address and %q", text, c.says)
			}
		})
	}
}

// Errors of brokers that no server of the tests gives.
func TestConnectionErrorsAreClassified(t *testing.T) {
	login := Remote{Mechanism: "PLAIN", User: "ops", Addrs: []string{"k:1"}}
	for _, c := range []struct {
		err    error
		remote Remote
		want   ConnectReason
	}{
		{kerr.UnsupportedSaslMechanism, login, WrongMechanism},
		{kerr.IllegalSaslState, login, LoginNotSpoken},
		{kerr.SaslAuthenticationFailed, login, WrongLogin},
		{io.EOF, login, WrongLogin},
		{io.EOF, Remote{}, Closed},
		{context.DeadlineExceeded, Remote{}, NoAnswer},
		{x509.HostnameError{Certificate: &x509.Certificate{}, Host: "k"}, Remote{TLS: true}, WrongCertificate},
		{tls.AlertError(116), Remote{TLS: true}, CertificateWanted},
	} {
		if got := connectReason(c.err, c.remote); got != c.want {
			t.Errorf("%v: %s, want %s", c.err, got, c.want)
		}
		explained := Config{Remote: c.remote}.ExplainError(c.err)
		if text := explained.Error(); !strings.HasPrefix(text, "Kafka cannot be reached") || !errors.Is(explained, c.err) {
			t.Errorf("%v is explained as %q", c.err, text)
		}
	}
	for _, err := range []error{nil, kerr.TopicAuthorizationFailed, errors.New("x")} {
		if got := (Config{}).ExplainError(err); got != err {
			t.Errorf("%v became %v: it is no failure of a connection", err, got)
		}
	}
}
