package baselinestore

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/model/baseline"
	"flyball/schema/wire"
)

// layout of the time in a version.
const layout = "20060102T150405.000000000Z"

// VersionName of a tenant's version that was made at a time.
func VersionName(tenant string, made time.Time) string {
	return tenant + "/" + made.UTC().Format(layout)
}

// VersionTenant of a version.
func VersionTenant(version string) string {
	return version[:max(strings.LastIndexByte(version, '/'), 0)]
}

// VersionTime is when a version was made, by its name.
func VersionTime(version string) (time.Time, bool) {
	at, err := time.Parse(layout, version[strings.LastIndexByte(version, '/')+1:])
	return at, err == nil
}

// Versions of a tenant that can be read, the oldest first.
func Versions(ctx context.Context, kafka []kgo.Opt, tenant string) ([]string, error) {
	var out []string
	err := ForEachVersion(ctx, kafka, tenant, func(version string, _ []byte) { out = append(out, version) }, func(version string) {
		out = slices.DeleteFunc(out, func(v string) bool { return v == version })
	})
	return out, err
}

// ForEachVersion hands over the versions of a tenant as they are stored, in the order in which
// they were published, and those that are gone.
func ForEachVersion(ctx context.Context, kafka []kgo.Opt, tenant string, take func(version string, value []byte), gone func(version string)) error {
	return each(ctx, kafka, func(r *kgo.Record) {
		key := string(r.Key)
		switch {
		case !wire.IsBaseline(key) || VersionTenant(key) != tenant:
		case r.Value == nil:
			gone(key)
		default:
			take(key, r.Value)
		}
	})
}

// Decode decodes and checks a version.
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

// VersionBefore is the latest version of the same tenant that was made before one and can
// be scored by. Names of a tenant's versions sort by time.
func VersionBefore(ctx context.Context, kafka []kgo.Opt, version string) (*baseline.Baseline, error) {
	var last *baseline.Baseline
	err := ForEachVersion(ctx, kafka, VersionTenant(version), func(v string, value []byte) {
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
