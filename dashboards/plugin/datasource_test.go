package plugin

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// made returns the instance of settings; secure are pairs of a name and a value.
func made(t *testing.T, settings string, secure ...string) *Datasource {
	t.Helper()
	in := backend.DataSourceInstanceSettings{Name: "prod", JSONData: []byte(settings), DecryptedSecureJSONData: map[string]string{}}
	for i := 0; i+1 < len(secure); i += 2 {
		in.DecryptedSecureJSONData[secure[i]] = secure[i+1]
	}
	d, err := New(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.(*Datasource).Dispose)
	return d.(*Datasource)
}

// Settings that cannot work are named by the health check, with what to do, and by every panel.
func TestWrongSettingsAreOnlyAnErrorInThePlugin(t *testing.T) {
	for settings, want := range map[string]string{
		`{"addr":`:                                     "jsonData",
		`{"addr":"no-port"}`:                           "addr: \"no-port\" is not host:port",
		`{"addr":""}`:                                  "addr",
		`{"addr":"http://db.example"}`:                 "addr: it begins with http://, and must be host:port: write db.example:8123",
		`{"addr":"https://db.example:9000/"}`:          "write db.example:9000 and set tls",
		`{"addr":"http://kim:hunter2@db.example"}`:     "write db.example:8123",
		`{"database":""}`:                              "database: empty",
		`{"password":"hunter2"}`:                       "password: it is in jsonData, which every user can read",
		`{"controlToken":"hunter2"}`:                   "controlToken: it is in jsonData",
		`{"controlUrl":"flyball:7171"}`:                "controlUrl: it must be http:// or https://",
		`{"controlUrl":"https://kim:hunter2@flyball"}`: "controlUrl: a user or password is in it",
		`{"controlUrl":"http://flyball.example"}`:      "sends the token in clear text to flyball.example",
		`{"roles":{"Owner":"see"}}`:                    `roles: "Owner" is none of Viewer, Editor, Admin`,
		`{"roles":{"Viewer":"all"}}`:                   `roles.Viewer: "all" is none of none, see, respond, bypass`,
		`{"tls":true,"tlsSkipVerify":true}`:            "tlsSkipVerify, caCert",
		`{"tls":true}`:                                 "caCert: no certificate in it",
	} {
		ca := ""
		if strings.Contains(settings, "tls") {
			ca = "no PEM"
		}
		d := made(t, settings, "controlToken", "long-enough-for-a-token", "caCert", ca)
		health, err := d.CheckHealth(t.Context(), nil)
		if err != nil || health.Status != backend.HealthStatusError || !strings.Contains(health.Message, "settings of data source prod: ") ||
			!strings.Contains(health.Message, want) || strings.Contains(health.Message, "hunter2") {
			t.Errorf("%s: %+v %v, want %q", settings, health, err, want)
		}
		resp, err := d.QueryData(t.Context(), &backend.QueryDataRequest{Queries: []backend.DataQuery{{RefID: "A", JSON: []byte(`{}`)}}})
		if err != nil || resp.Responses["A"].Error == nil || resp.Responses["A"].Error.Error() != health.Message {
			t.Errorf("%s: a panel says %+v %v", settings, resp, err)
		}
	}
}

// A data source with a database that is not reachable, or has no tables, reports this and is
// not healthy.
func TestHealthOfADatabaseThatDoesNotAnswer(t *testing.T) {
	exception := func(code, text string) *Datasource {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-ClickHouse-Exception-Code", code)
			http.Error(w, "Code: "+code+". DB::Exception: "+text, http.StatusForbidden)
		}))
		t.Cleanup(s.Close)
		return datasourceAt(t, strings.TrimPrefix(s.URL, "http://"))
	}
	for want, d := range map[string]*Datasource{
		"start flyball up or ClickHouse, or correct addr": datasourceAt(t, "127.0.0.1:1"),
		"run flyball migrate":                             refusingServer(t),
		"correct user and password":                       exception("516", "Authentication failed"),
		"grant it SELECT on Flyball's database":           exception("497", "Not enough privileges"),
		"correct database":                                exception("81", "Database x does not exist"),
	} {
		got, err := d.CheckHealth(t.Context(), nil)
		if err != nil || got.Status != backend.HealthStatusError || !strings.Contains(got.Message, "do not answer") ||
			!strings.Contains(got.Message, want) || strings.Contains(got.Message, "clickhouse.") {
			t.Errorf("%s: %+v, %v", want, got, err)
		}
	}
}

