package identity

import (
	"strings"
	"sync"
)

// cacheSize is the maximum number of results in a cache.
const cacheSize = 4096

// cache keeps results by the text that they follow from. When it is full, it is emptied. It is safe for concurrent use; the
// zero value is empty.
type cache[V any] struct {
	mu      sync.RWMutex
	results map[string]V
}

func (c *cache[V]) get(text string) (v V, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	v, ok = c.results[text]
	return v, ok
}

// put keeps a copy of the text, which may be a part of a record.
func (c *cache[V]) put(text string, v V) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.results == nil {
		c.results = map[string]V{}
	}
	if len(c.results) >= cacheSize {
		clear(c.results)
	}
	c.results[strings.Clone(text)] = v
}
