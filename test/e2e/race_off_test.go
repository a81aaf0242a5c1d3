//go:build !race

package e2e

// bigFile is the size of a file that is larger than manifests may be, in bytes.
const bigFile = 100 << 20
