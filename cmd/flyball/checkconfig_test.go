package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const shopAPI = `openapi: 3.0.0
info: {title: shop, version: "1"}
paths:
  /orders: {get: {responses: {"200": {description: ok}}}, post: {responses: {"200": {description: ok}}}}
  /orders/{id}: {delete: {responses: {"200": {description: ok}}}}
`

// configFolder is a folder with the files that the configurations of these tests name. The working
// directory is another one.
func configFolder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cert, key := selfSigned(t)
	_, otherKey := selfSigned(t)
	raw := make([]byte, 32)
	for i := range raw {
		raw[i] = byte(200 + i)
	}
	for name, text := range map[string]string{
		"password": "a long password\n", "empty": "", "blank": " \n\t", "short": "0123456789", "raw.key": string(raw),
		"good.key": strings.Repeat("0123456789abcdef", 4) + "\n", "few.key": "0123456789",
		"one.token": "fly_one_0123456789abcdef", "two.token": "fly_two_0123456789abcdef\n",
		"hash.token": "sha256:" + strings.Repeat("ab", 32),
		"bad.hash":   "sha256:abcd", "check.token": "gateway_0123456789abcdef",
		"cert.pem": cert, "key.pem": key, "other.pem": otherKey, "shop.yaml": shopAPI, "broken.yaml": "openapi: [",
		"not-openapi.yaml": "a: 1",
		"hook":             "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", "mapping.yaml": "name: [",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

// refusedConfigs are configurations that no start accepts, by what is wrong, with text of the error.
var refusedConfigs = map[string]struct{ text, want string }{
	"an OpenAPI document that is not there": {"routes: [{openapi: nosuch.yaml}]", "routes[0].openapi: open"},
	"an OpenAPI document that is broken":    {"routes: [{openapi: broken.yaml}]", "routes[0].openapi: "},
	"a document that is not OpenAPI":        {"routes: [{openapi: not-openapi.yaml}]", "routes[0].openapi: "},
	"SASL mechanism PLAINN": {sasl("PLAINN"),
		`kafka.sasl.mechanism: "PLAINN" is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512`},
	"SASL mechanism OAUTHBEARER": {sasl("OAUTHBEARER"), `kafka.sasl.mechanism: "OAUTHBEARER" is none of`},
	"SASL mechanism GSSAPI":      {sasl("GSSAPI"), `kafka.sasl.mechanism: "GSSAPI" is none of`},
	"SASL mechanism AWS_MSK_IAM": {sasl("AWS_MSK_IAM"), `kafka.sasl.mechanism: "AWS_MSK_IAM" is none of`},
	"SASL without a password file": {"kafka: {brokers: ['k:1'], sasl: {mechanism: PLAIN, user: u}}",
		"kafka.sasl.password_file: empty"},
	"SASL without a user": {"kafka: {brokers: ['k:1'], sasl: {mechanism: PLAIN, password_file: password}}",
		"kafka.sasl.user: empty"},
	"SASL without a mechanism": {"kafka: {brokers: ['k:1'], sasl: {user: u, password_file: password}}",
		"kafka.sasl.mechanism: empty"},
	"SASL with an empty password file": {"kafka: {brokers: ['k:1'], sasl: {mechanism: PLAIN, user: u, password_file: " +
		"blank}}", "kafka.sasl.password_file: "},
	"a key of 32 raw bytes":   {"secret_key_file: raw.key", "openssl rand -hex 32"},
	"a key that is too short": {"secret_key_file: few.key", "secret_key_file: "},
	"two agents with one consumer": {"agents: [{id: a, consumer: c}, {id: b, consumer: c}]",
		`agents[0].consumer and agents[1].consumer are both "c"`},
	"two agents with one credential": {"agents: [{id: a, credential: c}, {id: b, credential: c}]",
		"agents[0].credential and agents[1].credential"},
	"two agents with one SPIFFE id": {"agents: [{id: a, spiffe: c}, {id: b, spiffe: c}]",
		"agents[0].spiffe and agents[1].spiffe"},
	"an agent without an id":              {"agents: [{consumer: c}]", "agents[0].id: empty"},
	"an armed family that does not exist": {"detect: {armed: ['family:nosuch']}", `detect.armed[0]: "nosuch" matches no family`},
	"an empty armed pattern":              {"detect: {armed: ['']}", "detect.armed[0]"},
	"a policy for a family that does not exist": {"detect: {policy: [{family: runway.loop, action: gate}]}",
		`detect.policy[0].family: "runway.loop" matches no family`},
	"a ClickHouse address with a scheme": {"clickhouse: {addr: ['https://ch1:8443']}",
		`clickhouse.addr[0]: "https://ch1:8443" has a scheme (https://); write ch1:8443, and set clickhouse.tls`},
	"a ClickHouse address without a port":         {"clickhouse: {addr: [ch1]}", `clickhouse.addr[0]: "ch1" is not host:port`},
	"a ClickHouse address with a word for a port": {"clickhouse: {addr: ['ch1:http']}", "clickhouse.addr[0]"},
	"a broker with a scheme": {"kafka: {brokers: ['kafka://k:9092']}",
		`kafka.brokers[0]: "kafka://k:9092" has a scheme`},
	"a broker without a port":                   {"kafka: {brokers: [k]}", `kafka.brokers[0]: "k" is not host:port`},
	"an engine off loopback without a password": {"clickhouse: {listen: '0.0.0.0:8123'}", "clickhouse.listen 0.0.0.0:8123"},
	"a password without a user": {"clickhouse: {password_file: password}",
		"clickhouse.password_file is set and clickhouse.user is empty"},
	"a database that needs quotes": {"clickhouse: {database: 'a;b'}", "clickhouse.database"},
	"a control token of 10 characters": {"control: {tokens: [{name: a, role: admin, value_file: short}]}",
		"at least 20 characters"},
	"a control token file that is empty": {"control: {tokens: [{name: a, role: admin, value_file: empty}]}",
		"control.tokens[0].value_file: "},
	"a hash that is none": {"control: {tokens: [{name: a, role: admin, value_file: bad.hash}]}",
		"64 hexadecimal digits"},
	"a control token without a file": {"control: {tokens: [{name: a, role: admin}]}", "control.tokens[0]."},
	"a role that does not exist": {"control: {tokens: [{name: a, role: root, value_file: one.token}]}",
		`control.tokens[0].role: "root"`},
	"two names that are one": {"control: {tokens: [{name: a, role: admin, value_file: one.token}, {name: a, role: admin, " +
		"value_file: two.token}]}",
		"control.tokens[1].name"},
	"one token for two roles": {"control: {tokens: [{name: a, role: viewer, value_file: one.token}, {name: b, role: admin, " +
		"value_file: one.token}]}",
		"control.tokens[0].value_file and control.tokens[1].value_file"},
	"a secret of a client that is empty": {"control: {oidc: {issuer: 'https://id.example', client_id: c, roles: {soc: viewer}, " +
		"client_secret_file: empty}}", "control.oidc.client_secret_file: "},
	"an authority of an issuer that is none": {"control: {oidc: {issuer: 'https://id.example', client_id: c, roles: {soc: viewer}, " +
		"tls: {ca: password}}}", "control.oidc.tls.ca"},
	"a role of an issuer that does not exist": {"control: {oidc: {issuer: 'https://id.example', client_id: c, roles: {soc: root}}}",
		`control.oidc.roles["soc"]: "root" is none of`},
	"the hash of a token for gateways":    {"check: {token_file: hash.token}", "check.token_file: "},
	"a gateway's token that is too short": {"check: {token_file: short}", "check.token_file: "},
	"a certificate without a key": {"control: {tls: {cert: cert.pem}}",
		"control.tls.cert is set and control.tls.key is empty"},
	"a key without a certificate":          {"check: {tls: {key: key.pem}}", "check.tls.key is set and check.tls.cert is empty"},
	"authorities without a certificate":    {"control: {tls: {ca: cert.pem}}", "control.tls.ca is set and control.tls.cert is empty"},
	"a certificate and the key of another": {"control: {tls: {cert: cert.pem, key: other.pem}}", "control.tls.cert, control.tls.key"},
	"a client's certificate and another's key": {"kafka: {brokers: ['k:1'], tls: {cert: cert.pem, key: other.pem}}",
		"kafka.tls.cert, kafka.tls.key"},
	"an authority that is none":    {"clickhouse: {addr: ['c:1'], tls: {ca: password}}", "clickhouse.tls.ca"},
	"a mapping that is broken":     {"mappings: [mapping.yaml]", "mappings[0]"},
	"a mapping that is not there":  {"mappings: [nosuch.yaml]", "mappings[0]"},
	"a format that does not exist": {"kafka: {inputs: [{topic: a, format: xml}]}", "kafka.inputs[0].format"},
	"a time zone that does not exist": {"kafka: {inputs: [{topic: a, format: auto, timezone: Mars}]}",
		"kafka.inputs[0].timezone"},
	"a topic that Kafka cannot have": {"kafka: {inputs: [{topic: 'a b', format: auto}]}", "kafka.inputs[0].topic"},
	"a topic that is read twice": {"kafka: {inputs: [{topic: a, format: auto}, {topic: a, format: auto}]}",
		"is read twice"},
	"a listener that two roles share": {"check: {listen: '127.0.0.1:7171'}", "check.listen and control.listen are both"},
	"a listener on every address and another": {"check: {listen: '0.0.0.0:7171', token_file: check.token}",
		"check.listen and control.listen are 0.0.0.0:7171 and 127.0.0.1:7171"},
	"a listener on localhost and another": {"check: {listen: 'localhost:7171'}", "check.listen and control.listen are localhost:7171"},
	"an embedded engine with TLS":         {"clickhouse: {tls: {ca: cert.pem}}", "clickhouse.tls is set and clickhouse.addr is empty"},
	"a port that does not exist":          {"control: {listen: '127.0.0.1:99999'}", "control.listen"},
	"0 partitions":                        {"kafka: {partitions: 0}", "kafka.partitions: 0"},
	"-1 partitions":                       {"kafka: {partitions: -1}", "kafka.partitions: -1"},
	"a gap of no time":                    {"detect: {session_gap: 0s}", "detect.session_gap"},
	"a gap of a year":                     {"detect: {run_gap: 8760h}", "detect.run_gap"},
	"a negative lateness":                 {"detect: {lateness: -1s}", "detect.lateness"},
	"a learner that never rests":          {"learn: {every: 10ns}", "learn.every"},
	"a quarantine longer than the window": {"learn: {quarantine: 48h, window: 24h}",
		"learn.quarantine is 48h0m0s and learn.window is 24h0m0s"},
	"a receiver without a secret": {"alerts: {receivers: [{name: r, webhook: {url: 'http://h/'}}]}",
		"alerts.receivers[0].webhook.secret_file"},
	"a receiver with a secret that is none": {"alerts: {receivers: [{name: r, webhook: {url: 'http://h/', secret_file: short}}]}",
		"receiver r"},
	"a receiver that a route invents": {"alerts: {routes: [{receivers: [x]}]}", "alerts.routes[0].receivers"},
	"a link without a host":           {"control: {public_url: 'https://'}", "control.public_url"},
	"a data folder that is a file":    {"data: FOLDER/password", "data: "},
	"an unknown key":                  {"tenat: a", "unknown key tenat; did you mean tenant?"},
}

func sasl(mechanism string) string {
	return "kafka: {brokers: ['k:1'], sasl: {mechanism: " + mechanism + ", user: u, password_file: password}}"
}

// acceptedConfigs are configurations that a start accepts.
var acceptedConfigs = map[string]string{
	"an empty file":  "",
	"only a comment": "# nothing\n",
	"a registry": "agents: [{id: a, consumer: c, tags: [x]}, {id: a, credential: d}, {id: b, spiffe: s}]\ndetect: {armed: " +
		"['tag:x', a, 'family:runaway.*']}",
	"policy families": "detect: {armed: ['family:policy.scope', 'family:policy.task'], policy: [{family: runaway.*, action: gate}]}",
	"OpenAPI":         "routes: [{openapi: shop.yaml}, {template: /a, method: GET}]",
	"outside parts": "kafka: {brokers: ['k:1'], sasl: {mechanism: SCRAM-SHA-512, user: u, password_file: password}, tls: {ca: " +
		"cert.pem}}\nclickhouse: {addr: ['c:1'], user: u, password_file: password, tls: {ca: cert.pem, cert: cert.pem, key: key.pem}}",
	"tokens": "control: {tokens: [{name: a, role: viewer, value_file: one.token}, {name: b, role: admin, value_file: " +
		"hash.token}]}\ncheck: {token_file: check.token}",
	"OIDC": "control: {public_url: 'https://f.example/x', oidc: {issuer: 'https://id.example', client_id: c, client_secret_file: password, " +
		"tls: {ca: cert.pem}, roles: {soc: responder, 'a b': admin}, redirect_url: 'https://f.example/x/v1/sign-in'}}",
	"TLS":   "control: {tls: {cert: cert.pem, key: key.pem}}\ncheck: {tls: {ca: cert.pem, cert: cert.pem, key: key.pem}}",
	"a key": "secret_key_file: good.key",
	"receivers": "alerts: {receivers: [{name: r, webhook: {url: 'http://127.0.0.1:1/', secret_file: hook}}, {name: m, " +
		"alertmanager: {url: 'http://127.0.0.1:1/'}}, {name: t, teams: {url: 'http://127.0.0.1:1/'}}, " +
		"{name: e, email: {server: 'localhost:25', tls: none, from: a@b.example, to: [c@d.example]}}]}",
}

// What check-config called good, the start refused, or it had no effect. Each start here ends at the latest
// at the first listener, whose port is taken.
func TestCheckConfigAndTheStartAgree(t *testing.T) {
	dir := configFolder(t)
	t.Chdir(t.TempDir())
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	t.Setenv("FLYBALL_METRICS_LISTEN", taken.Addr().String())
	run := func(command, text string) (int, string) {
		t.Helper()
		file := filepath.Join(dir, "flyball.yaml")
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "FOLDER", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{command, "--config", file}
		if !strings.Contains(text, "data:") {
			args = append(args, "--data", filepath.Join(dir, "data"))
		}
		return exitOf(t, args...)
	}
	for name, c := range refusedConfigs {
		for _, command := range []string{"check-config", "up"} {
			if code, said := run(command, c.text); code != exitUsage || !strings.Contains(said, c.want) {
				t.Errorf("%s, %s: exit %d, %q; want 2 and %q", name, command, code, said, c.want)
			}
		}
	}
	for name, text := range acceptedConfigs {
		if code, said := run("check-config", text); code != exitDone {
			t.Errorf("%s, check-config: exit %d, %q", name, code, said)
		}
		if strings.Contains(text, "clickhouse: {addr") { // otherwise up fetches the engine first
			if code, said := run("up", text); code != exitFailed || !strings.Contains(said, "metrics.listen") {
				t.Errorf("%s, up: exit %d, %q", name, code, said)
			}
		}
	}
}

// A broken key or password that a former start has made was found by the start alone.
func TestBrokenFilesOfTheDataFolderAreRefused(t *testing.T) {
	for name, want := range map[string]string{"secret.key": "secret_key_file", "broker.password": "password of the embedded broker",
		"engine.password": "password of the embedded engine"} {
		data := t.TempDir()
		t.Chdir(t.TempDir())
		if err := os.WriteFile(filepath.Join(data, name), []byte("\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, command := range []string{"check-config", "up"} {
			if code, said := exitOf(t, command, "--data", data); code != exitUsage || !strings.Contains(said, want) {
				t.Errorf("%s, %s: exit %d, %q", name, command, code, said)
			}
		}
	}
}

func checkConfigOutput(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	root := newRoot()
	root.SetArgs(append([]string{"check-config"}, args...))
	root.SetOut(&out)
	root.SetErr(&errs)
	code = exitStatus(root.ExecuteContext(t.Context()), &errs)
	return code, out.String(), errs.String()
}

// The same "good" was printed for a file, and for a folder without one.
func TestCheckConfigSaysWhichFileItReadAndWhatIsInIt(t *testing.T) {
	dir := configFolder(t)
	text := acceptedConfigs["tokens"] + "\n" + acceptedConfigs["OpenAPI"] + "\n" + acceptedConfigs["receivers"] +
		"\nagents: [{id: a, consumer: c}, {id: a, credential: d}, {id: b, spiffe: s}]\ndetect: {armed: [a]}\n"
	if err := os.WriteFile(filepath.Join(dir, "other.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Chdir(t.TempDir())
	_, out, _ := checkConfigOutput(t)
	if !strings.Contains(out, "no flyball.yaml in the working directory") {
		t.Error(out)
	}
	t.Chdir(dir)
	code, out, errs := checkConfigOutput(t, "--config", "other.yaml")
	for _, want := range []string{filepath.Join(dir, "other.yaml"), "2, with 3 identifiers", "1, and 3 operations of 1 OpenAPI documents",
		"r (webhook), m (alertmanager), t (teams), e (email)", "1 viewer, 1 admin", "observe; armed: a", "a token (check.token_file)"} {
		if code != exitDone || !strings.Contains(out, want) {
			t.Errorf("exit %d, %q: no %q\n%s", code, errs, want, out)
		}
	}
	var report configReport
	_, out, _ = checkConfigOutput(t, "--config", "other.yaml", "-o", "json")
	if err := json.Unmarshal([]byte(out), &report); err != nil || !report.Good ||
		report.Contents.File != filepath.Join(dir, "other.yaml") || report.Contents.Operations != 3 || report.Contents.Tokens["admin"] != 1 {
		t.Errorf("%+v, %v", report, err)
	}
	if err := os.WriteFile("bad.yaml", []byte("tenat: a\nkafka: {partitions: x}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, _ = checkConfigOutput(t, "--config", "bad.yaml", "-o", "json")
	report = configReport{}
	if err := json.Unmarshal([]byte(out), &report); err != nil || code != exitUsage || report.Good || len(report.Problems) != 2 ||
		report.Contents != nil {
		t.Errorf("exit %d, %+v, %v", code, report, err)
	}
}

// What matches nothing has no effect, and nothing said so.
func TestCheckConfigWarnsOfWhatMatchesNothing(t *testing.T) {
	dir := configFolder(t)
	t.Chdir(dir)
	receivers := strings.TrimSuffix(acceptedConfigs["receivers"], "}") + ", routes: [{receivers: [m]}]}"
	token := "control: {tokens: [{name: a, role: admin, value_file: one.token, "
	for _, row := range [][2]string{
		{"detect: {armed: [nosuch-agent]}", `detect.armed[0]: "nosuch-agent" matches no entry of agents`},
		{"detect: {armed: [biling/bot]}\nagents: [{id: other, consumer: c}, {id: billing/bot, consumer: d}]",
			`detect.armed[0]: "biling/bot" matches no entry of agents (the nearest is billing/bot)`},
		{"detect: {armed: ['tag:nosuch']}", `detect.armed[0]: "nosuch" matches no tag of agents`},
		{"detect: {mode: armed, armed: [a]}\nagents: [{id: a, consumer: c}]", "detect.armed: detect.mode is armed"},
		{"detect: {policy: [{tag: x, action: gate}]}", `detect.policy[0].tag: "x" matches no tag`},
		{"detect: {policy: [{agent: x, action: gate}]}\nagents: [{id: a}]", `detect.policy[0].agent: "x" matches no entry`},
		{"agents: [{id: a}]", "agents[0]: a has no credential, spiffe or consumer"},
		{token + "tenants: [acme]}]}", `control.tokens[0].tenants: "a" is not of tenant default`},
		{token + "expires: 2020-01-01T00:00:00Z}]}", `control.tokens[0].expires: "a" expired at`},
		{receivers, "alerts.receivers[0]: r is in no route"},
		{"control: {oidc: {issuer: 'https://id.example', client_id: c, roles: {soc: viewer}}}",
			"control.tokens: empty: while the issuer is away"},
		{"control: {public_url: 'https://f.example', oidc: {issuer: 'https://id.example', client_id: c, roles: {soc: viewer}}}",
			"control.oidc.redirect_url: empty: links in pages ask for no sign-in"},
	} {
		text, want := row[0], row[1]
		if err := os.WriteFile("flyball.yaml", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, errs := checkConfigOutput(t)
		if code != exitDone || !strings.Contains(out, "warning: "+want) {
			t.Errorf("%s: exit %d, %q; want %q\n%s", text, code, errs, want, out)
		}
	}
	if err := os.WriteFile("flyball.yaml", []byte(acceptedConfigs["a registry"]), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, out, _ := checkConfigOutput(t); strings.Contains(out, "warning") {
		t.Errorf("a warning of what matches: %s", out)
	}
	// Kubernetes sets these for a service with the name flyball.
	t.Setenv("FLYBALL_SERVICE_HOST", "10.0.0.1")
	t.Setenv("FLYBALL_PORT_7171_TCP", "tcp://10.0.0.1:7171")
	if code, out, errs := checkConfigOutput(t); code != exitDone || !strings.Contains(out, "warning: environment: "+
		"FLYBALL_SERVICE_HOST") ||
		!strings.Contains(out, "FLYBALL_PORT_7171_TCP") {
		t.Errorf("exit %d, %q\n%s", code, errs, out)
	}
}

// A role alone needs more than up.
func TestCheckConfigForARole(t *testing.T) {
	t.Chdir(t.TempDir())
	if code, _, errs := checkConfigOutput(t, "--role", "ingest"); code != exitUsage || !strings.Contains(errs, "kafka.brokers: empty") ||
		!strings.Contains(errs, "secret_key_file: empty") {
		t.Errorf("exit %d, %q", code, errs)
	}
	if code, _, errs := checkConfigOutput(t, "--role",
		"nosuch"); code != exitUsage || !strings.Contains(errs, `--role: "nosuch" is none of up`) {
		t.Errorf("exit %d, %q", code, errs)
	}
}

func TestDecodeReadsTheFilesBesideItsConfiguration(t *testing.T) {
	dir := configFolder(t)
	for name, text := range map[string]string{"flyball.yaml": "routes: [{openapi: shop.yaml}]\nsecret_key_file: good.key\n",
		"one.json": `{"start_time":"2026-11-28T10:00:00.000Z","method":"DELETE","x-envoy-origin-path":"/orders/7","protocol":"HTTP/1.1",` +
			`"response_code":"200","duration":"1","x-request-id":"r"}` + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(t.TempDir())
	var out, errs bytes.Buffer
	root := newRoot()
	root.SetArgs([]string{"decode", "--config", filepath.Join(dir, "flyball.yaml"), filepath.Join(dir, "one.json")})
	root.SetOut(&out)
	root.SetErr(&errs)
	if err := root.ExecuteContext(t.Context()); err != nil || !strings.Contains(out.String(), "/orders/{id}") {
		t.Errorf("%v, %s, %s", err, out.String(), errs.String())
	}
}
