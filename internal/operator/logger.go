package operator

import (
	"fmt"
	"io"
	"log/slog"
	"strings"

	"github.com/go-logr/logr"
)

// levels are the words for levels, those of Argo CD included: what slog does not know is the nearest that it does.
var levels = map[string]slog.Level{
	"trace": slog.LevelDebug, "debug": slog.LevelDebug, "info": slog.LevelInfo,
	"warn": slog.LevelWarn, "warning": slog.LevelWarn, "error": slog.LevelError, "fatal": slog.LevelError, "panic": slog.LevelError,
}

// newLogger writes lines of a format, json or text, from a level on.
func newLogger(w io.Writer, level, format string) (logr.Logger, error) {
	from, known := levels[strings.ToLower(level)]
	if !known {
		return logr.Logger{}, fmt.Errorf("loglevel %q is not known: write debug, info, warn or error", level)
	}
	options := &slog.HandlerOptions{Level: from}
	switch format {
	case "json":
		return logr.FromSlogHandler(slog.NewJSONHandler(w, options)), nil
	case "text":
		return logr.FromSlogHandler(slog.NewTextHandler(w, options)), nil
	}
	return logr.Logger{}, fmt.Errorf("logformat %q is not known: write json or text", format)
}
