package cli

import (
	"errors"

	"github.com/spf13/cobra"
)

// exitError ends the process with a code of its own.
type exitError struct {
	error

	code int
}

func (e *exitError) Unwrap() error { return e.error }

// ExitCode is the code with which the process ends after an error of a command: 1 unless the command says otherwise.
func ExitCode(err error) int {
	if exit, ok := errors.AsType[*exitError](err); ok {
		return exit.code
	}
	return 1
}

// failsWith makes every error of a command, wrong arguments included, end the process with a code. What has no error ends it
// with 0, and an error that has a code keeps it.
func failsWith(code int, command *cobra.Command) *cobra.Command {
	mark := func(err error) error {
		if _, marked := errors.AsType[*exitError](err); err == nil || marked {
			return err
		}
		return &exitError{err, code}
	}
	args, run := command.Args, command.RunE
	command.Args = func(cmd *cobra.Command, list []string) error { return mark(args(cmd, list)) }
	command.RunE = func(cmd *cobra.Command, list []string) error { return mark(run(cmd, list)) }
	command.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return mark(err) })
	return command
}
