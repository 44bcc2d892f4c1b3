package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// Remote describes how a process connects to Kafka. It is for errors; it holds no secret.
type Remote struct {
	Addrs     []string // host:port
	TLS       bool
	Mechanism string // of SASL; empty: no login
	User      string
	// Embedded: the broker is the one of `flyball up`.
	Embedded bool
}

// String names the brokers and how they are connected to.
func (r Remote) String() string {
	how := []string{}
	if r.Mechanism != "" {
		how = append(how, fmt.Sprintf("SASL %s as user %s", r.Mechanism, r.User))
	}
	if r.TLS {
		how = append(how, "TLS")
	}
	text := strings.Join(r.Addrs, ", ")
	if len(how) > 0 {
		text += " (" + strings.Join(how, ", ") + ")"
	}
	return text
}

// ConnectReason is why a connection to Kafka fails.
type ConnectReason string

// Reasons of a failed connection.
const (
	NoBroker          ConnectReason = "no_broker"          // nothing listens there
	UnknownHost       ConnectReason = "unknown_host"       // the name cannot be resolved
	NoAnswer          ConnectReason = "no_answer"          // connected, but no answer in time
	TLSNotSpoken      ConnectReason = "tls_not_spoken"     // TLS is configured, and the listener does not use it
	TLSRequired       ConnectReason = "tls_required"       // the listener uses TLS, and none is configured
	UnknownAuthority  ConnectReason = "unknown_authority"  // the certificate is signed by an authority that is not trusted
	WrongCertificate  ConnectReason = "wrong_certificate"  // expired, or for another name
	CertificateWanted ConnectReason = "certificate_wanted" // the broker wants a certificate of the client
	LoginRequired     ConnectReason = "login_required"     // the listener probably uses SASL, and none is configured
	LoginNotSpoken    ConnectReason = "login_not_spoken"   // SASL is configured, and the listener does not use it
	WrongMechanism    ConnectReason = "wrong_mechanism"
	WrongLogin        ConnectReason = "wrong_login" // user or password
	Closed            ConnectReason = "closed"      // the broker closed the connection
)

// ConnectError is the failure of a connection to Kafka, with what to do about it.
type ConnectError struct {
	Remote Remote
	Reason ConnectReason
	Cause  error
}

func (e *ConnectError) Error() string {
	r, what := e.Remote, ""
	switch e.Reason {
	case NoBroker:
		what = "no broker listens there: start it, or correct kafka.brokers"
		if r.Embedded {
			what = "nothing listens there: start flyball up, or name an outside broker in kafka.brokers"
		}
	case UnknownHost:
		what = "the name cannot be resolved: correct kafka.brokers"
	case NoAnswer:
		what = "nothing answers in time: the broker hangs, or another service listens there; look whether kafka.brokers is right"
		if r.TLS {
			what = "nothing answers in time: the broker hangs, or its listener does not use TLS; then remove kafka.tls"
		}
	case TLSNotSpoken:
		what = "the listener does not use TLS, kafka.tls is set: remove kafka.tls, or name the TLS listener in kafka.brokers"
	case TLSRequired:
		what = "the listener uses TLS, kafka.tls is not set: set kafka.tls.ca to the certificate of its authority, " +
			"or name the plain text listener in kafka.brokers"
	case UnknownAuthority:
		what = "the broker's certificate is signed by an unknown authority: set kafka.tls.ca to the certificate of that authority"
	case WrongCertificate:
		what = "the broker's certificate is not valid: use the name in the certificate in kafka.brokers, or renew the certificate"
	case CertificateWanted:
		what = "the broker wants a certificate: set kafka.tls.cert and kafka.tls.key to one that it accepts"
	case LoginRequired:
		what = "the broker closed the connection before the first answer: the listener probably wants a login, set kafka.sasl"
		if !r.TLS {
			what += "; or it uses TLS, set kafka.tls.ca"
		}
	case LoginNotSpoken:
		what = "the listener has no login, kafka.sasl is set: remove kafka.sasl, or name the SASL listener in kafka.brokers"
	case WrongMechanism:
		what = "the listener does not offer this mechanism: change kafka.sasl.mechanism"
	case WrongLogin:
		what = "the login was refused: correct kafka.sasl.user, or the password in kafka.sasl.password_file"
		if r.Embedded {
			what = "the login was refused: run this with the same --data as flyball up, which holds the password"
		}
	default:
		what = "the broker closed the connection: look into its log, and whether it wants TLS (kafka.tls) or a login (kafka.sasl)"
	}
	return fmt.Sprintf("Kafka cannot be reached at %s: %s", r, what)
}

