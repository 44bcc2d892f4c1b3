package ocsf

import (
	"encoding/json"
	"strings"
	"time"
)

// Version is the version of the framework that the events follow.
const Version = "1.9.0"

// Event is one event. Its JSON has sorted keys.
type Event map[string]any

// object is a part of an event.
type object = map[string]any

// Classes and categories of the events.
const (
	ClassDetectionFinding = 2004
	ClassAPIActivity      = 6003

	categoryFindings    = 2
	categoryApplication = 6
)

// Producer names who writes the events.
type Producer struct {
	Version    string // of Flyball
	Deployment string // id of the deployment; empty: not known
	// Key signs events; nil: they have a fingerprint and no signature.
	Key []byte
}

// ID returns metadata.uid, by which a receiver drops repeats.
func (e Event) ID() string {
	m, _ := e["metadata"].(object)
	id, _ := m["uid"].(string)
	return id
}

// JSON returns the event in one line, without a line break at its end.
func (e Event) JSON() ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(e); err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}

// begin returns an event with what all classes require.
func (p Producer) begin(category, class, activity int, at time.Time, uid, tenant string, profiles ...string) Event {
	product := object{"name": "Flyball", "vendor_name": "Flyball"}
	put(product, "version", p.Version)
	metadata := object{"version": Version, "product": product, "uid": uid, "profiles": profiles}
	put(metadata, "tenant_uid", tenant)
	return Event{"category_uid": category, "class_uid": class, "activity_id": activity, "type_uid": class*100 + activity,
		"time": at.UnixMilli(), "metadata": metadata}
}

// put sets a text that is known.
func put(o object, name, value string) {
	if value != "" {
		o[name] = value
	}
}

// putTime sets a time that is known, in milliseconds.
func putTime(o object, name string, at time.Time) {
	if !at.IsZero() {
		o[name] = at.UnixMilli()
	}
}

// list is a list of objects. Its JSON is an array also with one.
func list(objects ...object) []any {
	out := make([]any, len(objects))
	for i, o := range objects {
		out[i] = o
	}
	return out
}