func TestCertificateOfAnOwnAuthorityIsRefused(t *testing.T) {
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-ClickHouse-Exception-Code", "60")
		http.Error(w, "Code: 60. DB::Exception: Table flyball.calls does not exist", http.StatusNotFound)
	}))
	t.Cleanup(s.Close)
	addr := strings.TrimPrefix(s.URL, "https://")
	authority := pemOf(s.Certificate())
	for name, tc := range map[string]struct{ settings, ca, want string }{
		"without TLS":    {`{"addr":"` + addr + `"}`, "", "the port uses TLS: set tls"},
		"unknown":        {`{"tls":true,"addr":"` + addr + `"}`, "", "caCert"},
		"given":          {`{"tls":true,"addr":"` + addr + `"}`, authority, "run flyball migrate"},
		"not verified":   {`{"tls":true,"tlsSkipVerify":true,"addr":"` + addr + `"}`, "", "run flyball migrate"},
		"of a plain one": {`{"tls":true,"addr":"` + strings.TrimPrefix(plainServer(t), "http://") + `"}`, "", "clear tls"},
	} {
		got, err := made(t, tc.settings, "caCert", tc.ca).CheckHealth(t.Context(), nil)
		if err != nil || !strings.Contains(got.Message, tc.want) {
			t.Errorf("%s: %+v %v, want %q", name, got, err, tc.want)
		}
	}
}

// A certificate that is refused is named with what to do about it, that of the database and that of the control API.
func TestRefusedCertificateDoesNotSayWhy(t *testing.T) {
	now := time.Now()
	signed := func(from, until time.Time, name string) (addr, authority string) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: from, NotAfter: until, IsCA: true, BasicConstraintsValid: true}
		if ip := net.ParseIP(name); ip != nil {
			c.IPAddresses = []net.IP{ip}
		} else {
			c.DNSNames = []string{name}
		}
		der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		s := httptest.NewUnstartedServer(http.NotFoundHandler())
		s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
		s.Config.ErrorLog = log.New(io.Discard, "", 0)
		s.StartTLS()
		t.Cleanup(s.Close)
		return s.Listener.Addr().String(), string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	}
	expired, ofExpired := signed(now.Add(-48*time.Hour), now.Add(-time.Hour), "127.0.0.1")
	early, ofEarly := signed(now.Add(time.Hour), now.Add(48*time.Hour), "127.0.0.1")
	named, ofNamed := signed(now.Add(-time.Hour), now.Add(time.Hour), "flyball.example")
	unknown, _ := signed(now.Add(-time.Hour), now.Add(time.Hour), "127.0.0.1")
	plain := strings.TrimPrefix(plainServer(t), "http://")
	for name, tc := range map[string]struct{ scheme, addr, ca, want string }{
		"expired":           {"https", expired, ofExpired, "its certificate has expired"},
		"of tomorrow":       {"https", early, ofEarly, "is not valid yet"},
		"of another name":   {"https", named, ofNamed, "its certificate is for another name"},
		"unknown authority": {"https", unknown, "", "put the certificate of that authority into caCert"},
		"no TLS there":      {"https", plain, "", "the port does not use TLS"},
		"TLS there":         {"http", unknown, "", "the port uses TLS"},
	} {
		settings, err := json.Marshal(map[string]any{"addr": tc.addr, "tls": tc.scheme == "https", "controlUrl": tc.scheme + "://" + tc.addr})
		if err != nil {
			t.Fatal(err)
		}
		got, err := made(t, string(settings), "caCert", tc.ca, "controlToken", "long-enough-for-a-token").CheckHealth(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		database, actions, _ := strings.Cut(got.Message, "Actions do not work: ")
		if got.Status != backend.HealthStatusError || !strings.Contains(database, tc.want) || !strings.Contains(actions, tc.want) ||
			strings.Contains(actions, "start flyball up") {
			t.Errorf("%s: %+v, want %q of both", name, got, tc.want)
		}
	}
}

func pemOf(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

func plainServer(t *testing.T) string {
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	return s.URL
}

func TestUserWhoMaySeeNothingReadsPanels(t *testing.T) {
	for settings, refused := range map[string]map[string]bool{
		`{"addr":"127.0.0.1:1","roles":{"Viewer":"none"}}`: {"Viewer": true, "": true, "Other": true, "Editor": false},
		`{"addr":"127.0.0.1:1"}`:                           {"Viewer": false, "": false, "Other": false, "Editor": false},
	} {
		d := made(t, settings)
		for role, want := range refused {
			resp, err := d.QueryData(t.Context(), &backend.QueryDataRequest{PluginContext: backend.PluginContext{User: &backend.User{Role: role}},
				Queries: []backend.DataQuery{{RefID: "A", JSON: []byte(`{"queryType":"runs"}`)}}})
			if err != nil || (resp.Responses["A"].Status == backend.StatusForbidden) != want {
				t.Errorf("%s: %q: %+v %v", settings, role, resp, err)
			}
		}
	}
}
