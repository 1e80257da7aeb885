// Defines what weak_import would use.
extern "C" int audit_peer_value(void) { return 1; }
