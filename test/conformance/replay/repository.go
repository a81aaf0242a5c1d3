package replay

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/tiphys-io/tiphys/test/fixture"
)

// commit makes one commit of the case's repository.
func (s *session) commit(c Commit) error {
	files := map[string]string{}
	for name, content := range c.Files {
		data, err := fileContent(content)
		if err != nil {
			return fmt.Errorf("file %s: %w", name, err)
		}
		files[name] = data
	}
	options := []fixture.CommitOption{fixture.OnBranch(fixture.DefaultBranch)}
	if c.Branch != "" {
		options = append(options, fixture.OnBranch(c.Branch))
	}
	// What is there first stays, and of two folders the later shall win.
	for _, folder := range slices.Backward(c.From) {
		as := folder.As
		if as == "" {
			as = "app"
		}
		options = append(options, fixture.WithDir(filepath.Join(s.options.Sources, folder.Dir), as, replacement(folder.Replace)))
	}
	sha, err := s.git.Commit(files, options...)
	if err != nil {
		return err
	}
	s.commits = append(s.commits, sha)
	for _, tag := range c.Tag {
		if err := s.git.Tag(tag, sha); err != nil {
			return err
		}
	}
	return nil
}

func replacement(texts map[string]string) func(string) string {
	if len(texts) == 0 {
		return nil
	}
	return func(content string) string {
		for _, old := range slices.Sorted(maps.Keys(texts)) {
			content = strings.ReplaceAll(content, old, texts[old])
		}
		return content
	}
}

// fileContent is the text of a file: a string as it is, objects as YAML documents.
func fileContent(value any) (string, error) {
	if text, ok := value.(string); ok {
		return text, nil
	}
	documents, ok := value.([]any)
	if !ok {
		documents = []any{value}
	}
	texts := make([]string, len(documents))
	for i, document := range documents {
		data, err := yaml.Marshal(document)
		if err != nil {
			return "", err
		}
		texts[i] = string(data)
	}
	return strings.Join(texts, "---\n"), nil
}
