#!/usr/bin/env bash
# Makes ./generated: passwords, tokens, certificates, and the configuration of the other containers. What is there already stays;
# delete a file to have it made again. Needs openssl and Flyball (FLYBALL: a binary, or `docker run --rm IMAGE`).
set -euo pipefail
FLYBALL=${FLYBALL:-flyball}
if [ -x "$FLYBALL" ]; then FLYBALL=$(realpath "$FLYBALL"); fi # a path is relative to the caller's folder
cd "$(dirname "$0")"
umask 077
mkdir -p generated/log generated/datasources
cd generated

secret() { [ -e "$1" ] || openssl rand -hex 32 | tr -d '\n' > "$1"; }
# The server keeps the hash, the person (or Grafana) the token. The token goes to standard output, the hash to standard error.
token() {
  [ -e "$1_hash" ] && return
  if ! $FLYBALL token > "$1_token" 2> "$1_note"; then
    cat "$1_note" >&2
    echo "prepare.sh: FLYBALL=$FLYBALL makes no token: set it to the path of a binary, or to docker run --rm IMAGE" >&2
    exit 1
  fi
  sed -n 's/^keep in value_file: //p' "$1_note" > "$1_hash" && rm "$1_note"
}

for s in clickhouse_writer clickhouse_reader grafana_admin check_token; do secret "$s"; done
token operator
token grafana

# An authority of one's own, and the certificate of the control API.
if [ ! -e control_crt ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 -subj "/CN=Flyball authority" \
    -keyout authority_key -out authority_crt 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=flyball" -keyout control_key -out control.csr 2>/dev/null
  openssl x509 -req -in control.csr -CA authority_crt -CAkey authority_key -CAcreateserial -days 825 -out control_crt \
    -extfile <(printf 'subjectAltName=DNS:flyball,DNS:localhost,IP:127.0.0.1') 2>/dev/null
  rm -f control.csr authority_crt.srl
fi

# The writer makes the database and its tables; the reader reads it, and is what Grafana and analysts use. `health` may ask for 1.
digest() { tr -d '\n' < "$1" | sha256sum | cut -d ' ' -f 1; }
cat > clickhouse-users.xml <<X
<clickhouse>
  <profiles><flyball_reader><readonly>2</readonly></flyball_reader></profiles>
  <users>
    <default remove="remove"/>
    <flyball>
      <password_sha256_hex>$(digest clickhouse_writer)</password_sha256_hex>
      <networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota>
    </flyball>
    <reader>
      <password_sha256_hex>$(digest clickhouse_reader)</password_sha256_hex>
      <networks><ip>::/0</ip></networks><profile>flyball_reader</profile><quota>default</quota>
      <grants><query>GRANT SELECT ON flyball.*</query></grants>
    </reader>
    <health>
      <no_password/>
      <networks><ip>127.0.0.1</ip><ip>::1</ip></networks><profile>flyball_reader</profile><quota>default</quota>
      <grants><query>GRANT SELECT ON system.one</query></grants>
    </health>
  </users>
</clickhouse>
X

# Envoy's file of ../gateways, with the names of compose.yaml and the token of the check.
sed -e 's/address: 127.0.0.1, port_value: 10000/address: 0.0.0.0, port_value: 10000/' \
  -e 's/address: 127.0.0.1, port_value: 8080/address: api, port_value: 8080/' \
  -e 's/address: 127.0.0.1, port_value: 7173/address: flyball, port_value: 7173/' \
  -e 's/type: STATIC$/type: STRICT_DNS/' \
  -e "s|# initial_metadata: \[{key: x-flyball-token, value: …}\].*|initial_metadata: [{key: x-flyball-token, value: $(cat check_token)}]|" \
  ../../gateways/envoy-grpc.yaml > envoy.yaml

sed -e 's|/var/log/envoy/access.json|/var/log/gateway/access.jsonl|' -e 's|127.0.0.1:9092|kafka:9092|' \
  -e 's|/var/log/rsyslog-kafka-errors.log|/var/spool/rsyslog/errors.log|' ../../gateways/rsyslog.conf > rsyslog.conf

# Grafana reads secrets from files itself.
sed -e 's|addr: "127.0.0.1:8123"|addr: "clickhouse:8123"|' -e 's|user: default|user: reader|' -e 's|http://127.0.0.1:7171|https://flyball:7171|' \
  -e 's|# secureJsonData:|secureJsonData:|' -e 's|#   password: .*|  password: $__file{/run/secrets/clickhouse_reader}|' \
  -e 's|#   controlToken: .*|  controlToken: $__file{/run/secrets/grafana_token}|' -e 's|#   caCert: .*|  caCert: $__file{/run/secrets/authority_crt}|' \
  ../../grafana/provisioning/datasources/flyball.yaml > datasources/flyball.yaml

# Containers run as other users than you: what they read must be readable to them, and the folder is closed to other users of this machine.
find . -type f ! -name '*_key' ! -name operator_token -exec chmod 0644 {} +
chmod 0644 control_key
chmod 0755 datasources
chmod 0777 log
cd .. && chmod 0700 generated
echo "prepared $(pwd)/generated; your token for the control API: generated/operator_token"
