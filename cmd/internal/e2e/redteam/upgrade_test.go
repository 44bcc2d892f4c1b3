package redteam

import (
	"strings"
	"testing"

	"flyball/cmd/internal/realparts"
)

// upgrades are the gateways whose files pass WebSockets on.
var upgrades = map[string]bool{"caddy": true, "haproxy": true, "traefik": true}

// A service that changes to HTTP/2 in the clear takes every further request of the connection past the gateway and the check.
func TestUpgradeTakesRequestsPastTheCheck(t *testing.T) {
	p := newPoint(t)
	for _, name := range gateways() {
		service := newRawService(t)
		g := realparts.StartGateway(t, name, files, service.Addr().String(), p.config.Check.Listen, p.config.Check.GRPC)
		// ask returns what the service got of a request with these headers, in lower case.
		ask := func(headers string) string {
			before := len(service.text())
			_, _, _, _ = exchange(strings.TrimPrefix(g.URL, "http://"), "", "GET /v1/orders/7 HTTP/1.1\r\nHost: shop.example\r\nX-Login: bot\r\n"+
				"X-Consumer: bot\r\nUser-Agent: upgrade\r\n"+headers+"\r\n\r\n", "GET")
			return strings.ToLower(service.text()[before:])
		}
		for _, headers := range []string{
			"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
			"Connection: Upgrade\r\nUpgrade: h2c", "Upgrade: h2c", "Connection: Upgrade\r\nUpgrade: websocket, h2c",
			"Connection: upgrade\r\nUpgrade: websocket\r\nUpgrade: H2C", "Connection: upgrade\r\nUpgrade: h2c\r\nUpgrade: websocket",
			"Connection: Upgrade\r\nUpgrade:\th2c ", "Connection: Upgrade\r\nUpgrade: websocketh2c", "Connection: Upgrade\r\nUpgrade: TLS/1.2",
			"Connection: Upgrade\r\nUpgrade: HTTP/2.0", "Connection: Upgrade\r\nUpgrade: foo",
		} {
			for line := range strings.SplitSeq(ask(headers), "\r\n") {
				field, value, _ := strings.Cut(line, ":")
				if field == "upgrade" && strings.TrimSpace(value) != "websocket" {
					t.Errorf("%s, %q: the service is asked to speak another protocol: %q", name, headers, line)
				}
			}
		}
		got := ask("Connection: Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")
		if upgrades[name] && !strings.Contains(got, "\r\nupgrade: websocket\r\n") {
			t.Errorf("%s: the request for a WebSocket is not one: %q", name, got)
		}
	}
}
