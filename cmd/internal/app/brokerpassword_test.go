package app

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/embedded/broker"
)

func TestPasswordOfTheBrokerIsMadeOnceForItsOwnerAlone(t *testing.T) {
	c := config.Default()
	c.Data = filepath.Join(t.TempDir(), "data")
	first, err := makeBrokerPassword(c)
	if err != nil || len(first) != 64 {
		t.Fatalf("%q, %v", first, err)
	}
	file := filepath.Join(c.Data, BrokerPassword)
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	again, err := makeBrokerPassword(c)
	if err != nil || again != first {
		t.Errorf("another password at the second start: %v", err)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
	if err := os.WriteFile(file, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := makeBrokerPassword(c); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("an empty password: %v", err)
	}
}

func TestPasswordOfTheBrokerIsShownToTheEmbeddedBrokerAlone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := config.Default()
	c.Data, c.Kafka.Listen = t.TempDir(), l.Addr().String()
	l.Close()
	authenticates := func(c config.Config) bool {
		t.Helper()
		opts, err := brokerLogin(c)
		if err != nil {
			t.Fatal(err)
		}
		return len(opts) == 1
	}
	if authenticates(c) {
		t.Error("without a password")
	}
	o, err := brokerOptions(c)
	if err != nil {
		t.Fatal(err)
	}
	if !authenticates(c) {
		t.Error("a command beside the embedded broker is anonymous")
	}
	role := c
	role.Kafka.Brokers = []string{c.Kafka.Listen}
	if authenticates(role) {
		t.Error("a broker at the address, and no flyball up on the data folder: it would see the password")
	}
	o.TrimEvery = time.Hour
	b, err := broker.Start(o, slog.New(slog.DiscardHandler), prometheus.NewRegistry())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if !authenticates(role) {
		t.Error("a role beside flyball up on the same data folder is anonymous")
	}
	elsewhere := role
	elsewhere.Kafka.Brokers = []string{"kafka.example:9092"}
	own := role
	own.Kafka.SASL.Mechanism = "PLAIN"
	if authenticates(elsewhere) || authenticates(own) {
		t.Error("the password goes to another broker, or in place of kafka.sasl")
	}
}

func TestRefusalOfTheBrokerSaysWhatToDo(t *testing.T) {
	if err := ExplainRefusal(errors.Join(errors.New("x"), kerr.TopicAuthorizationFailed)); !errors.Is(err,
		kerr.TopicAuthorizationFailed) || !strings.Contains(err.Error(), BrokerPassword) {
		t.Error(err)
	}
	other := errors.New("x")
	if ExplainRefusal(other) != other || ExplainRefusal(nil) != nil {
		t.Error("another error is changed")
	}
}
