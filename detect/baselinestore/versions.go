package baselinestore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/model/baseline"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// timeLayout is the layout of the time in a version's name. With it, names of one tenant sort by time.
const timeLayout = "20060102T150405.000000000Z"

// VersionName returns the name of a tenant's version that was made at a time.
func VersionName(tenant string, made time.Time) string {
	return tenant + "/" + made.UTC().Format(timeLayout)
}

// VersionTenant returns the tenant in a version's name; empty when the name has none.
func VersionTenant(version string) string {
	return version[:max(strings.LastIndexByte(version, '/'), 0)]
}

// VersionTime returns the time in a version's name. ok is false when the name has no time.
func VersionTime(version string) (time.Time, bool) {
	at, err := time.Parse(timeLayout, version[strings.LastIndexByte(version, '/')+1:])
	return at, err == nil
}

// Versions returns the names of a tenant's versions in the order in which they were published, without those that were
// withdrawn.
func Versions(ctx context.Context, cfg kafka.Config, tenant string) ([]string, error) {
	var out []string
	published := func(version string, _ []byte) { out = append(out, version) }
	withdrawn := func(version string) {
		out = slices.DeleteFunc(out, func(v string) bool { return v == version })
	}
	err := ForEachVersion(ctx, cfg, tenant, published, withdrawn)
	return out, err
}

// ForEachVersion reads a tenant's versions in the order in which they were published. It calls published with each
// version as it is stored, and withdrawn for a version that is no longer valid from there on.
func ForEachVersion(ctx context.Context, cfg kafka.Config, tenant string,
	published func(version string, value []byte), withdrawn func(version string)) error {
	_, err := readToEnd(ctx, cfg, func(r *kgo.Record) {
		key := string(r.Key)
		switch {
		case !wire.IsBaseline(key) || VersionTenant(key) != tenant:
		case r.Value == nil:
			withdrawn(key)
		default:
			published(key, r.Value)
		}
	})
	return err
}

// Decode decodes a stored version and checks it. Errors name the version.
func Decode(version string, value []byte) (*baseline.Baseline, error) {
	body, err := wire.DecodeDocument[baseline.Baseline](value, wire.BaselineVersion)
	if err == nil {
		err = body.Check()
	}
	if err != nil {
		return nil, fmt.Errorf("baseline %s: %w", version, err)
	}
	return &body, nil
}

// VersionBefore returns the newest version of the same tenant that is older than version and can be decoded, or
// ErrNotPublished. Withdrawn versions count as long as the topic holds them.
func VersionBefore(ctx context.Context, cfg kafka.Config, version string) (*baseline.Baseline, error) {
	var last *baseline.Baseline
	err := ForEachVersion(ctx, cfg, VersionTenant(version), func(v string, value []byte) {
		if v >= version || last != nil && v < last.Version {
			return
		}
		if body, err := Decode(v, value); err == nil {
			last = body
		}
	}, func(string) {})
	if err == nil && last == nil {
		err = ErrNotPublished
	}
	return last, err
}
