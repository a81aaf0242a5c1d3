// Package benchmark measures the running operator on a real API server; `make bench` runs it.
package benchmark
