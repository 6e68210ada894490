"""The edge between gRPC and the rest: the only place that knows protobuf messages and statuses."""
