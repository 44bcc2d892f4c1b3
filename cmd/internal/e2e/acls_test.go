package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"

	"flyball/cmd/internal/realparts"
)

// grantRights gives a broker the rights that the commands of deploy/kafka-acls.sh give.
func grantRights(t *testing.T, addr string) {
	t.Helper()
	text, err := os.ReadFile("../../../deploy/kafka-acls.sh")
	if err != nil {
		t.Fatal(err)
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(addr))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	admin := kadm.NewClient(client)
	granted := 0
	for line := range strings.Lines(string(text)) {
		words, ok := strings.CutPrefix(strings.TrimSpace(line), "acls --")
		if !ok {
			continue
		}
		var operations []kadm.ACLOperation
		b := kadm.NewACLs().AllowHosts().ResourcePatternType(kadm.ACLPatternLiteral)
		for _, option := range strings.Split(words, " --") {
			name, value, _ := strings.Cut(option, " ")
			switch name {
			case "allow-principal":
				b.Allow(value)
			case "operation":
				op, err := kmsg.ParseACLOperation(value)
				if err != nil {
					t.Fatal(err)
				}
				operations = append(operations, op)
			case "topic":
				b.Topics(value)
			case "group":
				b.Groups(value)
			case "cluster":
				b.Clusters()
			case "resource-pattern-type":
				b.ResourcePatternType(kadm.ACLPatternPrefixed)
			default:
				t.Fatalf("option --%s of kafka-acls.sh is not known", name)
			}
		}
		results, err := admin.CreateACLs(ctx, b.Operations(operations...))
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		for _, r := range results {
			if r.Err != nil {
				t.Fatalf("%s: %v", line, r.Err)
			}
		}
		granted += len(results)
	}
	if granted == 0 {
		t.Fatal("no right was granted")
	}
}

// rightsSuffice runs everything as Flyball's user, and tries as a shipper what only Flyball may do.
func rightsSuffice(t *testing.T, listeners *realparts.SecuredListeners, kafka string) {
	as := func(user string) *kgo.Client {
		t.Helper()
		c, err := kgo.NewClient(kgo.SeedBrokers(listeners.SASL), kgo.RecordRetries(1), kgo.DisableIdempotentWrite(),
			kgo.SASL(plain.Auth{User: user, Pass: realparts.SecuredPassword}.AsMechanism()))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Close)
		return c
	}
	admin, err := kgo.NewClient(kgo.SeedBrokers(listeners.Plain))
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	for _, topic := range []string{"gateway-logs", "otlp_spans"} {
		if _, err := kadm.NewClient(admin).CreateTopic(t.Context(), 4, 1, nil, topic); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			t.Fatal(err)
		}
	}
	f := install(t, listeners.SASLTLS, "")
	text, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(string(text), "  inputs:\n", kafka+"  inputs:\n", 1))
	if err := os.WriteFile(f.config, text, 0o600); err != nil {
		t.Fatal(err)
	}
	f.start()
	shipper := as(realparts.SecuredShipper)
	const records = 200
	for i := range records {
		line := fmt.Sprintf(`{"start_time":"%s","method":"GET","path":"/v1/orders/%d","authority":"api","response_code":200,"duration":3,`+
			`"x_agent_id":"a","x_agent_run_id":"rights-%d"}`, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), i, i%10)
		shipper.Produce(t.Context(), &kgo.Record{Topic: "gateway-logs", Value: []byte(line)}, nil)
	}
	if err := shipper.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.storedOnce(records, 60*time.Second)
	f.run([]int{0}, "breakers", "trip", "agent", "a", "--for", "1m", "--reason", "rights", "--force")
	if log := f.tail(1 << 20); strings.Contains(log, "AUTHORIZATION_FAILED") {
		t.Errorf("a right is missing:\n%s", log)
	}
	if out := f.run([]int{0, 1, 3}, "doctor"); strings.Contains(out, "not_authorized") {
		t.Errorf("doctor misses a right:\n%s", out)
	}
	for _, topic := range []string{"flyball.commands", "flyball.calls", "flyball.breakers"} {
		err := shipper.ProduceSync(t.Context(), &kgo.Record{Topic: topic, Value: []byte("x")}).FirstErr()
		if !errors.Is(err, kerr.TopicAuthorizationFailed) {
			t.Errorf("a shipper writes to %s: %v", topic, err)
		}
	}
}
