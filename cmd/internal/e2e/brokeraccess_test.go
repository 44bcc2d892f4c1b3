package e2e

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/wire"
)

// Control has tokens. A process on the same machine without a token writes the record that
// closes an admin's kill switch to the embedded broker.
func TestForgedResetDoesNotCloseAKillSwitch(t *testing.T) {
	token := rand.Text()
	file := t.TempDir() + "/admin.token"
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	f := install(t, "", "")
	configure(t, f, fmt.Sprintf("detect: {mode: armed}\ncontrol:\n  listen: \"127.0.0.1:%d\"\n  tokens: [{name: admin, role: admin, "+
		"value_file: %q}]", f.ports["control"], file))
	f.start()
	t.Setenv("FLYBALL_TOKEN", token)
	f.run([]int{0}, "breakers", "trip", "agent", "fleet/a3", "--until-reset", "--force", "--reason", "seen on the news")
	status := func() int { code, _, _ := f.check("fleet/a3", "r", "GET", "/v1/orders/1"); return code }
	f.until("the kill switch holds", 20*time.Second, "403", func() (string, error) { return fmt.Sprint(status()), nil })

	forged := schema.Command{ID: "forged", Kind: schema.CommandReset, Tenant: "default",
		Scope: schema.Scope{Kind: schema.ScopeAgent, Value: "fleet/a3"}, By: "admin", Role: "admin", Reason: "all is well"}
	value, err := wire.EncodeCommand(&forged)
	if err != nil {
		t.Fatal(err)
	}
	write := func(opts ...kgo.Opt) error {
		c, err := kgo.NewClient(append(opts, kgo.DefaultProduceTopic(wire.CommandsTopic), kgo.RecordRetries(1))...)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		return c.ProduceSync(ctx, &kgo.Record{Value: value}).FirstErr()
	}
	if err := write(kgo.SeedBrokers(f.brokers())); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("the forged record: %v", err)
	}
	time.Sleep(500 * time.Millisecond) // enough time for a point to fold the record
	if got := status(); got != 403 {
		t.Errorf("the kill switch answers %d after the forged record", got)
	}
	if st, err := os.Stat(f.passwordFile()); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the password's file: %v, %v", st.Mode(), err)
	}
	// To prove that the test works: with the credential the same record closes it.
	if err := write(f.login()...); err != nil {
		t.Fatal(err)
	}
	f.until("the switch is closed by who may", 20*time.Second, "200", func() (string, error) { return fmt.Sprint(status()), nil })
}

// Commands with another data folder cannot read Flyball's topics, and the error explains the
// reason. Shipping records needs no credential.
func TestCommandWithoutTheDataFolderIsToldWhatItLacks(t *testing.T) {
	f := install(t, "", "").start()
	lines := f.dir + "/lines.json"
	if err := os.WriteFile(lines, []byte(record(time.Now(), "fleet/a1", "r", "/v1/orders/1", "GET", 200, 5)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := []string{"--data", t.TempDir()}
	f.run([]int{0}, append([]string{"replay", lines}, other...)...)
	f.until("the record is stored", 20*time.Second, "1", func() (string, error) { return f.sql("SELECT count() FROM flyball.calls") })
	out := f.run([]int{1}, append([]string{"migrate"}, other...)...)
	if !strings.Contains(out, "broker.password") {
		t.Errorf("migrate says %q", out)
	}
	f.run([]int{0}, "migrate")
}
