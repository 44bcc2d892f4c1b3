package baselinestore

import (
	"errors"
	"slices"
	"testing"
	"time"

	"flyball/schema/wire"
)

func TestWithdrawnVersionIsNotTheLatest(t *testing.T) {
	b := newTopic(t, wire.BaselinesTopic)
	b.publish("acme/1")
	b.publish("acme/2")
	b.publish("other/3")
	b.withdraw("acme/2")
	ofTenant := func(v string) bool { return VersionTenant(v) == "acme" }
	body, err := LatestBaseline(t.Context(), b.cfg, ofTenant)
	if err != nil || body.Version != "acme/1" {
		t.Fatalf("%v, %v", body, err)
	}
	if _, err := LatestRoutes(t.Context(), b.cfg, "acme"); !errors.Is(err, ErrNotPublished) {
		t.Errorf("routes that nobody published: %v", err)
	}
	got, err := Versions(t.Context(), b.cfg, "acme")
	if err != nil || !slices.Equal(got, []string{"acme/1"}) {
		t.Errorf("%q, %v", got, err)
	}
}

// Before the first start the topic does not exist: the result is ErrNotPublished and not another error.
func TestTopicThatDoesNotExistHoldsNothing(t *testing.T) {
	b := newTopic(t)
	if _, err := LatestBaseline(t.Context(), b.cfg, func(string) bool { return true }); !errors.Is(err, ErrNotPublished) {
		t.Error(err)
	}
	if got, err := Versions(t.Context(), b.cfg, "acme"); err != nil || len(got) != 0 {
		t.Errorf("%q, %v", got, err)
	}
}

func TestVersionBeforeSkipsWhatCannotBeRead(t *testing.T) {
	b := newTopic(t, wire.BaselinesTopic)
	b.publish("acme/1")
	b.send("acme/2", []byte("{"))
	b.publish("acme/3")
	body, err := VersionBefore(t.Context(), b.cfg, "acme/3")
	if err != nil || body.Version != "acme/1" {
		t.Fatalf("%v, %v", body, err)
	}
	if _, err := VersionBefore(t.Context(), b.cfg, "acme/1"); !errors.Is(err, ErrNotPublished) {
		t.Error(err)
	}
}

func TestVersionNamesSortByTimeAndNameTheirTenant(t *testing.T) {
	at := time.Date(2027, 1, 31, 12, 0, 0, 5, time.FixedZone("", 3600))
	older, newer := VersionName("a/b", at), VersionName("a/b", at.Add(time.Nanosecond))
	if older >= newer {
		t.Errorf("%s does not sort before %s", older, newer)
	}
	if got := VersionTenant(older); got != "a/b" {
		t.Errorf("tenant %q", got)
	}
	if made, ok := VersionTime(older); !ok || !made.Equal(at) {
		t.Errorf("%s, %v", made, ok)
	}
	if _, ok := VersionTime("acme/latest"); ok || VersionTenant("latest") != "" {
		t.Error("a name without a time or a tenant has one")
	}
}
