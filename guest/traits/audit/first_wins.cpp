// Defines a function of the C library anew. Its own calls go to the C library's, which comes first.
extern "C" {

long a64l(const char *) { return 42; }
long audit_calls_own(void) { return a64l("zz"); }
}
