// Uses something that a peer may define. Nobody in its search order does, so it stays null.
extern "C" {

__attribute__((weak)) int audit_peer_value(void);
int audit_asks_peer(void) { return audit_peer_value ? audit_peer_value() : -1; }
}
