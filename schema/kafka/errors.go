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

// lasting are the errors of a broker that remain until its settings are changed.
var lasting = []error{
	kerr.TopicAuthorizationFailed, kerr.GroupAuthorizationFailed, kerr.ClusterAuthorizationFailed,
	kerr.SaslAuthenticationFailed, kerr.UnsupportedSaslMechanism, kerr.IllegalSaslState,
}

// lastingConnect are the reasons of a failed connection that remain until settings are changed. A
// broker that stops or starts can cause the others.
var lastingConnect = []ConnectReason{UnknownAuthority, WrongCertificate, CertificateWanted, TLSRequired}

// permanentError marks an error that a retry cannot resolve.
type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }

// Permanent marks an error as one that a retry cannot resolve; nil stays nil.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// IsPermanent reports whether an error remains until an operator acts: missing rights, a
// rejected login, or an error marked by Permanent.
func IsPermanent(err error) bool {
	var marked *permanentError
	var connect *ConnectError
	if errors.As(err, &marked) || errors.As(err, &connect) && slices.Contains(lastingConnect, connect.Reason) {
		return true
	}
	return slices.ContainsFunc(lasting, func(e error) bool { return errors.Is(err, e) })
}

// IsUnreachable reports whether a request failed because no broker could be reached. The same
// request can be sent again.
func IsUnreachable(err error) bool {
	var op *net.OpError
	return kgo.IsRetryableBrokerErr(err) || errors.As(err, &op)
}

// isEnd reports whether an error only means that the operation was ended by its caller.
func isEnd(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, kgo.ErrClientClosed)
}

// errorClass returns a label for an error, from a bounded set.
func errorClass(err error) string {
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
