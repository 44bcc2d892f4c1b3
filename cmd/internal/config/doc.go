// Package config is Flyball's configuration: one struct tree, its defaults in
// one place, read from YAML and the environment.
//
// It refuses unknown keys (and names the nearest known one), values out of
// range and contradictions, before anything starts. It never prints a secret.
package config
