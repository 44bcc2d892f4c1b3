package check

import (
	"context"
	"crypto/subtle"
	"net"
	"net/http"
	"strings"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// isGateway reports whether a request is from a gateway: it has the configured token or, if
// none is configured, its connection is trusted. A configuration that opens the check to
// other machines without a token or certificates is refused at the start; this check is a
// second protection.
func (o *Options) isGateway(token, authorization string, trusted bool) bool {
	if o.Token == "" {
		return trusted
	}
	if token == "" {
		token = strings.TrimPrefix(authorization, "Bearer ")
	}
	now := o.Token
	if o.TokenNow != nil {
		now = o.TokenNow()
	}
	return now != "" && subtle.ConstantTimeCompare([]byte(token), []byte(now)) == 1
}

// isTrustedHTTP reports whether a request arrived on loopback, or has a certificate of the
// configured authority. A request without a listener comes from this process.
func isTrustedHTTP(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return !ok || onLoopback(local) || r.TLS != nil && len(r.TLS.VerifiedChains) > 0
}

func onLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return !ok || tcp.IP.IsLoopback()
}

// isTrustedRPC reports the same as isTrustedHTTP, for a gRPC call.
func isTrustedRPC(ctx context.Context) bool {
	p, ok := peer.FromContext(ctx)
	if !ok || p.LocalAddr == nil || onLoopback(p.LocalAddr) {
		return true
	}
	t, ok := p.AuthInfo.(credentials.TLSInfo)
	return ok && len(t.State.VerifiedChains) > 0
}
