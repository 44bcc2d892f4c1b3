package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// segments returns the segment files of all partitions of a topic of the embedded broker that have records.
func (f *flyball) segments(topic string) (out []string) {
	f.t.Helper()
	_ = filepath.WalkDir(filepath.Join(f.dir, "data", "broker"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".dat") && strings.HasPrefix(filepath.Base(filepath.Dir(path)), topic+"-") {
			if info, err := d.Info(); err == nil && info.Size() > 0 {
				out = append(out, path)
			}
		}
		return nil
	})
	if len(out) == 0 {
		f.t.Fatalf("no segment of %s", topic)
	}
	return out
}

// keepShare cuts segments to a share of their size.
func keepShare(share float64) func([]byte) []byte {
	return func(b []byte) []byte { return b[:int(float64(len(b))*share)] }
}

func tornRecord(b []byte) []byte { return b[:len(b)-7] }

// flippedBytes changes two bytes near the end.
func flippedBytes(b []byte) []byte {
	at := len(b) * 9 / 10
	b[at] ^= 0xff
	b[at+1] ^= 0xff
	return b
}

// sendNumbered sends n records of runs of 8 calls; their paths begin with prefix. The agents are others at each prefix.
func (f *flyball) sendNumbered(prefix string, n int) {
	f.t.Helper()
	at, lines := time.Now().Add(-time.Minute), make([]string, n)
	for i := range lines {
		agent := fmt.Sprintf("agent-%d", i/8%40)
		lines[i] = record(at.Add(time.Duration(i)*time.Millisecond), agent, fmt.Sprintf("%s-%d", prefix, i/8), fmt.Sprintf("/%s/%d", prefix, i),
			"GET", 200, 100)
	}
	f.send(lines...)
}

func (f *flyball) stored(prefix string) (string, error) {
	return f.sql("SELECT count() FROM flyball.calls WHERE startsWith(path, '/" + prefix + "/')")
}

// damage stops the process, changes the segments of a topic, and starts it again.
func (f *flyball) damage(topic string, change func([]byte) []byte) {
	f.t.Helper()
	f.stop()
	for _, path := range f.segments(topic) {
		b, err := os.ReadFile(path)
		if err == nil {
			err = os.WriteFile(path, change(bytes.Clone(b)), 0o600)
		}
		if err != nil {
			f.t.Fatal(err)
		}
	}
	f.start()
}

// A log that has lost its end gives the offsets of lost records to new ones.
func TestRecordsAfterALostTailAreDroppedAsSeen(t *testing.T) {
	const before, after = 6000, 4000
	for _, c := range []struct {
		name, topic, component string
		change                 func([]byte) []byte
	}{
		{"a tenth of the input", "gateway-logs", "ingest", keepShare(0.9)},
		{"a tenth of flyball.calls", "flyball.calls", "detect", keepShare(0.9)},
		{"half of flyball.calls", "flyball.calls", "detect", keepShare(0.5)},
		{"a torn record of flyball.calls", "flyball.calls", "detect", tornRecord},
		{"two flipped bytes of flyball.calls", "flyball.calls", "detect", flippedBytes},
		{"a tenth of flyball.journal", "flyball.journal", "store", keepShare(0.9)},
		{"a tenth of flyball.state", "flyball.state", "", keepShare(0.9)},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := install(t, "", "")
			f.start()
			f.sendNumbered("before", before)
			f.until("calls stored before", time.Minute, strconv.Itoa(before), func() (string, error) { return f.stored("before") })
			f.damage(c.topic, c.change)
			f.sendNumbered("after", after)
			f.until("calls stored after the loss", time.Minute, strconv.Itoa(after), func() (string, error) { return f.stored("after") })
			if n, err := f.stored("before"); err != nil || n != strconv.Itoa(before) {
				t.Errorf("%s of %d calls that were stored before are left, %v", n, before, err)
			}
			if c.component == "" {
				return
			}
			f.until("the loss is in log_losses", 20*time.Second, "1\t1\t"+c.component, func() (string, error) {
				return f.sql("SELECT count() > 0, min(records) > 0, any(component) FROM flyball.log_losses WHERE topic = '" + c.topic +
					"' AND kind = 'cut'")
			})
			if text := f.tail(1 << 20); !strings.Contains(text, "records of a topic are lost") {
				t.Error("no warning names the loss")
			}
			// The next start finds the log as it was left.
			rows, _ := f.sql("SELECT count() FROM flyball.log_losses")
			f.stop()
			f.start()
			f.sendNumbered("later", 100)
			f.until("calls stored later", time.Minute, "100", func() (string, error) { return f.stored("later") })
			if again, _ := f.sql("SELECT count() FROM flyball.log_losses"); again != rows {
				t.Errorf("%s losses after another start, %s before", again, rows)
			}
		})
	}
}

