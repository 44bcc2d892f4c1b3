package config

func (Config) about() abouts {
	return abouts{
		"tenant": {Meaning: "Tenant that calls belong to whose records name none.", Wrong: "flyball-canary",
			Refused: "empty; flyball-canary, which is that of flyball canary"},
		"data": {Meaning: "Folder for the files of the embedded broker and engine, and for the key.", Form: "folder",
			Wrong: "/dev/null", Refused: "what is no folder"},
		"kafka":      {Meaning: "The broker, its topics and the inputs."},
		"clickhouse": {Meaning: "The database."},
		"control":    {Meaning: "The enforcement point, and its listener for operators and tools."},
		"check":      {Meaning: "The listener for gateways."},
		"metrics":    {Meaning: "The listener for /metrics, /healthz, /readyz and /status. It has no authentication."},
		"secret_key_file": {Meaning: "HMAC key of the deployment, at least 16 bytes in hexadecimal (openssl rand -hex 32). Empty: up makes " +
			"secret.key in the data folder; ingest and control alone need it.", Wrong: "/nowhere/secret.key",
			Refused: "a file that cannot be read or holds no key; empty for the roles ingest and control alone"},
		"detect": {Meaning: "The detector: what it decides, its limits of memory, its intervals."},
		"learn":  {Meaning: "How baselines are learned from closed runs."},
		"mappings": {Meaning: "Files that describe the records of other gateways; the name in a file is a format for kafka.inputs.",
			Wrong: "[/nowhere/mapping.yaml]", Refused: "a file that cannot be read or is no mapping; two with one name"},
		"routes": {Meaning: "Routes that the operator declares; they come before what is learned."},
		"agents": {Meaning: "The registry: which credential belongs to which agent."},
		"alerts": {Meaning: "Pages: receivers, and who gets which."},
		"siem":   {Meaning: "Where findings are written for a SIEM. It is part of the role alert."},
		"disk":   {Meaning: "The guard of the disks of the data folder and of ClickHouse."},
		"canary": {Meaning: "The synthetic agent that measures the path from a log line to a page."},
	}
}

func (Kafka) about() abouts {
	return abouts{
		"brokers": {Meaning: "Addresses of Kafka. Empty: up starts an embedded broker on kafka.listen.", Form: "list of host:port",
			Wrong: "['kafka://k1:9092']", Refused: "an address with a scheme, without a port, or with port 0"},
		"listen": {Meaning: "Address of the embedded broker.", Form: "host:port", Wrong: "localhost",
			Refused: "no host:port; an address of another listener; other than loopback without kafka.sasl"},
		"sync": {Meaning: "The embedded broker writes to the disk before it acknowledges a record: it survives a loss of power."},
		"partitions": {Meaning: "Partitions of flyball.calls and of what follows from it. Fixed when the topics are made.", Wrong: "0",
			Refused: "below 1; above 4096"},
		"tls":  {Meaning: "TLS to the brokers. Refused with the embedded broker."},
		"sasl": {Meaning: "Login to the brokers; with the embedded broker, that of those who send records."},
		"min_free_mib": {Meaning: "Space of the disk that the embedded broker keeps free, at most a tenth of the disk. Below it, new " +
			"records are " +
			"refused; below a quarter of it, all but commands. 0: none.", Form: "MiB", Wrong: "-1", Refused: "below 0"},
		"retention": {Meaning: "How long Flyball's own topics are kept. A key that is not set leaves an existing topic as it is."},
		"inputs":    {Meaning: "Topics to read.", Refused: "empty"},
		"schema_registry": {Meaning: "Confluent-compatible registry of the schemas of records in Avro and Protobuf. Without urls there " +
			"is none."},
	}
}

