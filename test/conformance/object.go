package conformance

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// Object is one object of the group argoproj.io in the conformance data.
type Object struct {
	// File is its path in the conformance data.
	File string
	// Content is the object as written.
	Content map[string]any
	// Refused says what the reference schema finds wrong with it, one entry a finding ("unknown .a.b", "missing .a.b",
	// ".a.b is null, not object"). Empty means that an API server must take the object without losing a field.
	Refused []string
}

// Objects are all objects of the group argoproj.io among the reference manifests and the ApplicationSet examples.
func Objects(t testing.TB) []Object {
	t.Helper()
	return append(manifests(t), examples(t)...)
}

func manifests(t testing.TB) []Object {
	t.Helper()
	var index struct {
		Manifests []struct {
			File           string `json:"file"`
			APIVersion     string `json:"apiVersion"`
			Kind           string `json:"kind"`
			UpstreamSchema any    `json:"upstreamSchema"`
		} `json:"manifests"`
	}
	Load(t, &index, "manifests", "index.yaml")
	var objects []Object
	for _, m := range index.Manifests {
		if !strings.HasPrefix(m.APIVersion, "argoproj.io/") {
			continue
		}
		object := Object{File: "manifests/" + m.File, Content: document(t, m.Kind, "manifests", m.File)}
		findings, _ := m.UpstreamSchema.([]any)
		for _, finding := range findings {
			text, _ := finding.(string)
			object.Refused = append(object.Refused, text)
		}
		objects = append(objects, object)
	}
	return objects
}

func examples(t testing.TB) []Object {
	t.Helper()
	data, err := os.ReadFile(Path(t, "applicationset", "index.tsv"))
	if err != nil {
		t.Fatalf("read conformance data: %v", err)
	}
	reader := csv.NewReader(bytes.NewReader(data))
	reader.Comma, reader.LazyQuotes = '\t', true
	rows, err := reader.ReadAll()
	if err != nil {
		t.Fatalf("parse conformance data applicationset/index.tsv: %v", err)
	}
	var objects []Object
	for _, row := range rows[1:] {
		file, apiVersion, kind, findings := row[0], row[1], row[2], row[7]
		if !strings.HasPrefix(apiVersion, "argoproj.io/") {
			continue
		}
		object := Object{
			File:    "applicationset/examples/" + file,
			Content: document(t, kind, "applicationset", "examples", file),
		}
		if findings != "accepted" {
			object.Refused = strings.Split(findings, "; ")
		}
		objects = append(objects, object)
	}
	return objects
}

// document is the object of that kind in a file that may hold several.
func document(t testing.TB, kind string, elem ...string) map[string]any {
	t.Helper()
	path := Path(t, elem...)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("read conformance data: %v", err)
	}
	decoder := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(data), 4096)
	for {
		var raw json.RawMessage
		var content map[string]any
		err := decoder.Decode(&raw)
		if errors.Is(err, io.EOF) {
			t.Fatalf("conformance data %s holds no %s", path, kind)
		}
		if err == nil {
			err = utiljson.Unmarshal(raw, &content) // integers stay integers, as in an API server
		}
		if err != nil {
			t.Fatalf("parse conformance data %s: %v", path, err)
		}
		if content["kind"] == kind {
			return content
		}
	}
}
