package cli

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

// run gives what a command prints.
func run(t *testing.T, args ...string) (string, error) {
	t.Helper()
	root := New()
	var out bytes.Buffer
	root.SetOut(&out)
	root.SetErr(&out)
	root.SetArgs(args)
	err := root.Execute()
	return out.String(), err
}

func TestCommands(t *testing.T) {
	for _, tc := range []struct {
		reason string
		args   []string
		want   string
	}{
		{"the version", []string{"version"}, "tiphys " + version + "\n"},
		{"the version in the form that tools of Sealed Secrets ask for", []string{"--version"}, "controller version: " + Version() + "\n"},
		{"what commands there are", []string{"--help"}, "version"},
		{"completion for bash", []string{"completion", "bash"}, "__start_tiphys"},
		{"completion for zsh", []string{"completion", "zsh"}, "#compdef tiphys"},
	} {
		t.Run(tc.reason, func(t *testing.T) {
			got, err := run(t, tc.args...)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(got, tc.want) {
				t.Errorf("printed %.200q, want %q in it", got, tc.want)
			}
		})
	}
}

// Tools of Sealed Secrets read the version by this expression (contract A9).
func TestVersionIsAReleaseOrACommit(t *testing.T) {
	before := version
	defer func() { version = before }()
	for _, version = range []string{"dev", "v1.2.3", "v1.2.3-4-gabcdef0", "c6f0369", "0123456789012345678901234567890123456789-dirty"} {
		if got := Version(); !regexp.MustCompile(`^(v[0-9]+\.[0-9]+\.[0-9]+|[0-9a-f]{40})`).MatchString(got) {
			t.Errorf("%s is told as %s", version, got)
		}
	}
}

func TestWrongCommands(t *testing.T) {
	for _, args := range [][]string{{"sail"}, {"version", "now"}, {"version", "--short"}} {
		if got, err := run(t, args...); err == nil {
			t.Errorf("%v is taken, and printed %q", args, got)
		}
	}
}
