// Benchmarks of the device kernels; lists the parts.
int main() { return 0; }
