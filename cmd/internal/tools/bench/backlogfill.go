package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// benchRoutes are the routes of the traffic. Orders are refunded, and files deleted; everything else is read.
var benchRoutes = []string{"/orders/%d", "/orders/%d/items", "/customers/%d", "/refunds/%d", "/search?q=%d", "/files/%d/content"}

// deletesOneIn: of the calls to files, so many are one deletion, so that one call in a hundred deletes. A run of an agent that
// nobody knows trips when it deletes three times in few calls, whatever its peers do: with a deletion in each sixth call,
// 37 % of the runs of twenty calls did.
const deletesOneIn = 16

// benchCall draws the method and path of a call.
func benchCall(r *rand.Rand) (method, path string) {
	method, path = "GET", benchRoutes[r.IntN(len(benchRoutes))]
	switch path {
	case "/refunds/%d":
		method = "POST"
	case "/files/%d/content":
		if r.IntN(deletesOneIn) == 0 {
			method = "DELETE"
		}
	}
	return method, fmt.Sprintf(path, r.IntN(100_000))
}

// fill writes what a gateway would have: about 655 bytes a record.
func fill(port int, topic string, n, agents int, seed uint64) (size int, err error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(fmt.Sprintf("127.0.0.1:%d", port)),
		kgo.AllowAutoTopicCreation(),
		kgo.DefaultProduceTopic(topic),
		kgo.MaxBufferedRecords(50_000),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
	)
	if err != nil {
		return 0, err
	}
	defer client.Close()
	r := rand.New(rand.NewPCG(seed, 9))
	base := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	var failed error
	for i := range n {
		a := r.IntN(agents)
		method, path := benchCall(r)
		v := fmt.Sprintf(
			`{"start_time":"%s","method":"%s","path":"%s","protocol":"HTTP/1.1","response_code":200,"response_flags":"-",`+
				`"response_code_details":"via_upstream","connection_termination_details":null,"bytes_received":%d,"bytes_sent":%d,"duration":%d,`+
				`"upstream_service_time":"%d","x_forwarded_for":"10.0.%d.%d","user_agent":"python-httpx/0.27.0","request_id":"%08x-6d84-429d-98bd-%012x",`+
				`"authority":"orders.internal","upstream_host":"10.1.2.3:8080","upstream_cluster":"outbound|8080||orders","x_agent_id":"agent-%d",`+
				`"x_agent_run_id":"`+topic+`-%d-%d","traceparent":"00-%016x%016x-%016x-01"}`,
			base.Add(time.Duration(i)*time.Millisecond).
				Format(time.RFC3339Nano),
			method,
			path,
			r.IntN(500),
			r.IntN(5000),
			r.IntN(100),
			r.IntN(100),
			a/256,
			a%256,
			r.Uint32(),
			r.Int64N(1<<47),
			a,
			a,
			i/1_000_000,
			r.Uint64(),
			r.Uint64()|1,
			r.Uint64()|1,
		)
		size = len(v)
		client.Produce(context.Background(), &kgo.Record{Value: []byte(v)}, func(_ *kgo.Record, err error) {
			if err != nil {
				failed = err
			}
		})
	}
	if err := client.Flush(context.Background()); err != nil {
		return size, err
	}
	return size, failed
}
