package broker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// anybody returns a client of another process on this machine.
func anybody(t *testing.T, b *Broker, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	c, err := kgo.NewClient(append([]kgo.Opt{kgo.SeedBrokers(b.Addr()), kgo.RequestRetries(0), kgo.RecordRetries(0),
		kgo.UnknownTopicRetries(0), kgo.AllowAutoTopicCreation(),
		kgo.RetryTimeout(2 * time.Second)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// own creates one of Flyball's own topics with a record in it.
func own(t *testing.T, b *Broker, topic string) *kadm.Client {
	t.Helper()
	c := client(t, b)
	adm := kadm.NewClient(c)
	if _, err := adm.CreateTopic(context.Background(), 2, -1, nil, topic); err != nil {
		t.Fatal(err)
	}
	if err := c.ProduceSync(context.Background(), &kgo.Record{Topic: topic, Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	return adm
}

func refused(err error) bool {
	return errors.Is(err, kerr.TopicAuthorizationFailed) || errors.Is(err, kerr.GroupAuthorizationFailed) ||
		errors.Is(err, kerr.ClusterAuthorizationFailed) ||
		errors.Is(err, kerr.TransactionalIDAuthorizationFailed)
}

// Without access rules, any process of the machine could close an administrator's kill switch with one record in flyball.commands.
func TestForgedCommandWithoutTheCredentialIsRefused(t *testing.T) {
	b := open(t, t.TempDir())
	defer b.Close()
	own(t, b, "flyball.commands")
	for name, opts := range map[string][]kgo.Opt{
		"idempotent": nil, "plain produce": {kgo.DisableIdempotentWrite()},
		"acks 1": {kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.LeaderAck())},
	} {
		err := anybody(t, b, opts...).ProduceSync(context.Background(),
			&kgo.Record{Topic: "flyball.commands", Partition: 0, Value: []byte("reset")}).FirstErr()
		if !refused(err) {
			t.Errorf("%s: written: %v", name, err)
		}
	}
	// Produces by name and by topic id, without the metadata request that a client library sends first.
	id := b.cluster.TopicInfo("flyball.commands").TopicID
	for _, byID := range []bool{false, true} {
		req := kmsg.NewPtrProduceRequest()
		rt := kmsg.NewProduceRequestTopic()
		if rt.Topic = "flyball.commands"; byID {
			rt.Topic, rt.TopicID = "", id
		}
		rp := kmsg.NewProduceRequestTopicPartition()
		rp.Records = []byte("never read")
		rt.Partitions = append(rt.Partitions, rp)
		req.Acks, req.TimeoutMillis, req.Topics = -1, 1000, []kmsg.ProduceRequestTopic{rt}
		resp, err := req.RequestWith(context.Background(), anybody(t, b))
		if err != nil {
			continue
		}
		for _, rt := range resp.Topics {
			for _, p := range rt.Partitions {
				if p.ErrorCode == 0 {
					t.Errorf("raw request, by id %t: written", byID)
				}
			}
		}
	}
	var n int64
	for _, p := range b.cluster.PartitionInfos("flyball.commands") {
		n += p.HighWatermark
	}
	if n != 1 {
		t.Errorf("%d records in flyball.commands, 1 is Flyball's", n)
	}
}

func TestOwnTopicsCannotBeReadWithoutTheCredential(t *testing.T) {
	b := open(t, t.TempDir())
	defer b.Close()
	own(t, b, "flyball.calls")
	c := anybody(t, b, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{"flyball.calls": {0: kgo.NewOffset().AtStart(),
		1: kgo.NewOffset().AtStart()}}), kgo.KeepRetryableFetchErrors())
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	for ctx.Err() == nil {
		got := c.PollFetches(ctx)
		if !got.Empty() {
			t.Fatal("records of flyball.calls were handed over")
		}
		if err := got.Err0(); refused(err) {
			break
		}
		for _, e := range got.Errors() {
			if refused(e.Err) {
				return
			}
		}
	}
	if ctx.Err() != nil {
		t.Error("no error said that reading is refused")
	}
}

func TestOwnTopicsAndGroupsCannotBeChangedWithoutTheCredential(t *testing.T) {
	b := open(t, t.TempDir())
	defer b.Close()
	adm := own(t, b, "flyball.calls")
	if _, err := adm.CreateTopic(context.Background(), 2, -1, nil, "gateway-logs"); err != nil {
		t.Fatal(err)
	}
	var committed kadm.Offsets
	committed.AddOffset("flyball.calls", 0, 1, -1)
	if err := adm.CommitAllOffsets(context.Background(), "flyball-detect", committed); err != nil {
		t.Fatal(err)
	}
	var ofInput kadm.Offsets
	ofInput.AddOffset("gateway-logs", 0, 1, -1)
	other := kadm.NewClient(anybody(t, b))
	ctx := context.Background()
	for name, do := range map[string]func() error{
		"create an own topic":             func() error { _, err := other.CreateTopic(ctx, 1, -1, nil, "flyball.more"); return err },
		"delete an own topic":             func() error { _, err := other.DeleteTopic(ctx, "flyball.calls"); return err },
		"delete an input topic":           func() error { _, err := other.DeleteTopic(ctx, "gateway-logs"); return err },
		"delete records of an own topic":  func() error { return deleteRecords(other, "flyball.calls") },
		"delete records of an input":      func() error { return deleteRecords(other, "gateway-logs") },
		"commit for an own group":         func() error { return other.CommitAllOffsets(ctx, "flyball-detect", ofInput) },
		"commit for a new own group":      func() error { return other.CommitAllOffsets(ctx, "flyball-detect2", ofInput) },
		"delete an own group":             func() error { _, err := other.DeleteGroup(ctx, "flyball-detect"); return err },
		"read the offsets of a group":     func() error { _, err := other.FetchOffsets(ctx, "flyball-detect"); return err },
		"retention of an input to 1 ms":   func() error { return retention(other, "gateway-logs") },
		"retention of an own topic":       func() error { return retention(other, "flyball.calls") },
		"more partitions of an own topic": func() error { return partitions(other) },
		"a user": func() error {
			r, err := other.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{User: User, Mechanism: kadm.ScramSha256, Iterations: 4096,
				Password: "mine"}})
			if err == nil {
				err = r.Error()
			}
			return err
		},
		"an access rule": func() error {
			r, err := other.CreateACLs(ctx,
				kadm.NewACLs().Allow("User:ANONYMOUS").AllowHosts("*").Clusters().Operations(kadm.OpAll).ResourcePatternType(kadm.ACLPatternLiteral))
			if err == nil {
				err = r[0].Err
			}
			return err
		},
		"remove the access rules": func() error {
			r, err := other.DeleteACLs(ctx,
				kadm.NewACLs().AnyResource().Allow().AllowHosts().Deny().DenyHosts().Operations().ResourcePatternType(kadm.ACLPatternAny))
			if err == nil {
				err = r[0].Err
			}
			return err
		},
	} {
		if err := do(); !refused(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if g := b.cluster.GroupInfo("flyball-detect"); g == nil || g.Commits["flyball.calls"][0].Offset != 1 {
		t.Errorf("the group is %+v", g)
	}
	if b.cluster.TopicInfo("flyball.more") != nil || b.cluster.TopicInfo("flyball.calls") == nil ||
		b.cluster.TopicInfo("gateway-logs") == nil {
		t.Error("topics were changed")
	}
	// A producer that names one of Flyball's topics does not create it.
	_ = anybody(t, b).ProduceSync(ctx, &kgo.Record{Topic: "flyball.auto", Value: []byte("x")})
	if b.cluster.TopicInfo("flyball.auto") != nil {
		t.Error("a producer without the credential made a topic of Flyball's")
	}
}

func deleteRecords(adm *kadm.Client, topic string) error {
	var o kadm.Offsets
	o.AddOffset(topic, 0, 1, -1)
	r, err := adm.DeleteRecords(context.Background(), o)
	if err != nil {
		return err
	}
	return r.Error()
}

func retention(adm *kadm.Client, topic string) error {
	r, err := adm.AlterTopicConfigs(context.Background(), []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "retention.ms",
		Value: kadm.StringPtr("1")}}, topic)
	if err != nil {
		return err
	}
	return r[0].Err
}

func partitions(adm *kadm.Client) error {
	r, err := adm.CreatePartitions(context.Background(), 3, "flyball.calls")
	if err != nil {
		return err
	}
	return r.Error()
}

// A gateway's shipper has no credential: it can write to existing and new input topics.
func TestAnonymousShipperWritesAndReadsInputs(t *testing.T) {
	b := open(t, t.TempDir())
	defer b.Close()
	for name, opts := range map[string][]kgo.Opt{"idempotent": nil,
		"as older shippers do": {kgo.DisableIdempotentWrite(), kgo.RequiredAcks(kgo.LeaderAck())}} {
		shipper := anybody(t, b, append(opts, kgo.UnknownTopicRetries(5), kgo.RequestRetries(5))...)
		for range 20 {
			if err := shipper.ProduceSync(context.Background(), &kgo.Record{Topic: "gateway-logs", Value: []byte(name)}).FirstErr(); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
	}
	c := anybody(t, b, kgo.ConsumeTopics("gateway-logs"), kgo.ConsumerGroup("somebody"), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.RequestRetries(5))
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for n := 0; n < 40; {
		got := c.PollFetches(ctx)
		if err := got.Err(); err != nil {
			t.Fatalf("after %d records: %v", n, err)
		}
		n += got.NumRecords()
	}
	if err := c.CommitUncommittedOffsets(ctx); err != nil {
		t.Errorf("commit: %v", err)
	}
}

// Stored users, rules and passwords of an old directory must not give access to the topics.
func TestUsersAndRulesOfAnOldFolderDoNotHold(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	adm := own(t, b, "flyball.commands")
	ctx := context.Background()
	if _, err := adm.CreateACLs(ctx,
		kadm.NewACLs().Allow("User:*").AllowHosts("*").Clusters().Topics("*").
			Operations(kadm.OpAll).ResourcePatternType(kadm.ACLPatternLiteral)); err != nil {
		t.Fatal(err)
	}
	if _, err := adm.AlterUserSCRAMs(ctx, nil, []kadm.UpsertSCRAM{{User: User, Mechanism: kadm.ScramSha256, Iterations: 4096,
		Password: "planted"}}); err != nil {
		t.Fatal(err)
	}
	b.Close()
	b = open(t, dir, func(o *Options) { o.Password = "another password" })
	defer b.Close()
	for name, opts := range map[string][]kgo.Opt{
		"nobody": nil, "the planted user": {kgo.SASL(scram.Auth{User: User, Pass: "planted"}.AsSha256Mechanism())},
		"the planted user's name alone": {kgo.SASL(scram.Auth{User: User, Pass: "wrong"}.AsSha256Mechanism())},
		"the password of before":        {kgo.SASL(Mechanism(password))}, "no password": {kgo.SASL(Mechanism(""))},
		"another user, no password": {kgo.SASL(plain.Auth{User: "admin"}.AsMechanism())},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		if err := anybody(t, b, opts...).ProduceSync(ctx, &kgo.Record{Topic: "flyball.commands", Value: []byte("reset")}).FirstErr(); err == nil {
			t.Errorf("%s: written", name)
		}
		cancel()
	}
	if _, err := kadm.NewClient(anybody(t, b)).DeleteTopic(ctx, "flyball.commands"); !refused(err) {
		t.Errorf("delete: %v", err)
	}
	now := anybody(t, b, kgo.SASL(Mechanism("another password")))
	if err := now.ProduceSync(ctx, &kgo.Record{Topic: "flyball.commands", Value: []byte("trip")}).FirstErr(); err != nil {
		t.Errorf("the password that holds: %v", err)
	}
}

func TestOffLoopbackNobodyIsAnonymous(t *testing.T) {
	start := func(o Options) (*Broker, error) {
		o.Dir, o.Partitions, o.TrimEvery = t.TempDir(), 1, time.Hour
		return Start(o, slog.New(slog.NewTextHandler(io.Discard, nil)), prometheus.NewRegistry())
	}
	for name, o := range map[string]Options{
		"no shipper":                       {Listen: "0.0.0.0:0", Password: password},
		"no shipper, any address":          {Listen: ":0", Password: password},
		"a shipper without a password":     {Listen: "0.0.0.0:0", Password: password, Shipper: &Login{User: "s"}},
		"a shipper with Flyball's name":    {Listen: "0.0.0.0:0", Password: password, Shipper: &Login{User: User, Password: "p"}},
		"loopback, no password of its own": {Listen: "127.0.0.1:0"},
	} {
		if b, err := start(o); err == nil {
			b.Close()
			t.Errorf("%s: listens", name)
		}
	}
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	b, err := start(Options{Listen: addr, Password: password, Shipper: &Login{User: "shipper", Password: "a long password"}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	own(t, b, "flyball.calls")
	for name, c := range map[string]struct {
		opts  []kgo.Opt
		topic string
		ok    bool
	}{
		"anonymous":                       {nil, "gateway-logs", false},
		"unknown user without a password": {[]kgo.Opt{kgo.SASL(plain.Auth{User: "x"}.AsMechanism())}, "gateway-logs", false},
		"shipper without its password":    {[]kgo.Opt{kgo.SASL(plain.Auth{User: "shipper"}.AsMechanism())}, "gateway-logs", false},
		"shipper": {[]kgo.Opt{kgo.SASL(plain.Auth{User: "shipper", Pass: "a long password"}.AsMechanism())},
			"gateway-logs", true},
		"shipper into a topic of Flyball's": {[]kgo.Opt{kgo.SASL(plain.Auth{User: "shipper", Pass: "a long password"}.AsMechanism())},
			"flyball.calls", false},
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		err := anybody(t, b, append(c.opts, kgo.UnknownTopicRetries(5))...).ProduceSync(ctx,
			&kgo.Record{Topic: c.topic, Value: []byte("x")}).FirstErr()
		cancel()
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// kfake writes files that all users can read.
func TestFolderIsForItsOwnerAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "broker")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b := open(t, dir)
	defer b.Close()
	if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", st.Mode(), err)
	}
}

func TestConnectionIsServedBeforeTheRules(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	d := newGatedListener(l)
	outside, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer outside.Close()
	go func() {
		c, err := d.dial(context.Background(), "", "")
		if err == nil {
			c.Close()
		}
	}()
	first, err := d.Accept()
	if err != nil || strings.Contains(first.RemoteAddr().String(), "127.0.0.1") {
		t.Fatalf("first is %v, %v", first, err)
	}
	d.open()
	if second, err := d.Accept(); err != nil || second.RemoteAddr().String() != outside.LocalAddr().String() {
		t.Errorf("second: %v", err)
	}
	d.Close()
	if _, err := d.Accept(); err == nil {
		t.Error("accepts after its end")
	}
}
