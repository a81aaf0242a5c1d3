package application

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	argov1 "github.com/tiphys-io/tiphys/api/argoproj/v1alpha1"
	"github.com/tiphys-io/tiphys/internal/policy"
)

// GlobalProject is a project whose permissions, restrictions and windows others inherit (contract 5.1, globalProjects).
type GlobalProject struct {
	// Name is that of the project.
	Name string
	// Selector matches the labels of the projects that inherit.
	Selector labels.Selector
}

// readProject reads the project of an application with what the global projects add to it. A global project that does not
// exist adds nothing; that the project itself does not exist is an error that apierrors.IsNotFound knows.
func (r *Reconciler) readProject(ctx context.Context, s *scope) error {
	project, err := r.projectNamed(ctx, s.app.Spec.GetProject())
	if err != nil {
		return err
	}
	versions := []string{string(project.UID), project.ResourceVersion}
	var globals []*argov1.AppProject
	for _, entry := range s.settings.GlobalProjects {
		if entry.Name == project.Name || !entry.Selector.Matches(labels.Set(project.Labels)) {
			continue
		}
		global, err := r.projectNamed(ctx, entry.Name)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		globals = append(globals, global)
		versions = append(versions, string(global.UID), global.ResourceVersion)
	}
	s.project, s.permission = policy.Inherit(project, globals...), strings.Join(versions, " ")
	return nil
}

func (r *Reconciler) projectNamed(ctx context.Context, name string) (*argov1.AppProject, error) {
	project := &argov1.AppProject{}
	if err := r.Client.Get(ctx, types.NamespacedName{Namespace: r.Options.ControlNamespace, Name: name}, project); err != nil {
		return nil, fmt.Errorf("reading project %s: %w", name, err)
	}
	return project, nil
}