func (SchemaRegistry) about() abouts {
	return abouts{
		"urls": {Meaning: "Addresses of the registry.", Form: "list of URLs", Wrong: "['registry:8081']",
			Refused: "no http or https URL; a URL with a login; empty while other keys are set"},
		"user": {Meaning: "User of the registry.", Refused: "without password_file"},
		"password_file": {Meaning: "File with the password of the user.", Wrong: "/nowhere/password",
			Refused: "a file that cannot be read; without user"},
		"tls": {Meaning: "TLS to the registry."},
	}
}

func (TLS) about() abouts {
	return abouts{
		"ca": {Meaning: "Certificates of authorities. A client trusts servers of these (empty: those of the system); a listener requires a " +
			"certificate of one of them from its clients (empty: none).", Wrong: "/nowhere/ca.pem",
			Refused: "a file that cannot be read or holds no certificate; on a listener without cert"},
		"cert": {Meaning: "Certificate to present, in PEM, with its chain.", Wrong: "/nowhere/cert.pem",
			Refused: "without key; a file that cannot be read or does not fit the key"},
		"key": {Meaning: "Private key of cert, in PEM.", Wrong: "/nowhere/key.pem",
			Refused: "without cert; a file that cannot be read or does not fit the certificate"},
	}
}

func (SASL) about() abouts {
	return abouts{
		"mechanism": {Meaning: "Mechanism of the login. The embedded broker takes PLAIN.", Form: "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512",
			Wrong:   "GSSAPI",
			Refused: "other words; empty while user or password_file is set"},
		"user": {Meaning: "User of the login.", Refused: "empty while mechanism is set; flyball with the embedded broker"},
		"password_file": {Meaning: "File with the password.", Wrong: "/nowhere/password",
			Refused: "a file that cannot be read or is empty; empty while mechanism is set"},
	}
}

func (TopicRetention) about() abouts {
	const own = " The embedded broker deletes from it what every reader has read, and refuses this key."
	return abouts{
		"calls":        {Meaning: "flyball.calls." + own},
		"journal":      {Meaning: "flyball.journal." + own},
		"events":       {Meaning: "flyball.events: findings and decisions."},
		"commands":     {Meaning: "flyball.commands: trips, resets, grants."},
		"dead_letters": {Meaning: "flyball.dead-letters: records that could not be read."},
	}
}

func (TopicLimit) about() abouts {
	return abouts{
		"days": {Meaning: "How long records are kept. 0: not changed.", Wrong: "70000d", Refused: "below 1d (commands: 2d)"},
		"bytes": {Meaning: "Size of each partition. 0: not changed.", Form: "size such as 500MiB or 20GiB", Wrong: "1MiB",
			Refused: "below 64MiB; a percentage"},
	}
}

func (Input) about() abouts {
	return abouts{
		"topic": {Meaning: "Topic to read.", Wrong: "flyball.calls",
			Refused: "empty; a name that Kafka does not allow; a name that begins with flyball.; a topic that is named twice"},
		"format": {Meaning: "Format of the records: auto, a preset, or the name of a mapping. flyball decode lists and tries them.",
			Form: "name", Wrong: "xml",
			Refused: "empty; no preset and no mapping"},
		"signal": {Meaning: "What OTLP records hold.", Form: "traces or logs", Wrong: "metrics", Refused: "other words"},
		"timezone": {Meaning: "Time zone of times without one. Empty: UTC.", Form: "name such as Europe/Berlin", Wrong: "Mars/Base",
			Refused: "unknown names"},
		"trusted_hops": {Meaning: "Proxies in front of the logging gateway whose entries in X-Forwarded-For are trusted. 0: the client " +
			"is the logged peer.",
			Wrong: "33", Refused: "below 0; above 32"},
	}
}

