package config

import (
	"fmt"
	"net/url"
)

// validate checks the schema registry.
func (r SchemaRegistry) validate(p *problems) {
	for i, text := range r.URLs {
		at := fmt.Sprintf("kafka.schema_registry.urls[%d]", i)
		switch u, err := url.Parse(text); {
		case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
			p.add("%s: not an address such as http://registry:8081", at)
		case u.User != nil:
			p.add("%s: contains a login; set kafka.schema_registry.user and .password_file", at)
		}
	}
	r.TLS.validate(p, "kafka.schema_registry.tls", false)
	switch {
	case len(r.URLs) == 0 && (r.User != "" || r.PasswordFile != "" || r.TLS != TLS{}):
		p.add("kafka.schema_registry.urls: empty, and other keys of kafka.schema_registry are set: name the registry, or remove them")
	case (r.User == "") != (r.PasswordFile == ""):
		p.add("kafka.schema_registry.user and .password_file: one is set without the other")
	}
}
