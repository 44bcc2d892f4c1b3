package api

import (
	"context"
	"net"
	"net/http"

	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/peer"
)

// trustedHTTP says whether a request arrived on loopback, or showed a certificate of the configured authority. A request
// that arrived by no listener comes from this process.
func trustedHTTP(r *http.Request) bool {
	local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return !ok || onLoopback(local) || r.TLS != nil && len(r.TLS.VerifiedChains) > 0
}

func onLoopback(a net.Addr) bool {
	tcp, ok := a.(*net.TCPAddr)
	return !ok || tcp.IP.IsLoopback()
}

// trustedRPC is trustedHTTP of a gRPC call.
func trustedRPC(ctx context.Context) bool {
	p, ok := peer.FromContext(ctx)
	if !ok || p.LocalAddr == nil || onLoopback(p.LocalAddr) {
		return true
	}
	t, ok := p.AuthInfo.(credentials.TLSInfo)
	return ok && len(t.State.VerifiedChains) > 0
}