func (ClickHouse) about() abouts {
	return abouts{
		"addr": {Meaning: "Addresses of ClickHouse's HTTP interface. Empty: up starts an embedded engine on clickhouse.listen.",
			Form:  "list of host:port",
			Wrong: "['https://ch1:8443']", Refused: "an address with a scheme, without a port, or with port 0"},
		"listen": {Meaning: "Address of the embedded engine.", Form: "host:port", Wrong: "localhost",
			Refused: "no host:port; an address of another listener; other than loopback without user and password_file"},
		"read_listen": {Meaning: "Second address of the embedded engine, at which nobody writes. Empty: none.", Form: "host:port",
			Wrong:   "localhost",
			Refused: "no host:port; an address of another listener"},
		"database": {Meaning: "Name of the database.", Wrong: "a;b", Refused: "empty; other than letters, digits and _; a digit first"},
		"user": {Meaning: "User of ClickHouse. Embedded: the user at clickhouse.listen; empty: none is needed there.",
			Refused: "empty while password_file is set"},
		"password_file": {Meaning: "File with the password of the user.", Wrong: "/nowhere/password",
			Refused: "a file that cannot be read or is empty; without user"},
		"tls": {Meaning: "TLS to ClickHouse. Refused with the embedded engine."},
		"cluster": {Meaning: "Name of the cluster: ON CLUSTER, Replicated engines, Distributed tables. Empty: one server.", Wrong: "a;b",
			Refused: "other than letters, digits and _; with the embedded engine"},
		"retention": {Meaning: "How long rows are kept. Breakers, gates, verdicts, baselines and the audit trail are kept for ever."},
	}
}

func (Retention) about() abouts {
	return abouts{
		"calls": {Meaning: "Calls, touches and the indexes of calls. 0: for ever. Not set: what the database has.", Wrong: "36501d",
			Refused: "above 36500d; more than runs; less than learn.window"},
		"runs": {Meaning: "Runs, scores, findings, decisions, dead letters and the counts of calls. 0: for ever. Not set: what the " +
			"database has.",
			Wrong: "36501d", Refused: "above 36500d; less than calls"},
		"calls_bytes": {Meaning: "Size of calls, touches and the indexes of calls. Above it they are kept for fewer days. 0: no limit.",
			Form: "size such as 500GiB or 2TiB", Wrong: "1MiB", Refused: "below 1GiB, except 0; a percentage; with clickhouse.cluster"},
	}
}

func (Disk) about() abouts {
	return abouts{
		"warn_free": {Meaning: "Below this much free space there is a warning. 0: never.", Wrong: "100%",
			Refused: "100% or more; less than stop_free"},
		"stop_free": {Meaning: "Below this much free space replays and back-fills are stopped, until there is a tenth more. 0: never.",
			Wrong:   "100%",
			Refused: "100% or more; more than warn_free"},
	}
}

func (SIEM) about() abouts {
	return abouts{
		"topic": {Meaning: "Topic for one event a record, in JSON of the Open Cybersecurity Schema Framework. Empty: none.",
			Wrong:   "flyball.events",
			Refused: "a name that begins with flyball. or that Kafka does not allow; a topic of kafka.inputs"},
		"syslog": {Meaning: "Server for one CEF message each. Empty: none.", Form: "tcp://HOST:PORT or tls://HOST:PORT",
			Wrong: "udp://siem:514", Refused: "other schemes; a path"},
		"tls": {Meaning: "TLS to syslog, with tls://."},
		"calls_per_second": {Meaning: "Calls that are written to the topic in a second at most; others are left out and counted. 0: none.",
			Wrong: "-1", Refused: "below 0; above 10000; above 0 without topic"},
	}
}

func (Canary) about() abouts {
	return abouts{
		"interval": {Meaning: "Time between two rounds of the role control. 0: no canary.", Wrong: "9s",
			Refused: "below 10s; above 24h; shorter than bound"},
		"bound": {Meaning: "Time in which a round must come back.", Wrong: "11m", Refused: "below 1s; above 10m; longer than interval"},
		"topic": {Meaning: "Input to which its lines are written. Empty: the first with the format auto or envoy_json.", Wrong: "nosuch",
			Refused: "a topic that is none of kafka.inputs, or has another format"},
	}
}
