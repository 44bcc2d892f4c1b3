// Command install downloads or builds the real parts that tests run against and stores them in the cache. It uses the ordinary clients of
// their registries. It does not install system packages.
package main

import (
	"fmt"
	"os"

	"flyball/cmd/internal/realparts"
)

func main() {
	failed := false
	for _, p := range []struct {
		name  string
		fetch func() (string, error)
	}{{"Apache Kafka " + realparts.KafkaVersion, realparts.FetchKafka}, {"Envoy " + realparts.EnvoyVersion, realparts.FetchEnvoy},
		{"Kustomize " + realparts.KustomizeVersion, realparts.FetchKustomize},
		{"kubernetes-validate " + realparts.KubernetesVersion, realparts.FetchKubernetesValidate},
		{"Caddy " + realparts.CaddyVersion, realparts.FetchCaddy},
		{"Schemathesis " + realparts.SchemathesisVersion, realparts.FetchSchemathesis}} {
		at, err := p.fetch()
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			failed = true
			continue
		}
		fmt.Println(p.name, "in", at)
	}
	if failed {
		os.Exit(1)
	}
}
