"""What the services and the gateway may know of each other: data only, no I/O."""
