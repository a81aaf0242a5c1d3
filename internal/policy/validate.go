package policy

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gobwas/glob"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
)

// everythingForbidden is a pattern that nothing can ever match.
const everythingForbidden = negation + anything

// accountForbidden are the characters that no service account name holds, and that hint at a pattern.
const accountForbidden = `!*[]{}\/`

// Validate is what is wrong with a project by itself: entries that are repeated, that cannot be read, or that can never
// match (contract 7, 2.12). Nil means valid.
func Validate(spec *argov1.AppProjectSpec) error {
	return errors.Join(
		validateSources(spec.SourceRepos),
		validateDestinations(spec.Destinations),
		validateNamespaces(spec.SourceNamespaces),
		validateServiceAccounts(spec.DestinationServiceAccounts),
		validateWindows(spec.SyncWindows),
	)
}

func validateSources(patterns []string) error {
	var errs []error
	seen := map[string]bool{}
	for _, pattern := range patterns {
		if pattern == everythingForbidden {
			errs = append(errs, fmt.Errorf("source repository has an invalid format, '%s'", pattern))
		}
		if seen[pattern] {
			errs = append(errs, fmt.Errorf("source repository '%s' already added", pattern))
		}
		seen[pattern] = true
	}
	return errors.Join(errs...)
}

func validateDestinations(destinations []argov1.ApplicationDestination) error {
	var errs []error
	seen := map[argov1.ApplicationDestination]bool{}
	for _, destination := range destinations {
		for _, part := range []struct{ name, pattern string }{
			{"server", destination.Server}, {"name", destination.Name}, {"namespace", destination.Namespace},
		} {
			if part.pattern == everythingForbidden {
				errs = append(errs, fmt.Errorf("%s has an invalid format, '%s'", part.name, part.pattern))
			}
		}
		if seen[destination] {
			errs = append(errs, fmt.Errorf("destination server '%s', name '%s' and namespace '%s' already added",
				destination.Server, destination.Name, destination.Namespace))
		}
		seen[destination] = true
	}
	return errors.Join(errs...)
}

func validateNamespaces(namespaces []string) error {
	var errs []error
	seen := map[string]bool{}
	for _, namespace := range namespaces {
		if seen[namespace] {
			errs = append(errs, fmt.Errorf("source namespace '%s' already added", namespace))
		}
		seen[namespace] = true
	}
	return errors.Join(errs...)
}

func validateServiceAccounts(accounts []argov1.ApplicationDestinationServiceAccount) error {
	var errs []error
	for _, account := range accounts {
		if !isPlainGlob(account.Server) {
			errs = append(errs, fmt.Errorf("server has an invalid format, '%s'", account.Server))
		}
		if !isPlainGlob(account.Namespace) {
			errs = append(errs, fmt.Errorf("namespace has an invalid format, '%s'", account.Namespace))
		}
		if name := account.DefaultServiceAccount; strings.TrimSpace(name) == "" || strings.ContainsAny(name, accountForbidden) {
			errs = append(errs, fmt.Errorf("defaultServiceAccount has an invalid format, '%s'", name))
		}
	}
	return errors.Join(errs...)
}

// isPlainGlob: a glob that can be read and forbids nothing.
func isPlainGlob(pattern string) bool {
	_, err := glob.Compile(pattern)
	return err == nil && !strings.HasPrefix(pattern, negation)
}

func validateWindows(windows argov1.SyncWindows) error {
	var errs []error
	seen := map[string]bool{}
	for _, window := range windows {
		if window == nil {
			continue
		}
		name := fmt.Sprintf("window '%s':'%s':'%s'", window.Kind, window.Schedule, window.Duration)
		if seen[name] {
			errs = append(errs, fmt.Errorf("%s already exists, update or edit", name))
		}
		seen[name] = true
		if err := validateWindow(window); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", name, err))
		}
		if len(window.Applications) == 0 && len(window.Namespaces) == 0 && len(window.Clusters) == 0 {
			errs = append(errs, fmt.Errorf("%s requires one of application, cluster or namespace", name))
		}
	}
	return errors.Join(errs...)
}

func validateWindow(window *argov1.SyncWindow) error {
	if window.Kind != windowAllow && window.Kind != windowDeny {
		return fmt.Errorf("kind '%s' mismatch: can only be allow or deny", window.Kind)
	}
	_, _, _, err := parseWindow(window)
	return err
}
