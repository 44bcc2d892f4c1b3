// Package config is Flyball's configuration: one tree of structs with its defaults, read from
// YAML and the environment.
//
// It reports unknown keys (with the nearest known one), values out of range and contradictions
// before a part starts. It does not print secrets.
package config
