package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"flyball/cmd/internal/backup"
	"flyball/cmd/internal/config"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/identity"
	"flyball/schema/kafka"
)

// KafkaConfig returns the configuration that all Kafka clients of a process share. Log and
// Metrics are not set; without them, nothing is logged or counted.
func KafkaConfig(c config.Config) (kafka.Config, error) { return kafkaConfig(c, nil) }

// kafkaConfig is KafkaConfig for a process that reads the files again when they change.
func kafkaConfig(c config.Config, files *secretFiles) (kafka.Config, error) {
	opts, err := kafkaOptions(c, files)
	return kafka.Config{Options: opts, Remote: kafkaRemote(c)}, err
}

// ConnectKafka returns the configuration of Kafka clients after a broker has answered. The error
// names the brokers and what to do.
func ConnectKafka(ctx context.Context, c config.Config) (kafka.Config, error) {
	clients, err := KafkaConfig(c)
	if err != nil {
		return clients, err
	}
	return clients, clients.CheckConnection(ctx)
}

// kafkaRemote describes the connection to Kafka, for errors.
func kafkaRemote(c config.Config) kafka.Remote {
	r := kafka.Remote{Addrs: seedBrokers(c), TLS: c.Kafka.TLS != (config.TLS{}), Embedded: len(c.Kafka.Brokers) == 0}
	if !r.Embedded {
		r.Mechanism, r.User = c.Kafka.SASL.Mechanism, c.Kafka.SASL.User
	}
	return r
}

// seedBrokers returns the addresses of Kafka.
func seedBrokers(c config.Config) []string {
	if len(c.Kafka.Brokers) == 0 {
		return []string{c.Kafka.Listen}
	}
	return c.Kafka.Brokers
}

// kafkaOptions returns the options of clients for the connection to Kafka: addresses, TLS,
// login.
func kafkaOptions(c config.Config, files *secretFiles) ([]kgo.Opt, error) {
	embedded := len(c.Kafka.Brokers) == 0
	opts := []kgo.Opt{kgo.SeedBrokers(seedBrokers(c)...), kgo.ClientID("flyball")}
	if embedded {
		// On one machine compression costs more than the bytes it saves.
		opts = append(opts, kgo.ProducerBatchCompression(kgo.NoCompression()))
	}
	if c.Kafka.TLS != (config.TLS{}) {
		dial, err := dialTLS(files, "kafka.tls", c.Kafka.TLS)
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.Dialer(dial))
	}
	own, err := brokerLogin(c)
	if err != nil {
		return nil, err
	}
	opts = append(opts, own...)
	// With the embedded broker, kafka.sasl is the login of shippers and not of this process.
	if c.Kafka.SASL.Mechanism != "" && !embedded {
		m, err := mechanism(c.Kafka.SASL, files)
		if err != nil {
			return nil, err
		}
		opts = append(opts, kgo.SASL(m))
	}
	return opts, nil
}

// mechanism returns the login of Kafka's clients. New connections use the password as it is then.
func mechanism(s config.SASL, files *secretFiles) (sasl.Mechanism, error) {
	now, err := watched(files, "kafka.sasl.password_file", []string{s.PasswordFile}, func() (string, error) {
		return secretFile("kafka.sasl.password_file", s.PasswordFile)
	})
	if err != nil {
		return nil, err
	}
	password := func(context.Context) (scram.Auth, error) { return scram.Auth{User: s.User, Pass: *now.Load()}, nil }
	switch s.Mechanism {
	case "PLAIN":
		return plain.Plain(func(context.Context) (plain.Auth, error) { return plain.Auth{User: s.User, Pass: *now.Load()}, nil }), nil
	case "SCRAM-SHA-256":
		return scram.Sha256(password), nil
	case "SCRAM-SHA-512":
		return scram.Sha512(password), nil
	}
	return nil, fmt.Errorf("kafka.sasl.mechanism: %q is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512", s.Mechanism)
}

// secretFile returns the secret in a file, without white space around it. An empty file is an
// error, because an empty secret does not protect anything. key names the file in the
// configuration.
func secretFile(key, path string) (string, error) {
	if path == "" {
		return "", fmt.Errorf("%s: empty; name the file that holds the secret", key)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("%s: %w", key, err)
	}
	secret := strings.TrimSpace(string(b))
	if secret == "" {
		return "", fmt.Errorf("%s: %s is empty; it must hold the secret", key, path)
	}
	return secret, nil
}

// databaseAddrs returns the addresses of ClickHouse.
func databaseAddrs(c config.Config) []string {
	if len(c.ClickHouse.Addr) == 0 {
		return []string{c.ClickHouse.Listen}
	}
	return c.ClickHouse.Addr
}

// OpenDatabase returns a connection pool for ClickHouse as configured. It does not connect
// yet.
func OpenDatabase(c config.Config) (*clickhouse.Conn, error) { return openDatabase(c, nil) }

// openDatabase is OpenDatabase for a process that reads the files again when they change.
func openDatabase(c config.Config, files *secretFiles) (*clickhouse.Conn, error) {
	o := clickhouse.Options{Addrs: databaseAddrs(c), Database: c.ClickHouse.Database, User: c.ClickHouse.User}
	user, password, err := engineLogin(c)
	if err != nil {
		return nil, err
	}
	if password != "" {
		o.User, o.Password = user, schema.Secret(password)
	}
	if c.ClickHouse.PasswordFile != "" {
		now, err := watched(files, "clickhouse.password_file", []string{c.ClickHouse.PasswordFile}, func() (schema.Secret, error) {
			p, err := secretFile("clickhouse.password_file", c.ClickHouse.PasswordFile)
			return schema.Secret(p), err
		})
		if err != nil {
			return nil, err
		}
		o.Password, o.PasswordNow = *now.Load(), func() schema.Secret { return *now.Load() }
	}
	if c.ClickHouse.TLS != (config.TLS{}) {
		now, err := watchedClientTLS(files, "clickhouse.tls", c.ClickHouse.TLS)
		if err != nil {
			return nil, err
		}
		o.TLS, o.TLSNow = *now.Load(), func() *tls.Config { return *now.Load() }
	}
	return clickhouse.Open(o)
}

// ReadSecretKey reads the present HMAC key of the deployment. If create is set, it creates a missing
// key in the data folder.
func ReadSecretKey(c config.Config, create bool) (identity.Key, error) {
	keys, err := ReadKeys(c, create)
	return keys.Current, err
}

// readMissingKey returns the id of the deployment whose data was restored without its key; empty: it was not.
func readMissingKey(c config.Config) (string, error) {
	b, err := os.ReadFile(filepath.Join(c.Data, backup.MissingKey))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return strings.TrimSpace(string(b)), err
}