func (e *ConnectError) Unwrap() error { return e.Cause }

// connectTimeout bounds CheckConnection, and dialTimeout one connection with its TLS handshake.
const (
	connectTimeout = 6 * time.Second
	dialTimeout    = 3 * time.Second
)

// CheckConnection returns nil if a broker answers, otherwise a *ConnectError, within six seconds.
func (c Config) CheckConnection(ctx context.Context) error {
	quiet := Config{Options: c.Options}
	client, err := quiet.NewClient("connect", kgo.RequestRetries(0), kgo.DialTimeout(dialTimeout))
	if err != nil {
		return err
	}
	defer client.Close()
	bounded, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	err = client.Ping(bounded)
	if err == nil || ctx.Err() != nil {
		return err
	}
	return &ConnectError{Remote: c.Remote, Reason: connectReason(err, c.Remote), Cause: err}
}

// ExplainError returns err as a *ConnectError if it is the failure of a connection to Kafka, and
// unchanged otherwise.
func (c Config) ExplainError(err error) error {
	var explained *ConnectError
	if err == nil || errors.As(err, &explained) || !isConnectionFailure(err) {
		return err
	}
	return &ConnectError{Remote: c.Remote, Reason: connectReason(err, c.Remote), Cause: err}
}

// isConnectionFailure reports whether an error is one of the connection and not an answer to a request.
func isConnectionFailure(err error) bool {
	var first *kgo.ErrFirstReadEOF
	return errors.Is(err, context.DeadlineExceeded) || errors.As(err, &first) || errors.Is(err, io.EOF) || IsUnreachable(err) ||
		isTLSFailure(err) || slices.ContainsFunc(loginErrors, func(e error) bool { return errors.Is(err, e) })
}

var loginErrors = []error{kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState}

func isTLSFailure(err error) bool { return tlsReason(err) != "" }

// tlsReason returns why TLS failed; empty if the error is not one of TLS.
func tlsReason(err error) ConnectReason {
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	var header tls.RecordHeaderError
	var alert tls.AlertError
	text := err.Error()
	switch {
	case errors.As(err, &authority):
		return UnknownAuthority
	case errors.As(err, &name), errors.As(err, &invalid):
		return WrongCertificate
	case errors.As(err, &header):
		return TLSNotSpoken
	case errors.As(err, &alert), strings.Contains(text, "remote error: tls:"):
		return CertificateWanted
	case strings.Contains(text, "tls alert record"): // text of kgo, which has no type for it
		return TLSRequired
	}
	return ""
}

// connectReason classifies the failure of a connection.
func connectReason(err error, r Remote) ConnectReason {
	var first *kgo.ErrFirstReadEOF
	var dns *net.DNSError
	if reason := tlsReason(err); reason != "" {
		return reason
	}
	switch {
	case errors.Is(err, kerr.SaslAuthenticationFailed):
		return WrongLogin
	case errors.Is(err, kerr.UnsupportedSaslMechanism):
		return WrongMechanism
	case errors.Is(err, kerr.IllegalSaslState):
		return LoginNotSpoken
	case errors.As(err, &dns):
		return UnknownHost
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return NoBroker
	case errors.As(err, &first) && r.TLS && strings.Contains(first.Error(), "TLS"):
		return TLSNotSpoken
	case errors.As(err, &first) && r.Mechanism == "":
		return LoginRequired
	case (r.Mechanism != "" || r.Embedded) && !errors.As(err, &first) && isClosed(err): // some brokers refuse a login by closing
		return WrongLogin
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return NoAnswer
	}
	return Closed
}

func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}
