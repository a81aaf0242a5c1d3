package kustomize

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/kustomize/api/types"
)

// components come after those of the kustomization; the names may be patterns.
func (e *editor) components() error {
	names, err := e.existingComponents()
	if err != nil || len(names) == 0 {
		return err
	}
	return e.change("add component "+strings.Join(names, " "), func(k *types.Kustomization) error {
		for _, name := range names {
			matches, err := e.matchComponents(name)
			if err != nil {
				return err
			}
			for _, match := range matches {
				if !slices.Contains(k.Components, match) {
					k.Components = append(k.Components, match)
				}
			}
		}
		return nil
	})
}

// existingComponents are the components of the options, without those that do not exist if these are to be ignored.
func (e *editor) existingComponents() ([]string, error) {
	var names []string
	for _, name := range e.options.Components {
		full := path.Join(e.dir, name)
		if e.options.IgnoreMissingComponents && !isRemote(name) {
			if !fs.ValidPath(full) {
				continue
			}
			if _, err := fs.Stat(e.view.tree, full); errors.Is(err, fs.ErrNotExist) {
				continue
			} else if err != nil {
				return nil, fmt.Errorf("%s: %w", full, err)
			}
		}
		names = append(names, name)
	}
	return names, nil
}

// matchComponents finds the folders that a name or pattern stands for.
func (e *editor) matchComponents(name string) ([]string, error) {
	if isRemote(name) {
		return []string{name}, nil // it is fetched once the edited kustomization is read
	}
	full := path.Join(e.dir, name)
	matches, err := fs.Glob(e.view.tree, full)
	if e.view.fetched.tree.listed > maxListed {
		err = errListed // the function passes over folders that it cannot list
	}
	if err != nil {
		return nil, fmt.Errorf("error checking the filesystem: %w", err)
	}
	if len(matches) == 0 {
		_, _, err := e.view.CleanedAbs(absolute(full))
		return nil, fmt.Errorf("%s has no match: must build at directory: not a valid directory: %w", name, err)
	}
	if len(matches) == 1 && matches[0] == full {
		return []string{name}, nil
	}
	for i, match := range matches {
		if matches[i], err = filepath.Rel(e.dir, match); err != nil {
			return nil, err
		}
	}
	return matches, nil
}
