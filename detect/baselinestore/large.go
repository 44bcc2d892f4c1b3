package baselinestore

import "github.com/twmb/franz-go/pkg/kgo"

// maxDocument bounds a document as text. The size limit of the topic applies to the compressed record, which is about a
// twelfth of the text.
const maxDocument = 200 << 20

// WriterOptions are the options of clients that write documents to flyball.baselines. By default a client refuses a record of
// more than a megabyte before it compresses it: a full table of learned routes, and of orders about them, has more.
func WriterOptions() []kgo.Opt {
	return []kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(maxDocument),
		kgo.BrokerMaxWriteBytes(maxDocument), kgo.ProducerBatchCompression(kgo.ZstdCompression(), kgo.GzipCompression())}
}
