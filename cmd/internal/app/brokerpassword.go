package app

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/embedded/broker"
)

// BrokerPassword is the name of the file, in the data folder, with the password for Flyball's
// own topics and groups on the embedded broker. `flyball up` creates it; a role in another
// process with the same data folder reads it.
const BrokerPassword = "broker.password"

// makeBrokerPassword returns the password, and creates it if there is none.
func makeBrokerPassword(c config.Config) (string, error) {
	return makePassword(c, BrokerPassword, "password of the embedded broker")
}

// makePassword returns the secret in a file of the data folder, and creates it if there is
// none. Only the owner can read the file. what names the secret in errors.
func makePassword(c config.Config, name, what string) (string, error) {
	path := filepath.Join(c.Data, name)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		raw := make([]byte, 32)
		if _, err := rand.Read(raw); err != nil {
			return "", err
		}
		if err := os.MkdirAll(c.Data, 0o700); err != nil {
			return "", err
		}
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			_, err = f.WriteString(hex.EncodeToString(raw) + "\n")
			err = errors.Join(err, f.Close())
		}
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("make the %s: %w", what, err)
		}
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return "", fmt.Errorf("%s: %w", what, err)
	}
	return secretFile(what, path)
}

// brokerLogin returns the options by which a process of this deployment authenticates with the
// embedded broker. Without a password that it can read, the process is anonymous: it can write
// and read the input topics, as `flyball replay` does.
func brokerLogin(c config.Config) ([]kgo.Opt, error) {
	switch {
	case len(c.Kafka.Brokers) == 0:
	case c.Kafka.SASL.Mechanism == "" && slices.Equal(c.Kafka.Brokers, []string{c.Kafka.Listen}) && broker.Running(brokerDir(c)):
		// A role in another process beside `flyball up`.
	default:
		return nil, nil
	}
	password, err := secretFile("password of the embedded broker", filepath.Join(c.Data, BrokerPassword))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return []kgo.Opt{kgo.SASL(broker.Mechanism(password))}, nil
}

func brokerDir(c config.Config) string { return filepath.Join(c.Data, "broker") }

// brokerOptions returns the options of the embedded broker, including its password, which is
// created if there is none.
func brokerOptions(c config.Config) (broker.Options, error) {
	o := broker.Options{Listen: c.Kafka.Listen, Dir: brokerDir(c), Sync: c.Kafka.Sync, Partitions: c.Kafka.Partitions,
		Readers: topicReaders(c), Compacted: compactedTopics(), EpochFile: filepath.Join(c.Data, "broker-epoch"),
		MinFree: int64(c.Kafka.MinFreeMiB) << 20}
	var err error
	if o.Password, err = makeBrokerPassword(c); err != nil {
		return o, err
	}
	o.Shipper, err = shipperLogin(c)
	return o, err
}

// shipperLogin returns the login of shippers at the embedded broker; nil if they need none, or if the
// broker is not embedded.
func shipperLogin(c config.Config) (*broker.Login, error) {
	s := c.Kafka.SASL
	if s.Mechanism == "" || len(c.Kafka.Brokers) > 0 {
		return nil, nil
	}
	password, err := secretFile("kafka.sasl.password_file", s.PasswordFile)
	if err != nil {
		return nil, err
	}
	return &broker.Login{User: s.User, Password: password}, nil
}

// ExplainRefusal adds a recommended action to an authorization error of a broker.
func ExplainRefusal(err error) error {
	for _, e := range []error{kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed} {
		if errors.Is(err, e) {
			return fmt.Errorf("%w; the broker of flyball up keeps Flyball's own topics for who can read the file %s in its data folder: "+
				"run this as the same user with the same --data, or set kafka.sasl: mechanism PLAIN, user %s, and that file as "+
				"password_file", err, BrokerPassword, broker.User)
		}
	}
	return err
}
