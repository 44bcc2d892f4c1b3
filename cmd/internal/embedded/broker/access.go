package broker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
)

// Access rules:
//
//   - Flyball's own processes authenticate as User with the deployment's password (SASL PLAIN) and may do everything.
//   - On loopback, all other clients may write, read and create topics and use consumer groups, except those with the
//     prefixes of Flyball's own names. They may not delete topics or records or change settings, because input records
//     that were not read yet would be lost.
//   - On other addresses, clients authenticate as Options.Shipper, with the same rights as clients on loopback.
//
// kfake enforces these rules for every request that names a topic, a group or a transaction. It does not enforce rules for
// API versions, DescribeCluster and the names in the response of FindCoordinator, which contain no data. It does not check
// which client a producer id was assigned to, so on loopback one shipper can disturb the record sequence of another in an
// input topic. PLAIN sends the password in clear text, which on loopback only root can read.

// User is the user name of Flyball's own processes.
const User = "flyball"

// ownPrefixes are the prefixes of the names of Flyball's own topics (flyball.calls) and groups (flyball-detect).
var ownPrefixes = []string{"flyball.", "flyball-"}

// Login is a user of the broker with its password.
type Login struct{ User, Password string }

// Mechanism returns the authentication of Flyball's own processes.
func Mechanism(password string) sasl.Mechanism {
	return plain.Auth{User: User, Pass: password}.AsMechanism()
}

// checkAccess returns an error if the options of authentication are invalid for this host.
func (o Options) checkAccess(host string) error {
	if o.Password == "" {
		return errors.New("embedded broker: no password for Flyball's own topics")
	}
	ip := net.ParseIP(host)
	if loopback := host == "localhost" || ip != nil && ip.IsLoopback(); !loopback && o.Shipper == nil {
		return fmt.Errorf("kafka.listen: %s is not loopback, and kafka.sasl is empty: who ships records from elsewhere must authenticate",
			o.Listen)
	}
	if s := o.Shipper; s != nil && (s.User == "" || s.Password == "" || s.User == User) {
		return fmt.Errorf("kafka.sasl: the embedded broker wants a user other than %s, and a password", User)
	}
	return nil
}

func (o Options) access() []kfake.Opt {
	opts := []kfake.Opt{kfake.EnableACLs(), kfake.Superuser("PLAIN", User, o.Password)}
	if o.Shipper != nil {
		// With SASL enabled, a connection that has not authenticated may not do anything.
		opts = append(opts, kfake.EnableSASL(), kfake.User("PLAIN", o.Shipper.User, o.Shipper.Password))
	}
	return opts
}

// rules returns the access rules of all clients except Flyball.
func (o Options) rules() []kmsg.CreateACLsRequestCreation {
	principal := "User:ANONYMOUS"
	if o.Shipper != nil {
		principal = "User:" + o.Shipper.User
	}
	var out []kmsg.CreateACLsRequestCreation
	add := func(permission kmsg.ACLPermissionType, kind kmsg.ACLResourceType, pattern kmsg.ACLResourcePatternType, name string,
		ops ...kmsg.ACLOperation) {
		for _, op := range ops {
			out = append(out, kmsg.CreateACLsRequestCreation{
				Principal: principal, Host: "*", ResourceType: kind, ResourceName: name, ResourcePatternType: pattern, Operation: op,
				PermissionType: permission,
			})
		}
	}
	for _, kind := range []kmsg.ACLResourceType{kmsg.ACLResourceTypeTopic, kmsg.ACLResourceTypeGroup, kmsg.ACLResourceTypeTransactionalId} {
		for _, prefix := range ownPrefixes {
			add(kmsg.ACLPermissionTypeDeny, kind, kmsg.ACLResourcePatternTypePrefixed, prefix, kmsg.ACLOperationAll)
		}
	}
	literal := kmsg.ACLResourcePatternTypeLiteral
	add(kmsg.ACLPermissionTypeAllow, kmsg.ACLResourceTypeTopic, literal, "*", kmsg.ACLOperationRead, kmsg.ACLOperationWrite,
		kmsg.ACLOperationCreate, kmsg.ACLOperationDescribe, kmsg.ACLOperationDescribeConfigs)
	add(kmsg.ACLPermissionTypeAllow, kmsg.ACLResourceTypeGroup, literal, "*", kmsg.ACLOperationRead, kmsg.ACLOperationDescribe)
	add(kmsg.ACLPermissionTypeAllow, kmsg.ACLResourceTypeTransactionalId, literal, "*", kmsg.ACLOperationWrite, kmsg.ACLOperationDescribe)
	add(kmsg.ACLPermissionTypeAllow, kmsg.ACLResourceTypeCluster, literal, "kafka-cluster", kmsg.ACLOperationIdempotentWrite)
	return out
}

// kept are the files in which kfake stores users and access rules. Their content has precedence over the options: an old password and old
// rules would stay valid.
var kept = []string{"sasl.json", "acls.json"}

// forget removes the stored users and rules, so that those of the options are used.
func forget(dir string) error {
	for _, name := range kept {
		if err := os.Remove(filepath.Join(dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// restrict creates the access rules.
func restrict(ctx context.Context, client *kgo.Client, o Options) error {
	create := kmsg.NewPtrCreateACLsRequest()
	create.Creations = o.rules()
	created, err := create.RequestWith(ctx, client)
	if err != nil {
		return err
	}
	for _, r := range created.Results {
		if err := kerr.ErrorForCode(r.ErrorCode); err != nil {
			return err
		}
	}
	return nil
}

// Running reports whether a broker of another process serves the directory now.
func Running(dir string) bool {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDONLY, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}
