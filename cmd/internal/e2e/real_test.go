package e2e

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"flyball/cmd/internal/realparts"
)

func realKafka(t *testing.T) *realparts.Kafka {
	k := realparts.StartKafka(t)
	for _, topic := range []string{"gateway-logs", "otlp_spans"} {
		k.CreateTopic(topic, 4)
	}
	return k
}

// The same path with Apache Kafka, which is killed during the load.
func TestRealKafkaKilledInTheMiddle(t *testing.T) {
	k := realKafka(t)
	tr := makeTraffic(11, 600, 10)
	f := install(t, k.Addr(), "").start()
	const kills = 10
	for i := range kills {
		f.replay(tr.write(t, i*len(tr.lines)/kills, (i+1)*len(tr.lines)/kills))
		stored := f.sqlInt("SELECT count() FROM flyball.calls")
		k.Kill9()
		fmt.Printf("kill %d of Kafka: %d sent, %d stored\n", i+1, (i+1)*len(tr.lines)/kills, stored)
		k.Start()
	}
	f.storedOnce(tr.calls, 120*time.Second)
	f.checkRuns(tr)
	// Flyball is killed too, while the other records are not yet stored.
	f.kill9()
	f.start()
	f.storedOnce(tr.calls, 60*time.Second)
	f.checkRuns(tr)
}

// The access log of a real gateway, sent by a real shipper.
func TestRealEnvoyShippedByRsyslog(t *testing.T) {
	k := realKafka(t)
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/404") {
			w.WriteHeader(404)
		}
		fmt.Fprintf(w, "%s %s", r.Method, r.URL.Path)
	}))
	defer upstream.Close()
	envoy := realparts.StartEnvoy(t, upstream.Listener.Addr().String())
	realparts.StartRsyslog(t, envoy.Log, k.Addr(), "gateway-logs")
	f := install(t, k.Addr(), "").start()

	const runs, calls = 5, 20
	for run := range runs {
		for i := range calls {
			method := []string{"GET", "POST", "DELETE"}[i%3]
			req, err := http.NewRequest(method, fmt.Sprintf("%s/orders/%d", envoy.URL, 1000+i), bytes.NewReader([]byte("{}")))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("x-agent-id", "invoice-agent")
			req.Header.Set("x-agent-run-id", fmt.Sprint("real-run-", run))
			r, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, r.Body)
			r.Body.Close()
		}
	}
	f.until("calls through Envoy", 60*time.Second, strconv.Itoa(runs*calls), func() (string, error) {
		return f.sql("SELECT count() FROM flyball.calls WHERE run_key LIKE 'real-run-%'")
	})
	got, err := f.sql("SELECT uniqExact(run_id), any(agent_id), any(format), uniqExact(request_id), countIf(status = 200) FROM " +
		"flyball.calls WHERE run_key LIKE 'real-run-%'")
	if want := fmt.Sprintf("%d\tinvoice-agent\tenvoy_json/1\t%d\t%d", runs, runs*calls, runs*calls); err != nil || got != want {
		t.Fatalf("got %q, %v; want %q", got, err, want)
	}
	var touched struct {
		Calls     int
		Resources []struct{ Resource, Reversibility string }
	}
	f.until("touched", 20*time.Second, "20", func() (string, error) {
		f.json(&touched, "touched", "real-run-3")
		return strconv.Itoa(touched.Calls), nil
	})
	if touched.Resources[0].Reversibility != "irreversible" || touched.Resources[0].Resource != "order:1002" {
		t.Fatalf("most dangerous first: %+v", touched.Resources[0])
	}
}

// Spans of a real OpenTelemetry SDK, written to Kafka as the collector's exporter does: the
// unchanged bytes of the export request.
func TestRealOpenTelemetrySDK(t *testing.T) {
	k := realKafka(t)
	f := install(t, k.Addr(), "").start()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Addr()), kgo.DefaultProduceTopic("otlp_spans"))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if err := client.ProduceSync(r.Context(), &kgo.Record{Value: body}).FirstErr(); err != nil {
			http.Error(w, err.Error(), 500)
		}
	}))
	defer collector.Close()
	ctx := context.Background()
	provider := func(service string) *sdktrace.TracerProvider {
		exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(collector.URL+"/v1/traces"))
		if err != nil {
			t.Fatal(err)
		}
		return sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter),
			sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", service))))
	}
	agent, api, db := provider("refund-agent"), provider("orders-api"), provider("ledger")
	root, rootSpan := agent.Tracer("t").Start(ctx, "invoke_agent refunds", trace.WithAttributes(
		attribute.String("gen_ai.operation.name", "invoke_agent"), attribute.String("gen_ai.agent.name", "refunds"),
		attribute.String("gen_ai.agent.id", "refunds-1")))
	for i := range 3 {
		call, span := agent.Tracer("t").Start(root, "POST", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
			attribute.String("http.request.method", "POST"), attribute.String("url.full", fmt.Sprintf("http://orders/orders/%d/refunds", i))))
		served, server := api.Tracer("t").Start(call, "POST", trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
			attribute.String("http.request.method", "POST"), attribute.String("url.path", fmt.Sprintf("/orders/%d/refunds", i)),
			attribute.String("http.route", "/orders/{id}/refunds"), attribute.Int("http.response.status_code", 201)))
		_, deep := db.Tracer("t").Start(served, "PUT", trace.WithSpanKind(trace.SpanKindServer), trace.WithAttributes(
			attribute.String("http.request.method", "PUT"), attribute.String("url.path", fmt.Sprintf("/ledger/%d", i)),
			attribute.Int("http.response.status_code", 200)))
		deep.End()
		server.End()
		span.End()
	}
	rootSpan.End()
	for _, p := range []*sdktrace.TracerProvider{agent, api, db} {
		if err := p.Shutdown(ctx); err != nil {
			t.Fatal(err)
		}
	}
	f.until("spans stored", 60*time.Second, "10", func() (string, error) { return f.sql("SELECT count() FROM flyball.calls") })
	run := ""
	f.until("the agent's run", 30*time.Second, "4", func() (string, error) {
		got, err := f.sql("SELECT run_id, calls FROM flyball.runs WHERE agent_id = 'refunds-1' AND run_rule = 'agent_span'")
		id, calls, _ := strings.Cut(got, "\t")
		run = id
		return calls, err
	})
	var touched struct {
		Resources []struct {
			Resource string
			Via      []string
		}
	}
	f.json(&touched, "touched", run)
	via := ""
	for _, r := range touched.Resources {
		if strings.HasPrefix(r.Resource, "ledger:") {
			via = strings.Join(r.Via, ",")
		}
	}
	if via != "ledger" {
		t.Fatalf("the database behind the service behind the agent is missing: %+v", touched.Resources)
	}
}
