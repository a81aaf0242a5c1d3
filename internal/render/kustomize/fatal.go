package kustomize

import (
	"io"
	"log"
	"runtime"
	"strings"
)

// surviveFatal makes log.Fatal, called by the Kustomize library, a panic. The library calls it where it holds a state for
// impossible, and a repository can bring that state about: it would end the process, and with it all other applications.
// log.Fatal writes before it exits, and the writer is the one place where it can be stopped. Other users of the standard
// logger notice nothing.
func surviveFatal() {
	log.SetOutput(&fatalStopper{next: log.Writer()})
}

type fatalStopper struct{ next io.Writer }

func (s *fatalStopper) Write(text []byte) (int, error) {
	if fatalInLibrary() {
		panic("log.Fatal in the Kustomize library") //nolint:forbidigo // recovered in build; without it the process would end here
	}
	return s.next.Write(text)
}

// fatalInLibrary tells whether the caller is log.Fatal or one like it, called by the library.
func fatalInLibrary() bool {
	callers := make([]uintptr, 32)
	frames := runtime.CallersFrames(callers[:runtime.Callers(2, callers)])
	for fatal := false; ; {
		frame, more := frames.Next()
		if fatal {
			return strings.HasPrefix(frame.Function, "sigs.k8s.io/kustomize/")
		}
		fatal = strings.HasPrefix(frame.Function, "log.Fatal")
		if !more {
			return false
		}
	}
}
