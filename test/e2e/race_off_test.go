//go:build !race

package e2e

// raceFlags build the operator as the suite was built, so that nothing is compiled twice.
var raceFlags []string
