package clickhouse

import (
	"errors"
	"fmt"
	"net"
	"runtime"
	"time"
)

// Options are the settings of one engine, for the child that serves and for the supervisor that starts it.
type Options struct {
	Lib    string // the library; empty: Locate
	Path   string // data directory, one engine at a time
	Listen string // host:port of the HTTP interface
	// ReadListen is host:port of a second listener, where nobody writes. Empty: none.
	ReadListen string
	// Databases are the databases that analysts read; "*" is all.
	Databases []string

	// QuerySlots and InsertSlots are the numbers of statements that run at once. Inserts have their own slots, so that slow queries cannot
	// delay them.
	QuerySlots  int
	InsertSlots int
	// At most QueueLimit statements wait for a slot, each at most QueueWait. Further statements get the error TOO_MANY_SIMULTANEOUS_QUERIES.
	QueueLimit int
	QueueWait  time.Duration

	QueryThreads int   // max_threads of a query that does not set it
	Memory       int64 // maximum bytes of all statements together; one query may use half of it

	// LockWait is how long to wait until a former engine unlocks Path.
	LockWait time.Duration
	// DrainWait is the time for running statements when the engine stops.
	DrainWait time.Duration

	// User and Password, if set, are required from who writes, and from everybody unless AnonymousReads is set. They are mandatory if
	// Listen is not loopback: who writes can read and write files with the rights of this process (SQL has file()).
	User     string
	Password string
	// AnonymousReads admits requests without a password as analysts. Listen must be loopback.
	AnonymousReads bool

	// Config are further elements of the engine's configuration, in XML, before its own. Empty in the product: tests make a cluster by
	// it, or give the user other rights.
	Config string

	// Args are the arguments with which this executable calls Serve.
	Args []string
	// Env is added to the child's environment.
	Env []string
}

// DefaultOptions returns the defaults. Path is empty.
func DefaultOptions() Options {
	return Options{
		Listen:       "127.0.0.1:8123",
		Databases:    []string{"flyball"},
		QuerySlots:   4,
		InsertSlots:  2,
		QueueLimit:   256,
		QueueWait:    30 * time.Second,
		QueryThreads: max(1, runtime.NumCPU()/2),
		Memory:       4 << 30,
		LockWait:     15 * time.Second,
		DrainWait:    10 * time.Second,
	}
}

// withDefaults returns o with defaults for fields that are zero.
func (o Options) withDefaults() Options {
	d := DefaultOptions()
	set := func(v *int, def int) {
		if *v == 0 {
			*v = def
		}
	}
	wait := func(v *time.Duration, def time.Duration) {
		if *v == 0 {
			*v = def
		}
	}
	if o.Listen == "" {
		o.Listen = d.Listen
	}
	if len(o.Databases) == 0 {
		o.Databases = d.Databases
	}
	if o.Memory == 0 {
		o.Memory = d.Memory
	}
	set(&o.QuerySlots, d.QuerySlots)
	set(&o.InsertSlots, d.InsertSlots)
	set(&o.QueueLimit, d.QueueLimit)
	set(&o.QueryThreads, d.QueryThreads)
	wait(&o.QueueWait, d.QueueWait)
	wait(&o.LockWait, d.LockWait)
	wait(&o.DrainWait, d.DrainWait)
	return o
}

// Validate returns an error if an option is out of range or would make the engine reachable from other machines without a password.
func (o Options) Validate() error {
	if o.Path == "" {
		return errors.New("engine data directory is empty: name one by --data")
	}
	if _, _, err := net.SplitHostPort(o.Listen); err != nil {
		return fmt.Errorf("clickhouse.listen %q is no host:port: %w", o.Listen, err)
	}
	if o.ReadListen != "" {
		if _, _, err := net.SplitHostPort(o.ReadListen); err != nil {
			return fmt.Errorf("clickhouse.read_listen %q is no host:port: %w", o.ReadListen, err)
		}
	}
	protected := o.Password != "" && !o.AnonymousReads
	if !loopback(o.Listen) && !protected {
		return fmt.Errorf("clickhouse.listen %s is reachable from other machines: "+
			"set clickhouse.user and clickhouse.password_file, or listen on 127.0.0.1", o.Listen)
	}
	if o.ReadListen != "" && !loopback(o.ReadListen) && !protected {
		return fmt.Errorf("clickhouse.read_listen %s is reachable from other machines: "+
			"set clickhouse.user and clickhouse.password_file, or listen on 127.0.0.1", o.ReadListen)
	}
	for _, v := range []struct {
		name string
		n    int64
	}{{"query slots", int64(o.QuerySlots)}, {"insert slots", int64(o.InsertSlots)}, {"queue limit", int64(o.QueueLimit)},
		{"query threads", int64(o.QueryThreads)}} {
		if v.n < 1 {
			return fmt.Errorf("engine %s is %d, must be 1 or more", v.name, v.n)
		}
	}
	if o.Memory < 512<<20 {
		return fmt.Errorf("engine memory is %d bytes, must be 512 MiB or more", o.Memory)
	}
	return nil
}

// loopback reports whether an address is reachable only from this machine.
func loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// engineArgs returns the server settings for a small machine. The engine's defaults allow caches of 5 GB each. The engine has no system
// log tables, so these need no limits.
func (o Options) engineArgs() []string {
	return []string{
		"--path=" + o.Path,
		fmt.Sprintf("--max_server_memory_usage=%d", o.Memory),
		"--mark_cache_size=134217728",
		"--primary_index_cache_size=134217728",
		"--index_mark_cache_size=16777216",
		"--query_condition_cache_size=16777216",
		"--parquet_metadata_cache_size=1048576",
		"--iceberg_metadata_files_cache_size=1048576",
		"--vector_similarity_index_cache_size=1048576",
		"--text_index_tokens_cache_size=16777216",
		"--text_index_header_cache_size=16777216",
		"--text_index_postings_cache_size=16777216",
		"--compiled_expression_cache_size=16777216",
		"--mmap_cache_size=64",
		"--background_pool_size=2",
		"--background_schedule_pool_size=2",
		"--max_thread_pool_size=256",
	}
}