func TestTripAfterALostCommandTailWaits(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"3000 bytes": func(b []byte) []byte { return b[:max(len(b)-3000, 0)] },
		"nearly all": keepShare(0.1),
	} {
		t.Run(name, func(t *testing.T) {
			f := install(t, "", "", "detect: {mode: armed}")
			f.start()
			trip := func(credential string) {
				f.run(nil, "breakers", "trip", "agent", credential, "--until-reset", "--force", "--reason", "x")
			}
			trip("held-before")
			f.until("a snapshot is stored", time.Minute, "true", func() (string, error) {
				ends, err := f.ends("flyball.breakers")
				return strconv.FormatBool(ends > 0), err
			})
			f.damage("flyball.commands", change)
			began := time.Now()
			trip("held-after")
			if took := time.Since(began); took > 3*time.Second {
				t.Errorf("a trip took %s", took)
			}
			list := f.run(nil, "breakers", "list", "-o", "json")
			for _, credential := range []string{"held-before", "held-after"} {
				if !strings.Contains(list, credential) {
					t.Errorf("no breaker of %s: %s", credential, list)
				}
			}
		})
	}
}

// ends returns the number of records that were ever written to a topic of Flyball's.
func (f *flyball) ends(topic string) (n int64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	ends, err := kadm.NewClient(f.own()).ListEndOffsets(ctx, topic)
	for _, p := range ends[topic] {
		n += p.Offset
	}
	return n, err
}

// begins returns the number of records of a topic of Flyball's that were deleted.
func (f *flyball) begins(topic string) (n int64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	begins, err := kadm.NewClient(f.own()).ListStartOffsets(ctx, topic)
	for _, p := range begins[topic] {
		n += p.Offset
	}
	return n, err
}

// Apache Kafka loses records in the ways that an operator can cause.
func TestRealKafkaLosesRecords(t *testing.T) {
	k := realKafka(t)
	f := install(t, k.Addr(), "")
	adm := kadm.NewClient(f.kafka())
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	remove := func(topic string) {
		t.Helper()
		if _, err := adm.DeleteTopic(ctx, topic); err != nil {
			t.Fatal(err)
		}
		f.until(topic+" is gone", 30*time.Second, "false", func() (string, error) {
			list, err := adm.ListTopics(ctx)
			return strconv.FormatBool(list.Has(topic)), err
		})
	}
	noted := func(topic, kind, want string) {
		t.Helper()
		f.until(kind+" of "+topic, 30*time.Second, want, func() (string, error) {
			return f.sql("SELECT sum(records) FROM flyball.log_losses WHERE topic = '" + topic + "' AND kind = '" + kind + "'")
		})
	}
	round := func(prefix string) {
		t.Helper()
		f.start()
		f.sendNumbered(prefix, 1000)
		f.until(prefix, time.Minute, "1000", func() (string, error) { return f.stored(prefix) })
	}
	round("first")
	f.stop()
	f.sendNumbered("deleted", 500)
	ends, err := adm.ListEndOffsets(ctx, "gateway-logs")
	if err == nil {
		_, err = adm.DeleteRecords(ctx, ends.Offsets())
	}
	if err != nil {
		t.Fatal(err)
	}
	round("second")
	noted("gateway-logs", "expired", "500")
	f.stop()
	remove("gateway-logs")
	k.CreateTopic("gateway-logs", 4)
	round("third")
	noted("gateway-logs", "recreated", "0")
	f.stop()
	remove("flyball.calls")
	round("fourth")
	noted("flyball.calls", "recreated", "0")
	f.stop()
	round("fifth")
	if n, err := f.sql("SELECT count(), uniqExact(path) FROM flyball.calls"); err != nil || n != "5000\t5000" {
		t.Errorf("%s calls and paths, %v", n, err)
	}
}
