//go:build !race

package e2e

// raceFlags build the operator as the suite was built, so that nothing is compiled twice.
var raceFlags []string

// bigFile is the size of a file that is larger than manifests may be, in bytes.
const bigFile = 100 << 20
