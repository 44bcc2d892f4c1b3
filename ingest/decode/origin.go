package decode

import (
	"cmp"

	"flyball/ingest/fields"
	"flyball/schema"
)

// addOrigin stores where the line comes from according to the shipper: pod, namespace, container and host. With envelope it also stores
// the time of shipping.
func (dec envelopeReader) addOrigin(pairs []fields.Pair, envelope bool) {
	for i := range pairs {
		switch v := pairs[i].Val; pairs[i].Key {
		case "kubernetes":
			dec.kubernetes(v)
		case "host", "hostname":
			if v.Kind == '{' {
				members, _, _ := dec.keys.Object(v.Raw, 0, nil)
				dec.put("host.name", cmp.Or(fields.Get(members, "name").Text(), fields.Get(members, "hostname").Text()))
			} else if envelope {
				dec.put("host.name", v.Text())
			}
		case "@timestamp", "timestamp", "time", "publishtime", "publish_time":
			if t := v.Text(); envelope && t != "" {
				dec.shipped = t
			}
		}
	}
}

func (dec envelopeReader) kubernetes(v fields.Value) {
	if v.Kind != '{' {
		return
	}
	members, _, _ := dec.keys.Object(v.Raw, 0, nil)
	name := func(key string) string {
		v := fields.Get(members, key)
		if v.Kind == '{' {
			inside, _, _ := dec.keys.Object(v.Raw, 0, nil)
			return fields.Get(inside, "name").Text()
		}
		return v.Text()
	}
	dec.put("k8s.pod.name", cmp.Or(name("pod_name"), name("pod")))
	dec.put("k8s.namespace.name", cmp.Or(name("namespace_name"), name("pod_namespace"), name("namespace")))
	dec.put("k8s.container.name", cmp.Or(name("container_name"), name("container")))
}

func (dec *decoder) put(key, v string) {
	if v != "" {
		dec.where = append(dec.where, schema.Attr{Key: key, Value: v})
	}
}
