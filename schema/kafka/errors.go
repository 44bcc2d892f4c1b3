package kafka

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// lasting are the answers of a broker that stay until somebody changes its settings.
var lasting = []error{
	kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed,
	kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState,
}

// permanentError marks an error that no repetition cures.
type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// Permanent marks an error as one that no repetition cures; nil stays nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// IsPermanent reports whether an error stays until somebody does something: rights
// that are missing, a login that is refused, or what Permanent has marked.
func IsPermanent(err error) bool {
	var marked *permanentError
	if errors.As(err, &marked) {
		return true
	}
	return slices.ContainsFunc(lasting, func(e error) bool { return errors.Is(err, e) })
}

// IsUnreachable reports whether a request failed because no broker was there to take
// it: the same request can be made again.
func IsUnreachable(err error) bool {
	var op *net.OpError
	return kgo.IsRetryableBrokerErr(err) || errors.As(err, &op)
}

// isEnd reports whether an error only says that the end was asked for.
func isEnd(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, kgo.ErrClientClosed)
}

// ErrorClass is a label for an error, from a bounded set.
func ErrorClass(err error) string {
	var broker *kerr.Error
	var loss *kgo.ErrDataLoss
	switch {
	case err == nil:
		return "none"
	case errors.As(err, &loss):
		return "data_loss"
	case errors.As(err, &broker):
		return brokerClass(broker)
	case errors.Is(err, context.DeadlineExceeded), os.IsTimeout(err):
		return "timeout"
	case errors.Is(err, context.Canceled), errors.Is(err, kgo.ErrClientClosed):
		return "closed"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), IsUnreachable(err):
		return "unreachable"
	case errors.Is(err, kgo.ErrRecordTimeout), errors.Is(err, kgo.ErrRecordRetries), errors.Is(err, kgo.ErrMaxBuffered):
		return "not_delivered"
	}
	return "other"
}

func brokerClass(err *kerr.Error) string {
	switch err {
	case kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed,
		kerr.TransactionalIDAuthorizationFailed:
		return "not_authorized"
	case kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState:
		return "not_authenticated"
	case kerr.UnknownTopicOrPartition, kerr.UnknownTopicID, kerr.InconsistentTopicID:
		return "unknown_topic"
	case kerr.OffsetOutOfRange:
		return "offset_out_of_range"
	case kerr.RebalanceInProgress, kerr.IllegalGeneration, kerr.UnknownMemberID, kerr.FencedInstanceID,
		kerr.StaleMemberEpoch, kerr.FencedMemberEpoch:
		return "group_membership"
	case kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord, kerr.CorruptMessage:
		return "bad_record"
	}
	if err.Retriable {
		return "broker_retriable"
	}
	return "broker_refused"
}
