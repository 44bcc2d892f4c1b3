package engine

import (
	"context"
	"fmt"
	"net/netip"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/wire"
)

// liveHeap returns how many bytes are in use after a collection.
func liveHeap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// The strings of a call are parts of its block: a run that keeps one of them keeps the whole block in
// memory. Of each field of a call in turn, no string is kept.
func TestRunKeepsTheBlocksOfItsCallsInMemory(t *testing.T) {
	const calls, blockBytes = 60, 64 << 10
	fields := reflect.TypeFor[schema.Call]()
	var names []string
	for i := range fields.NumField() {
		if f := fields.Field(i); f.Type.Kind() == reflect.String || f.Name == "Resources" {
			names = append(names, f.Name)
		}
	}
	for _, name := range names {
		f := newFloor(t)
		f.detectors.Activate(readers())
		before := liveHeap()
		for i := range calls {
			f.call(night.Add(time.Duration(i)*time.Second), func(c *schema.Call) {
				id := fmt.Sprint(i)
				c.RoutingKey, c.RunKey, c.AgentID, c.CredentialID = "s:"+id, "run"+id, "agent/"+id, "key"+id
				c.AgentName, c.AgentVersion, c.AgentAsserted, c.AgentSource = "n"+id, "v"+id, "o"+id, "header"
				c.PrincipalID, c.PrincipalTrust, c.PrincipalSource = "p"+id, schema.TrustVerified, "s"+id
				c.TaskID, c.TaskTrust, c.ConversationID = "task"+id, schema.TrustVerified, "conversation"+id
				c.Resources = []schema.Resource{{Type: "order", ID: id}}
				c.Method, c.Effect = "DELETE", schema.EffectDelete
				v := reflect.ValueOf(c).Elem().FieldByName(name)
				if name == "Resources" {
					c.Resources[0].ID = inBlock(id, blockBytes)
				} else if v.String() != "" {
					v.SetString(inBlock(v.String(), blockBytes))
				} else {
					v.SetString(inBlock(id, blockBytes))
				}
			})
		}
		f.tape.records = nil
		if kept := liveHeap() - before; kept > calls*blockBytes/2 {
			t.Errorf("%s: %d KB of %d blocks of %d KB are kept", name, kept>>10, calls, blockBytes>>10)
		}
		runtime.KeepAlive(f)
	}
}

// inBlock returns s as a part of a longer string.
func inBlock(s string, size int) string {
	return (strings.Repeat("x", size-len(s)) + s)[size-len(s):]
}

// inventedCall returns a call of a caller that nobody has seen and nobody vouches for.
func inventedCall(n int) *schema.Call {
	id := fmt.Sprint(n)
	c := &schema.Call{Source: schema.Source{Topic: "gw"}, Pos: schema.Position{Offset: int64(n)}, Tenant: "default", RoutingKey: "s:inv/" + id,
		RunKey: "i" + id, AgentID: "inv/" + id, AgentTrust: schema.TrustAsserted, AgentSource: "x-agent-id",
		Start: night.Add(time.Duration(n) * time.Millisecond).UnixNano(), Method: "GET", RouteKey: "/orders/{}", Route: "/orders/{id}",
		Path: "/orders/" + id, RequestID: "request-" + id, Resources: []schema.Resource{{Type: "order", ID: id}},
		ClientIP: netip.AddrFrom4([4]byte{11, byte(n >> 16), byte(n >> 8), byte(n)})}
	if n%3 == 0 {
		c.RoutingKey, c.CredentialID, c.CredentialTrust, c.RunKey = "c:key"+id, "key"+id, schema.TrustAsserted, ""
	}
	return c
}

// A hundred thousand invented agents: what is kept of them is bounded in number and in bytes, however
// many come, and an established agent still gets runs of its own.
func TestInventedAgentsFillTheMemory(t *testing.T) {
	f := newFloor(t, func(c *Config) { c.Limits.Actors, c.Limits.OpenRuns = 8000, 8000 })
	f.detectors.Activate(readers())
	var encoder wire.CallsEncoder
	block := func(n int, calls ...*schema.Call) {
		if err := f.applyRecord(context.Background(), &kgo.Record{Offset: int64(n), Value: encoder.Encode(nil, calls)}); err != nil {
			t.Fatal(err)
		}
	}
	const blocks = 400
	var filled int64
	for b := range blocks {
		calls := make([]*schema.Call, wire.MaxBlock)
		for i := range calls {
			calls[i] = inventedCall(b*wire.MaxBlock + i)
		}
		if block(b, calls...); b == blocks/4 {
			f.tape.records = nil
			filled = liveHeap()
		}
	}
	findings := 0
	for _, r := range f.tape.records {
		if r.Topic == wire.EventsTopic {
			findings++
		}
	}
	f.tape.records = nil
	if grown := liveHeap() - filled; grown > 4<<20 {
		t.Errorf("%d KB more are kept after %d blocks than after %d", grown>>10, blocks, blocks/4)
	}
	if a, r := f.state.Actors(), f.state.OpenRuns(); a > 1000+1 || r > 2000+256 {
		t.Errorf("%d actors and %d open runs are kept of limits of 8000", a, r)
	}
	if findings > 5000 {
		t.Errorf("%d finding events of %d calls", findings, blocks*wire.MaxBlock)
	}
	for i := range 3000 {
		c := inventedCall(blocks*wire.MaxBlock + i)
		c.AgentID, c.AgentTrust = fmt.Sprint("team/", i), schema.TrustInfrastructure
		c.RoutingKey, c.RunKey = "g:"+c.AgentID, "run"
		if block(blocks+i, c); f.state.RefusalsByStanding(schema.StandingEstablished) > 0 {
			t.Fatalf("run %d of an established agent has no place", i)
		}
	}
	runtime.KeepAlive(f)
}
