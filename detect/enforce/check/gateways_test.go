package check

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"

	"flyball/schema"
)

// With an empty check token every client that could connect to the listener counted as a gateway.
func TestNobodyFromAnotherMachineIsAGatewayWithoutATokenOrACertificate(t *testing.T) {
	remote, local := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 7), Port: 7172}, &net.TCPAddr{IP: net.IPv6loopback, Port: 7172}
	verified := tls.ConnectionState{VerifiedChains: [][]*x509.Certificate{{}}}
	for name, c := range map[string]struct {
		configured, shown string
		local             net.Addr
		tls               *tls.ConnectionState
		want              bool
	}{
		"no token, other machine":                     {"", "", remote, nil, false},
		"no token, other machine shows an empty one":  {"", "Bearer ", remote, nil, false},
		"no token, other machine, no certificate":     {"", "", remote, &tls.ConnectionState{}, false},
		"no token, other machine, certificate":        {"", "", remote, &verified, true},
		"no token, this machine":                      {"", "", local, nil, true},
		"token, other machine shows it":               {"0123456789abcdef", "Bearer 0123456789abcdef", remote, nil, true},
		"token, other machine shows another":          {"0123456789abcdef", "Bearer 0123456789abcdee", remote, nil, false},
		"token, this machine does not show it":        {"0123456789abcdef", "", local, nil, false},
		"token, certificate but the token is missing": {"0123456789abcdef", "", remote, &verified, false},
	} {
		t.Run(name, func(t *testing.T) {
			ctl := &Checker{o: Options{Token: schema.Secret(c.configured)}}
			r := httptest.NewRequest("GET", "/check", nil).WithContext(context.WithValue(t.Context(), http.LocalAddrContextKey, c.local))
			r.TLS = c.tls
			if got := ctl.o.isGateway("", c.shown, isTrustedHTTP(r)); got != c.want {
				t.Errorf("over HTTP: %t", got)
			}
			p := &peer.Peer{LocalAddr: c.local}
			if c.tls != nil {
				p.AuthInfo = credentials.TLSInfo{State: *c.tls}
			}
			if got := ctl.o.isGateway("", c.shown, isTrustedRPC(peer.NewContext(t.Context(), p))); got != c.want {
				t.Errorf("over gRPC: %t", got)
			}
		})
	}
}
