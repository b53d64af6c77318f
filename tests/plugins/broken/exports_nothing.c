/* A shared object without the entry point. */
int unrelated(void);
int unrelated(void) { return 1; }
