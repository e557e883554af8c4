"""What a service runs on: settings, documents, files, bus, outbox, identity, http and telemetry; no business word."""
