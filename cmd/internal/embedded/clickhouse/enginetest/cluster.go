package enginetest

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"testing"
)

// Cluster is the name of the cluster with one shard and one replica that the embedded engine is.
const Cluster = "one"

// clusterConfig makes the embedded engine a cluster. Its shard is local, so that a Distributed table reads and writes without TCP.
//
// The cluster two has two shards that are the same engine: each row is read twice. It shows which queries a cluster of several shards
// refuses, not what it answers.
const clusterConfig = "<remote_servers><" + Cluster + ">" + shard + "</" + Cluster + "><two>" + shard + shard + "</two></remote_servers>" +
	"<tcp_port>9000</tcp_port><macros><shard>1</shard><replica>1</replica></macros>"

const shard = "<shard><internal_replication>true</internal_replication><replica><host>127.0.0.1</host><port>9000</port></replica></shard>"

// What the embedded engine cannot do: it has no Keeper, so nothing is replicated and no statement is distributed by ON CLUSTER.
var (
	onCluster  = regexp.MustCompile("(?i) ON CLUSTER `?\\w+`?")
	replicated = regexp.MustCompile(`\bReplicated(\w*MergeTree)\('[^']*', '\{replica\}'(?:, )?`)
	definition = regexp.MustCompile(`(?i)^\s*(?:CREATE|ALTER|DROP|TRUNCATE|RENAME|OPTIMIZE)\s`)
	// In a cluster parts are on the shards. A test that merges or drops parts means those.
	merge = regexp.MustCompile("(?i)^(\\s*(?:OPTIMIZE|TRUNCATE)\\s+TABLE\\s+\\S+?)(`?)(\\s|$)")
)

// StartCluster returns the HTTP interface of Start as that of a cluster of one shard and one replica: Distributed tables, their inserts and
// queries are the engine's. ON CLUSTER and Replicated are removed from definitions.
func StartCluster(t testing.TB) (addr string) {
	t.Helper()
	target := &url.URL{Scheme: "http", Host: Start(t)}
	transport := &http.Transport{}
	proxy := &httputil.ReverseProxy{Transport: transport, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(target) }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		statement, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if definition.Match(statement) {
			statement = onShard(statement)
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(statement)), int64(len(statement))
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.Close()
		transport.CloseIdleConnections()
	})
	return server.Listener.Addr().String()
}

// onShard returns the definition that the only shard gets.
func onShard(statement []byte) []byte {
	statement = onCluster.ReplaceAll(statement, nil)
	statement = merge.ReplaceAll(statement, []byte("${1}_local${2}${3}"))
	return replicated.ReplaceAll(statement, []byte("$1("))
}
