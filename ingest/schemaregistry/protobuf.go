package schemaregistry

import (
	"context"
	"errors"
	"maps"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

// protobufDecoder reads the messages of one Protobuf file.
type protobufDecoder struct{ file protoreflect.FileDescriptor }

// mainFile is the name under which the schema itself is compiled.
const mainFile = "flyball-schema.proto"

func newProtobuf(text string, parts map[string]string) (decoder, error) {
	files := map[string]string{mainFile: text}
	maps.Copy(files, parts)
	compiler := protocompile.Compiler{Resolver: protocompile.WithStandardImports(&protocompile.SourceResolver{
		Accessor: protocompile.SourceAccessorFromMap(files)})}
	out, err := compiler.Compile(context.Background(), mainFile)
	if err != nil {
		return nil, err
	}
	return protobufDecoder{out[0]}, nil
}

func (d protobufDecoder) json(payload []byte) ([]byte, error) {
	message, payload, err := d.message(payload)
	if err != nil {
		return nil, err
	}
	m := dynamicpb.NewMessage(message)
	if err := (proto.UnmarshalOptions{RecursionLimit: 64, DiscardUnknown: true}).Unmarshal(payload, m); err != nil {
		return nil, errors.New("the payload is none of that Protobuf message, or is cut off")
	}
	return protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
}

// message reads the indexes of the message in front of the payload: their number, and the index at each level of nesting, as zigzag
// numbers. The number 0 stands for the first message of the file.
func (d protobufDecoder) message(b []byte) (protoreflect.MessageDescriptor, []byte, error) {
	n, size := protowire.ConsumeVarint(b)
	if size < 0 {
		return nil, nil, errors.New("no message index in front of the payload")
	}
	b = b[size:]
	count := protowire.DecodeZigZag(n)
	if count < 0 || count > 16 {
		return nil, nil, errors.New("the message index in front of the payload is none")
	}
	index := make([]int64, max(count, 1))
	for i := range count {
		v, size := protowire.ConsumeVarint(b)
		if size < 0 {
			return nil, nil, errors.New("the message index in front of the payload is cut off")
		}
		index[i], b = protowire.DecodeZigZag(v), b[size:]
	}
	at := d.file.Messages()
	var m protoreflect.MessageDescriptor
	for _, i := range index {
		if i < 0 || i >= int64(at.Len()) {
			return nil, nil, errors.New("the message index in front of the payload is of no message of the schema")
		}
		m = at.Get(int(i))
		at = m.Messages()
	}
	return m, b, nil
}
