package broker

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// While the broker is frozen nothing is written and nothing is refused: what is sent meanwhile is acknowledged afterwards, and what
// was copied has every record that was acknowledged before.
func TestRecordIsWrittenWhileTheBrokerIsFrozen(t *testing.T) {
	dir := t.TempDir()
	b := open(t, dir)
	defer b.Close()
	c := client(t, b, kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if _, err := kadm.NewClient(c).CreateTopic(t.Context(), 2, -1, nil, "flyball.calls"); err != nil {
		t.Fatal(err)
	}
	produce(t, c, 20)
	acknowledged := make(chan error, 1)
	copied := ""
	err := b.Freeze(t.Context(), func() error {
		go func() {
			acknowledged <- c.ProduceSync(context.Background(), &kgo.Record{Topic: "flyball.calls", Value: []byte("y")}).FirstErr()
		}()
		select {
		case err := <-acknowledged:
			t.Errorf("acknowledged while the broker was frozen: %v", err)
		case <-time.After(300 * time.Millisecond):
		}
		copied = afterKill(t, dir)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := <-acknowledged; err != nil {
		t.Errorf("what was sent meanwhile: %v", err)
	}
	if got := end(t, b); got != 21 {
		t.Errorf("%d records, want 21", got)
	}
	second := open(t, copied)
	defer second.Close()
	if got := end(t, second); got != 20 {
		t.Errorf("%d records in the copy, want 20", got)
	}

	wrong := errors.New("the engine is busy")
	if err := b.Freeze(t.Context(), func() error { return wrong }); !errors.Is(err, wrong) {
		t.Error(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.Freeze(ended, func() error { t.Error("called although nobody waits"); return nil }); err == nil {
		t.Error("no error")
	}
	produce(t, c, 1) // it goes on

	before := lockWait
	lockWait = 50 * time.Millisecond
	defer func() { lockWait = before }()
	if _, err := Lock(dir); err == nil || !strings.Contains(err.Error(), "another process uses") {
		t.Errorf("the folder of a running broker can be locked: %v", err)
	}
}
