"""Fan-out: the hub and its feeds. A subscription is a cursor over the store; the live path is a shortcut."""
