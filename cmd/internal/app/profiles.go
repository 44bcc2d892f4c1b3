package app

import (
	"net"
	"net/http"
	"net/http/pprof"
)

// profilesPath is where profiles are served if metrics.profiles is set.
const profilesPath = "/debug/pprof/"

// profiles serves the profiles of the process: heap, profile (CPU), trace and the others of
// net/http/pprof, without the command line. The listener has no authentication, and a profile
// slows the process and names what it does: only clients on this machine get an answer, wherever
// the listener listens.
func profiles() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc(profilesPath, pprof.Index)
	mux.HandleFunc(profilesPath+"profile", pprof.Profile)
	mux.HandleFunc(profilesPath+"symbol", pprof.Symbol)
	mux.HandleFunc(profilesPath+"trace", pprof.Trace)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if reason := refuseProfile(r); reason != "" {
			http.Error(w, reason, http.StatusForbidden)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// refuseProfile returns why a request gets no profile; empty: it gets one. The name of the host
// must be of this machine, too: a page in a browser can point a name of its own to 127.0.0.1.
func refuseProfile(r *http.Request) string {
	peer, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil || !isLoopback(peer) {
		return "metrics.profiles: " + r.RemoteAddr + " is not on this machine: profiles are served on loopback only " +
			"(in Kubernetes: kubectl port-forward)"
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	if !isLoopback(host) {
		return "metrics.profiles: host " + host + " is not loopback: ask 127.0.0.1 or localhost"
	}
	return ""
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}
