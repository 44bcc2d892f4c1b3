package schemaregistry

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
	"golang.org/x/time/rate"
)

// Options configure a Registry.
type Options struct {
	URLs     []string
	User     string
	Password string
	TLS      *tls.Config // of https URLs; nil: the system's authorities
	// Now is the clock by which failed requests are repeated.
	Now func() time.Time
	// Wait is for how long a record waits for a registry that does not answer; 0: 20 s.
	Wait time.Duration
}

const (
	// maxSchemas is the maximum number of schemas that are kept.
	maxSchemas = 2048
	// askAgain is when a schema is asked for again after the registry did not have it or did not answer.
	askAgain = 30 * time.Second
	// maxPayload is the maximum size of a payload in bytes.
	maxPayload = 8 << 20
)

// decoder reads the payload of one schema. index are the message indexes of Protobuf.
type decoder interface {
	json(payload []byte) ([]byte, error)
}

// Registry gives records as JSON. It is safe for concurrent use.
type Registry struct {
	client *sr.Client
	now    func() time.Time
	wait   time.Duration
	limit  *rate.Limiter

	mu      sync.Mutex
	schemas map[uint32]*entry
}

// entry is one schema, or the reason why there is none.
type entry struct {
	ready chan struct{}
	dec   decoder
	err   error
	again time.Time // when to ask again after err; zero: never
}

// New returns a Registry. It does not connect.
func New(o Options) (*Registry, error) {
	if len(o.URLs) == 0 {
		return nil, errors.New("kafka.schema_registry.urls: empty")
	}
	transport := &http.Transport{TLSClientConfig: o.TLS, Proxy: http.ProxyFromEnvironment}
	opts := []sr.ClientOpt{sr.URLs(o.URLs...), sr.UserAgent("flyball"),
		sr.HTTPClient(&http.Client{Timeout: 5 * time.Second, Transport: transport})}
	if o.User != "" {
		opts = append(opts, sr.BasicAuth(o.User, o.Password))
	}
	client, err := sr.NewClient(opts...)
	if err != nil {
		return nil, fmt.Errorf("kafka.schema_registry: %w", err)
	}
	if o.Wait == 0 {
		o.Wait = 20 * time.Second
	}
	return &Registry{client: client, now: o.Now, wait: o.Wait, limit: rate.NewLimiter(10, 20), schemas: map[uint32]*entry{}}, nil
}

// JSON returns the payload of a record in the Confluent wire format (a zero byte, the schema's id, the payload) as JSON. The error never
// contains bytes of the record.
func (r *Registry) JSON(framed []byte) ([]byte, error) {
	if len(framed) < 6 || framed[0] != 0 {
		return nil, errors.New("no payload behind a schema id")
	}
	if len(framed) > maxPayload {
		return nil, fmt.Errorf("%d bytes, at most %d are read", len(framed), maxPayload)
	}
	id := binary.BigEndian.Uint32(framed[1:5])
	dec, err := r.schema(id)
	if err != nil {
		return nil, fmt.Errorf("schema %d: %w", id, err)
	}
	out, err := dec.json(framed[5:])
	if err != nil {
		return nil, fmt.Errorf("schema %d: %w", id, err)
	}
	return out, nil
}

// schema returns the decoder of a schema. The first caller asks the registry; others wait for its answer.
func (r *Registry) schema(id uint32) (decoder, error) {
	r.mu.Lock()
	e := r.schemas[id]
	if e != nil && !e.again.IsZero() && r.now().After(e.again) {
		e = nil
	}
	if e != nil {
		r.mu.Unlock()
		<-e.ready
		return e.dec, e.err
	}
	if !r.limit.AllowN(r.now(), 1) {
		r.mu.Unlock()
		return nil, errors.New("too many unknown schema ids in a second; replay the dead letters later")
	}
	if len(r.schemas) >= maxSchemas {
		r.forget()
	}
	e = &entry{ready: make(chan struct{})}
	r.schemas[id] = e
	r.mu.Unlock()

	dec, err := r.ask(id)
	r.mu.Lock()
	if e.dec, e.err = dec, err; err != nil {
		e.again = r.now().Add(askAgain)
	}
	r.mu.Unlock()
	close(e.ready)
	return dec, err
}

// forget removes the failed requests, and all schemas if that is not enough. r.mu is held.
func (r *Registry) forget() {
	for id, e := range r.schemas {
		if !e.again.IsZero() {
			delete(r.schemas, id)
		}
	}
	if len(r.schemas) >= maxSchemas {
		clear(r.schemas)
	}
}

// ask reads a schema from the registry. It asks again while the registry does not answer, for at most r.wait.
func (r *Registry) ask(id uint32) (decoder, error) {
	ctx, cancel := context.WithTimeout(context.Background(), r.wait)
	defer cancel()
	for pause := 200 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		dec, err := r.read(ctx, id)
		var answer *sr.ResponseError
		if err == nil || errors.As(err, &answer) && answer.StatusCode < 500 && answer.StatusCode != http.StatusTooManyRequests ||
			errors.Is(err, errSchema) {
			return dec, err
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("the registry (kafka.schema_registry.urls) did not answer in %s; replay the dead letters when it does: %w",
				r.wait, err)
		case <-time.After(pause):
		}
	}
}

// errSchema marks a schema that the registry has and that cannot be used.
var errSchema = errors.New("the schema cannot be used")

func (r *Registry) read(ctx context.Context, id uint32) (decoder, error) {
	s, err := r.client.SchemaByID(ctx, int(id))
	if err != nil {
		return nil, err
	}
	parts, err := r.references(ctx, s, map[string]string{}, 0)
	if err != nil {
		return nil, err
	}
	var dec decoder
	switch s.Type {
	case sr.TypeAvro:
		dec, err = newAvro(s.Schema, parts)
	case sr.TypeProtobuf:
		dec, err = newProtobuf(s.Schema, parts)
	case sr.TypeJSON:
		dec = plainJSON{}
	default:
		err = fmt.Errorf("its type %s is not known", s.Type)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errSchema, err)
	}
	return dec, nil
}

// maxReferences is the maximum number of schemas that one refers to, and maxDepth how deep references may be nested.
const (
	maxReferences = 64
	maxDepth      = 8
)

// references reads the schemas that s refers to, by the name under which it does.
func (r *Registry) references(ctx context.Context, s sr.Schema, into map[string]string, depth int) (map[string]string, error) {
	if depth > maxDepth || len(into)+len(s.References) > maxReferences {
		return nil, fmt.Errorf("%w: more than %d references", errSchema, maxReferences)
	}
	for _, ref := range s.References {
		if _, have := into[ref.Name]; have {
			continue
		}
		part, err := r.client.SchemaByVersion(ctx, ref.Subject, ref.Version)
		if err != nil {
			return nil, fmt.Errorf("reference %q: %w", ref.Name, err)
		}
		into[ref.Name] = part.Schema.Schema
		if _, err := r.references(ctx, part.Schema, into, depth+1); err != nil {
			return nil, err
		}
	}
	return into, nil
}

// plainJSON is the decoder of JSON Schema: its payload is JSON.
type plainJSON struct{}

func (plainJSON) json(payload []byte) ([]byte, error) { return payload, nil }
