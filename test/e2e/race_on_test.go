//go:build race

package e2e

// bigFile is the size of a file that is larger than manifests may be, in bytes. Under the race detector, packing and unpacking
// 100 MB takes a minute, so it is not much larger.
const bigFile = 16 << 20
