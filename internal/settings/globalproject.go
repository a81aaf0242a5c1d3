package settings

import (
	"errors"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// GlobalProject is a project whose permissions, restrictions and windows others inherit (contract 5.1, globalProjects).
type GlobalProject struct {
	// Name is that of the project.
	Name string
	// Selector matches the labels of the projects that inherit; an empty one matches all.
	Selector labels.Selector
}

// globalProjects reads the list; an entry that cannot be read is left out as a whole.
func (p *parser) globalProjects() []GlobalProject {
	var entries []struct {
		ProjectName   string               `json:"projectName"`
		LabelSelector metav1.LabelSelector `json:"labelSelector"`
	}
	if err := yaml.Unmarshal([]byte(p.data[KeyGlobalProjects]), &entries); err != nil {
		p.reject(KeyGlobalProjects, err, globalProjectsRemedy)
		return nil
	}
	var projects []GlobalProject
	for _, entry := range entries {
		selector, err := metav1.LabelSelectorAsSelector(&entry.LabelSelector)
		if entry.ProjectName == "" {
			err = errors.Join(err, errors.New("an entry has no projectName"))
		}
		if err != nil {
			p.reject(KeyGlobalProjects, err, globalProjectsRemedy)
			continue
		}
		projects = append(projects, GlobalProject{Name: entry.ProjectName, Selector: selector})
	}
	return projects
}
