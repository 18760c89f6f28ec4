"""OpenTelemetry: traces sent to a collector. Needs the packages of the extra `tracing`."""
