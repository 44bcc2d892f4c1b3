package config

import (
	"fmt"
	"os"
	"slices"

	"flyball/ingest/decode"
	"flyball/ingest/mapping"
)

// Formats are the names of the formats that an input can have without a mapping.
var Formats = decode.Formats()

// CompileMappings reads and compiles the files in mappings.
func (c Config) CompileMappings() ([]*mapping.Program, error) {
	var out []*mapping.Program
	for i, file := range c.Mappings {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("mappings[%d]: %w", i, err)
		}
		p, err := mapping.Compile(file, text)
		if err != nil {
			return nil, fmt.Errorf("mappings[%d]: %w", i, err)
		}
		for _, other := range out {
			if other.Name == p.Name {
				return nil, fmt.Errorf("mappings[%d]: %s has the name %q of another mapping", i, file, p.Name)
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// formatNames returns all formats that an input can have, including those of mappings.
func (c Config) formatNames(p *problems) []string {
	names := Formats
	programs, err := c.CompileMappings()
	if err != nil {
		p.add("%w", err)
	}
	for _, program := range programs {
		names = append(slices.Clip(names), program.Name)
	}
	return names
}
