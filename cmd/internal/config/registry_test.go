package config

import (
	"strings"
	"testing"
)

func TestRegistryThatCannotBeMeantIsAccepted(t *testing.T) {
	for text, want := range map[string]string{
		"{urls: ['registry:8081']}":                              "kafka.schema_registry.urls[0]: not an address such as http://registry:8081",
		"{urls: ['http://ana:hunter2@registry:8081']}":           "kafka.schema_registry.urls[0]: contains a login",
		"{user: ana, password_file: /x}":                         "kafka.schema_registry.urls: empty",
		"{urls: ['http://registry:8081'], user: ana}":            "kafka.schema_registry.user and .password_file: one is set without the other",
		"{urls: ['https://registry:8081'], tls: {cert: /x.pem}}": "kafka.schema_registry.tls",
	} {
		c, err := load(t, "kafka: {schema_registry: "+text+"}")
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Validate(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}
