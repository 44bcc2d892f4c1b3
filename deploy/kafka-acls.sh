#!/bin/sh
# Rights at an Apache Kafka of yours: Flyball's own user, and shippers that can only write logs. Brokers need an authorizer
# (authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer). A right that is missing: flyball doctor.
#   BROKERS=kafka:9093 CONFIG=admin.properties sh deploy/kafka-acls.sh
set -eu
acls() { kafka-acls.sh --bootstrap-server "$BROKERS" --command-config "$CONFIG" --add "$@"; }

# Flyball: its own topics and groups, and nothing but reading of the topics with logs. Delete is for the beginning of flyball.state.
acls --allow-principal User:flyball --operation All --topic flyball. --resource-pattern-type prefixed
acls --allow-principal User:flyball --operation All --group flyball --resource-pattern-type prefixed
acls --allow-principal User:flyball --operation Read --operation Describe --operation DescribeConfigs --topic gateway-logs
acls --allow-principal User:flyball --operation Read --operation Describe --operation DescribeConfigs --topic otlp_spans
acls --allow-principal User:flyball --operation Describe --cluster

# Shippers of gateways. They never read, and never write a topic of Flyball's own: whoever can write flyball.commands commands the breakers.
acls --allow-principal User:shipper --operation Write --operation Describe --topic gateway-logs
acls --allow-principal User:shipper --operation Write --operation Describe --topic otlp_spans
