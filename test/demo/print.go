package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"time"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

var (
	began = time.Now()
	// coloured tells whether somebody looks at the output.
	coloured = isTerminal(os.Stdout) && os.Getenv("NO_COLOR") == ""
)

func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// Colours of the terminal.
const (
	bold   = "1"
	red    = "31"
	green  = "32"
	yellow = "33"
	grey   = "90"
)

func colour(code, text string) string {
	if !coloured {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// heading begins an act.
func heading(format string, args ...any) {
	_, _ = fmt.Fprintf(os.Stdout, "\n%s\n", colour(bold, fmt.Sprintf(format, args...)))
}

// say prints one line with the time since the demo began.
func say(format string, args ...any) {
	_, _ = fmt.Fprintf(os.Stdout, "%s  %s\n", colour(grey, fmt.Sprintf("%6.1fs", time.Since(began).Seconds())), fmt.Sprintf(format, args...))
}

// indented prints lines as say does.
type indented struct{ io.Writer }

// Write prints each line of p.
func (i indented) Write(p []byte) (int, error) {
	for line := range bytes.Lines(p) {
		say("%s", bytes.TrimRight(line, "\n"))
	}
	return len(p), nil
}

// padded is text in the colour that fits it, in a column.
func padded(width int, text string) string {
	code := yellow
	switch text {
	case string(argov1.SyncStatusSynced), string(argov1.HealthHealthy), string(argov1.OperationSucceeded):
		code = green
	case string(argov1.HealthDegraded), string(argov1.OperationFailed), string(argov1.OperationError):
		code = red
	case string(argov1.SyncStatusUnknown), string(argov1.HealthMissing), "":
		code = grey
	}
	return colour(code, fmt.Sprintf("%-*s", width, text))
}
